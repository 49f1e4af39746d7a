"""A move that is killed at one step of its way.

    python cutoff.py STATE_DIR < PLAN

A plan is a JSON list of URLs and steps: to each URL a process of its own moves the hub, and dies at that step
(0 for never). For each, a line says whether it was killed, and how many steps there were until its end.
"""

# ruff: noqa: T201 - it speaks with the test over standard output

import json
import os
import sys
from pathlib import Path

from socme.identity import utc_now
from tests.zeus_hub.killed import Fuse
from zeus_hub import move, proof
from zeus_hub.database import open_database

MODULES = ("move.py", "marker.py", "proof.py", "postgresql.py", "database.py", "upgrade.py", "env.py")
PIECE = 2  # rows


def go(state_dir: Path, url: str, step: int) -> None:
    """Move the hub in a process of its own."""
    child = os.fork()
    if not child:
        proof.ROWS = PIECE
        fuse = Fuse(step, MODULES)
        source = open_database("sqlite:///zeus.db", state_dir)
        fuse.install()
        fuse.light()
        move.move(source, url, state_dir, utc_now, lambda *_: None, lambda *_: None)
        fuse.lit = False
        print(json.dumps({"killed": False, "steps": fuse.steps}), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print(json.dumps({"killed": True}), flush=True)
    elif status:
        sys.exit("a child failed")


if __name__ == "__main__":
    for where, at in json.load(sys.stdin):
        go(Path(sys.argv[1]), where, at)

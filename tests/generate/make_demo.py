"""Cut the demo's share out of the recorded files: all alerts, and as much of the rest as makes it look alive.

    python -m tests.generate.make_demo tests/data

writes socme/demo/data, which is inside the package, so that an installed `socme demo` has it.
"""

import json
import sys
from collections import Counter
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "socme" / "demo" / "data"
KEPT = 40  # records of each other type
NEVER = {"stats"}  # it counts the packets of a capture, which the demo does not have


def eve(content: bytes) -> bytes:
    """Return the demo's share of an eve.json, in its order."""
    seen: Counter[str] = Counter()
    kept = []
    for line in content.splitlines(keepends=True):
        kind = json.loads(line)["event_type"]
        seen[kind] += 1
        if kind == "alert" or (kind not in NEVER and seen[kind] <= KEPT):
            kept.append(line)
    return b"".join(kept)


def write(data: Path) -> None:
    """Write the demo's share of the files in `data`."""
    DEMO.mkdir(parents=True, exist_ok=True)
    (DEMO / "eve.json").write_bytes(eve((data / "eve.json").read_bytes()))
    (DEMO / "alerts.json").write_bytes((data / "alerts.json").read_bytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""`socme demo` as its user runs it."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.programs import MANY, Program, run, succeed, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIMIT = 90.0  # seconds; on a prepared and idle machine the first alert comes within ten


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Program]:
    """Give a running demo that keeps its folder."""
    program = Program("socme", "demo", "--keep", str(tmp_path / "kept"), log=tmp_path / "demo.log")
    program.start(ready=False)
    try:
        yield program
        if program.running:
            program.stop(limit=60)
    finally:
        program.end()


def processes_of(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(folder) in line:
                found.append(line)
    return found


def test_the_demo_shows_alerts_survives_a_kill_and_leaves_nothing_behind(
    demo: Program, tmp_path: Path
) -> None:
    """One run, because a start costs seconds: the wall, both clients, kill -9 of a node, and the end."""
    folder = tmp_path / "kept"
    config = str(folder / "zeus" / "zeus.toml")

    def stored() -> list[str]:
        return succeed(
            "zeus", "alert", "list", "--json", "--limit", str(MANY), "--config", config
        ).splitlines()

    demo.wait_for_log("the first alert is stored", limit=LIMIT)
    wait_until(
        lambda: {"acme", "globex"} <= clients(stored()),
        "both clients have alerts",
        limit=LIMIT,
        told=demo.log,
    )
    wall = re.search(r"http://127\.0\.0\.1:\d+", demo.log())
    node = re.search(r"kill -9 (\d+)", demo.log())
    assert wall is not None
    assert node is not None
    with urllib.request.urlopen(wall[0], timeout=10) as page:
        assert page.status == 200

    os.kill(int(node[1]), signal.SIGKILL)
    demo.wait_for_log("was killed (SIGKILL); starting it again", limit=LIMIT)
    demo.wait_for_log("runs again", limit=LIMIT)
    before = len(stored())
    wait_until(lambda: len(stored()) > before, "alerts still come", limit=LIMIT, told=demo.log)
    lines = stored()
    assert len(lines) == len(set(lines))

    assert demo.stop(limit=30) == 0
    assert demo.log().splitlines()[-1] == "the demo has ended; nothing runs any more"
    assert processes_of(folder) == []
    assert "Traceback" not in demo.log()


def clients(lines: list[str]) -> set[str]:
    return {found[1] for line in lines if (found := re.search(r'"client": ?"([^"]+)"', line))}


def test_a_demo_with_an_end_removes_its_folder(tmp_path: Path) -> None:
    done = run("socme", "demo", "--seconds", "0", limit=LIMIT, TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "the first alert is stored" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    done = run("socme", "demo", "--keep", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == (
        f"socme: {tmp_path} is not empty\n  Name a new folder with --keep, or remove what is in it.\n"
    )
    assert (tmp_path / "mine").read_text() == "precious"

"""Any program of writing, rotating, restarting and reading: the tail gives each line exactly once."""

# ruff: noqa: D102  # a rule's name says what it does

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from artemis_agent.tail import GRACE
from tests.artemis_agent.follower import Follower


@dataclass
class Life:
    """What was written to a file from its birth, or from when it was last cut."""

    content: bytearray = field(default_factory=bytearray)


class Program(RuleBasedStateMachine):
    """Any sequence of writing, rotating, restarting and reading: each ended line comes exactly once.

    What is excluded is what nobody can read: a file that is deleted before the tail saw it or while the
    tail is down. A line that was cut in two by copytruncate is two lines, as in the files.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "alerts.json"
        self.lives: list[Life] = []
        self.life_at: dict[int, Life] = {}
        self.counter = 0
        self.day = 10
        self.rotated = 0
        self.half = b""
        self.deleted = False
        self.writer = self.open_writer(self.path)
        self.follower = Follower(self.path, block=64)
        self.saved = self.follower.tail.position
        self.safe = 0

    def open_writer(self, path: Path) -> int:
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.held = self.life_of(writer)
        return writer

    def life_of(self, descriptor: int) -> Life:
        inode = os.fstat(descriptor).st_ino
        if inode not in self.life_at:
            self.life_at[inode] = Life()
            self.lives.append(self.life_at[inode])
        return self.life_at[inode]

    def put(self, text: bytes) -> None:
        os.write(self.writer, text)
        self.held.content += text

    def commit(self) -> None:
        self.saved = self.follower.tail.position
        self.safe = len(self.follower.lines)

    @rule(count=st.integers(1, 3), size=st.sampled_from([0, 0, 30, 200, 1500]))
    def write(self, count: int, size: int) -> None:
        for _ in range(count):
            self.counter += 1
            line = b"%d %s %d\n" % (self.counter, b"x" * size, self.counter)
            self.put(self.half + line)
            self.half = b""

    @rule()
    def write_half(self) -> None:
        self.counter += 1
        self.put(b"%d half " % self.counter)
        self.half = b"%d end " % self.counter

    @rule()
    def rename(self) -> None:
        if self.path.exists():
            self.rotated += 1
            self.path.rename(self.folder / f"alerts.json.{1000 - self.rotated}")

    @rule()
    def create(self) -> None:
        if not self.path.exists():
            self.make(self.path)

    def make(self, path: Path) -> None:
        """Make a file; if it has the inode of one that is gone, that is another life."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        self.life_at[path.stat().st_ino] = Life()
        self.lives.append(self.life_at[path.stat().st_ino])

    @rule()
    def reopen(self) -> None:
        if not self.path.exists():
            self.make(self.path)
        os.close(self.writer)
        self.writer = self.open_writer(self.path)

    @rule()
    def copytruncate(self) -> None:
        if not self.path.exists() or self.path.stat().st_nlink == 2:
            return  # nobody does this to Wazuh's files
        self.rotated += 1
        shutil.copyfile(self.path, self.folder / f"alerts.json.{1000 - self.rotated}")
        os.truncate(self.path, 0)
        inode = self.path.stat().st_ino
        is_held = self.life_at[inode] is self.held
        self.life_at[inode] = Life()
        self.lives.append(self.life_at[inode])
        if is_held:
            self.held = self.life_at[inode]

    @rule(pause=st.booleans(), back=st.booleans())
    def change_day(self, pause: bool, back: bool) -> None:  # noqa: FBT001
        if back:  # analysisd looks at the date once a second, so that each day is seen
            self.follower.tail.look()
        if not back or self.day <= 11:
            self.day += 1
        dated = self.folder / "2026" / "Nov" / f"ossec-alerts-{self.day - (back and self.day > 11)}.json"
        dated.parent.mkdir(parents=True, exist_ok=True)
        if not dated.exists():
            self.make(dated)
        if self.path.exists() and self.path.stat().st_nlink == 1:
            self.rename()
        self.path.unlink(missing_ok=True)
        if pause:
            self.read(2)
        os.link(dated, self.path)
        os.close(self.writer)
        self.writer = self.open_writer(self.path)

    @precondition(lambda self: self.path.exists())
    @rule()
    def delete(self) -> None:
        self.follower.read(0)
        if self.path.stat().st_nlink == 1:
            self.deleted = True
        self.path.unlink()

    @rule(most=st.sampled_from([1, 2, 5, 1000]))
    def read(self, most: int) -> None:
        self.follower.read(most)

    @rule()
    def read_and_commit(self) -> None:
        self.follower.read()
        self.commit()

    @rule()
    def wait(self) -> None:
        self.follower.clock.now += GRACE + 1

    @rule()
    def restart(self) -> None:
        """Whatever was read and not committed is read again."""
        if self.deleted:
            self.reopen()
            self.write(1, 0)
            for _ in range(3):
                self.follower.after_grace()
            self.commit()
            self.deleted = False
        del self.follower.lines[self.safe :]
        self.follower.tail.close()
        self.follower.tail = self.follower._open(self.saved)

    def teardown(self) -> None:
        self.reopen()
        self.write(1, 0)
        for _ in range(3):
            self.follower.after_grace()
        self.follower.tail.close()
        os.close(self.writer)
        shutil.rmtree(self.folder)
        self.compare()

    def compare(self) -> None:
        written = [
            [(offset, line) for offset, line in lines_of(bytes(life.content)) if line.endswith(b"\n")]
            for life in self.lives
        ]
        given: dict[bytes, list[tuple[int, bytes]]] = {}
        for file, offset, line in self.follower.lines:
            given.setdefault(file, []).append((offset, line + b"\n"))

        assert sorted(given.values()) == sorted(lines for lines in written if lines)


def lines_of(content: bytes) -> list[tuple[int, bytes]]:
    lines, offset = [], 0
    for line in content.splitlines(keepends=True):
        lines.append((offset, line))
        offset += len(line)
    return lines


def test_any_program_gives_each_line_exactly_once() -> None:
    run_state_machine_as_test(
        Program,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

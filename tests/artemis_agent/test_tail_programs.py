"""Any program of writing, rotating, compressing, cutting, restarting and reading.

The tail gives each line once; what it cannot give any more lies in a gap that it told.
"""

# ruff: noqa: D102  # a rule's name says what it does

import gzip
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from artemis_agent.doubt import GRACE
from tests.artemis_agent.follower import Follower
from tests.artemis_agent.test_tail_cases import closed


@dataclass
class Life:
    """What was written to a file from its birth, or from when it was last cut."""

    content: bytearray = field(default_factory=bytearray)
    cut: bool = False
    """Whether it was cut without a copy."""


class Program(RuleBasedStateMachine):
    """Any sequence of such steps: each ended line comes exactly once, or lies in a gap.

    What is excluded is what nobody can know of: a file that is deleted or cut before the tail saw it. A
    line that was cut in two by copytruncate is two lines, as in the files.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)  # so that nobody may enter it
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
        self.safe = self.safe_gaps = 0

    def open_writer(self, path: Path) -> int:
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.held = self.life_of(writer)
        self.hole = 0
        return writer

    def life_of(self, descriptor: int) -> Life:
        inode = os.fstat(descriptor).st_ino
        if inode not in self.life_at:
            self.life_at[inode] = Life()
            self.lives.append(self.life_at[inode])
        return self.life_at[inode]

    def put(self, text: bytes) -> None:
        if self.hole:
            os.ftruncate(self.writer, self.hole)
            self.held.content += bytes(self.hole)
            self.hole = 0
        os.write(self.writer, text)
        self.held.content += text

    def commit(self) -> None:
        self.saved = self.follower.tail.position
        self.safe = len(self.follower.lines)
        self.safe_gaps = len(self.follower.gaps)

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

    @rule(appends=st.booleans())
    def copytruncate(self, appends: bool) -> None:  # noqa: FBT001
        """Copy, and cut. A writer that does not append goes on where it was: behind a hole."""
        if not self.path.exists() or self.path.stat().st_nlink == 2:
            return  # nobody does this to Wazuh's files
        self.rotated += 1
        shutil.copyfile(self.path, self.folder / f"alerts.json.{1000 - self.rotated}")
        self.cut(hole=0 if appends else self.path.stat().st_size)

    def cut(self, hole: int = 0) -> None:
        os.truncate(self.path, 0)
        inode = self.path.stat().st_ino
        is_held = self.life_at[inode] is self.held
        self.life_at[inode] = Life()
        self.lives.append(self.life_at[inode])
        if is_held:
            self.held = self.life_at[inode]
            self.hole = hole

    @precondition(lambda self: self.path.exists() and self.path.stat().st_nlink == 1)
    @rule(seen=st.booleans(), down=st.booleans())
    def cut_without_a_copy(self, seen: bool, down: bool) -> None:  # noqa: FBT001
        """Lose what was written since the tail looked last, and what it saw and did not read."""
        self.reopen()
        self.write(1, 0)
        self.read_and_commit()
        self.held.cut = True
        self.write(2, 30)
        if seen:
            self.follower.read(1)
        self.half = b""
        if down:
            self.restart()
        self.cut()
        self.write(1, 0)

    @rule(keeps_time=st.booleans())
    def compress(self, keeps_time: bool) -> None:  # noqa: FBT001
        """Compress the oldest rotated file that nobody writes to."""
        held = os.fstat(self.writer).st_ino
        plain = sorted([*self.folder.glob("alerts.json.*"), *self.folder.glob("2026/Nov/ossec*")])
        for path in plain:
            status = path.stat()
            if path.suffix != ".gz" and status.st_ino != held and status.st_nlink == 1:
                packed = path.with_name(path.name + ".gz")
                if packed.exists():
                    return  # it would be lost; gzip asks
                packed.write_bytes(gzip.compress(path.read_bytes()))
                if keeps_time:
                    os.utime(packed, ns=(status.st_mtime_ns, status.st_mtime_ns))
                path.unlink()
                return

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
    def hold(self) -> None:
        """Look while nothing can be read: no position is taken for it, and none is the worse for it."""
        self.follower.hold()

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
        del self.follower.gaps[self.safe_gaps :]
        self.follower.tail.close()
        self.follower.tail = self.follower._open(self.saved)

    @precondition(lambda self: self.path.exists() and not self.deleted)
    @rule(down=st.booleans(), most=st.sampled_from([1, 1000]))
    def read_without_rights(self, down: bool, most: int) -> None:  # noqa: FBT001
        """Look and read while the file that has the name may not be opened, also after a restart."""
        with closed(self.path):
            if down:
                self.restart()
            self.follower.read(most)

            assert not down or "Permission denied" in self.follower.tail.problem

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
        for gap in self.follower.gaps:
            lost = self.lost(given.setdefault(gap.file, []), written, gap.offset)
            given[gap.file] += lost
        given = {file: sorted(lines) for file, lines in given.items() if lines}

        assert sorted(given.values()) == sorted(lines for lines in written if lines)
        assert len({gap.file for gap in self.follower.gaps}) == len(self.follower.gaps)

    def lost(
        self, given: list[tuple[int, bytes]], written: list[list[tuple[int, bytes]]], offset: int
    ) -> list[tuple[int, bytes]]:
        """Return the lines behind an offset in the life that some lines are of; it must have been cut."""
        for life, lines in zip(self.lives, written, strict=True):
            if given and set(given) <= set(lines):
                assert life.cut
                return [each for each in lines if each[0] >= offset]
        raise AssertionError("a gap in a file that nobody wrote")


def lines_of(content: bytes) -> list[tuple[int, bytes]]:
    lines, offset = [], len(content) - len(content.lstrip(b"\x00"))
    for line in content[offset:].splitlines(keepends=True):
        lines.append((offset, line))
        offset += len(line)
    return lines


def test_any_program_gives_each_line_exactly_once_or_tells_of_the_gap() -> None:
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

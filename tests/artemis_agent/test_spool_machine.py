"""The spool as a state machine: whatever is done with it, every alert is somewhere, and it is known where.

The spool is the real one, on real files; a hub that keeps its word is a model beside it. It may be put back
to an older copy, as the spool may; both may die at any time.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from artemis_agent import shelf, spool
from artemis_agent.numbering import DROPPED, check_of
from artemis_agent.spool import Progress, Spool, SpoolWriteError, Waiting, open_spool
from socme import batch
from socme.journal import LOWEST, Entry, Journal
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Dropped, Lane, Mark

LANES = (Lane.LANE_URGENT, Lane.LANE_NORMAL)
PROTECTED = 3  # oldest entries that are never too old; few, so that some are
MOST_ALERTS = 3  # in one batch, so that there are many
HOUR_NS = 3600 * 10**9
MAX_AGE = 3600.0  # seconds
ROOM = 2**30  # pages
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub has of one lane of an epoch."""

    sequence: int = 0
    check: bytes = b""


@dataclass
class ModelHub:
    """What the hub has committed."""

    marks: dict[tuple[bytes, int], Known] = field(default_factory=dict)
    """By epoch and lane."""
    stored: dict[str, int] = field(default_factory=dict)
    """The lane of each alert, in the order in which they were committed first."""

    def commit(self, epoch: bytes, entry: Entry) -> None:
        """Put a batch on the disk: the next one of its lane."""
        known = self.marks.get((epoch, entry.lane), Known())
        if entry.packed.encoding == DROPPED:
            first = Dropped.FromString(entry.packed.payload).first_sequence
        else:
            first = entry.sequence
            for alert in batch.unpack(entry.packed):
                self.stored.setdefault(alert.message, entry.lane)
        assert first == known.sequence + 1 or not known.sequence, "a number is left out, or comes again"
        self.marks[epoch, entry.lane] = Known(entry.sequence, check_of(entry.packed))

    def known(self, epoch: bytes) -> list[Mark]:
        """Return what Welcome tells."""
        return [
            Mark(lane=lane, sequence=known.sequence, check=known.check)  # type: ignore[arg-type]
            for (each, lane), known in self.marks.items()
            if each == epoch
        ]

    def copy(self) -> "ModelHub":
        """Return a backup."""
        return replace(self, marks=dict(self.marks), stored=dict(self.stored))


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the spool's files, and what was in it."""

    folder: Path
    texts: frozenset[str]
    total: int


class SpoolMachine(RuleBasedStateMachine):
    """One spool and one hub."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(shelf, "PROTECTED", PROTECTED)
        self.patch.setattr(shelf, "MOST_ALERTS", MOST_ALERTS)
        self.patch.setattr(spool, "COUNT_SHARE", 1e9)  # the ledger is counted anew each time
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.now = 10**18  # nanoseconds since 1970
        self.hub = ModelHub()
        self.texts: set[str] = set()  # that were spooled in this spool
        self.total = 0  # alerts that it accounts for
        self.written = 0
        self.backup: Backup | None = None
        self.hub_backup: ModelHub | None = None

    def run(self, work: Coroutine[object, object, Answer]) -> Answer:
        """Do something in the spool's loop."""
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        """Make it."""
        self.open(None)

    def open(self, copied: Path | None) -> None:
        """Open a spool on copied files, or a new one; as after a crash nothing is remembered."""
        self.lives += 1
        state = self.folder / f"life-{self.lives}"
        if copied is None:
            state.mkdir()
        else:
            shutil.copytree(copied, state)

        async def opened() -> Spool:
            return open_spool(state, max_bytes=1 << 40, max_age_seconds=MAX_AGE, clock=lambda: self.now)

        self.state, self.spool = state, self.run(opened())
        self.hang_up()

    def hang_up(self) -> None:
        """End the stream: nothing is on its way."""
        self.flying: list[Entry] = []
        self.cursors: dict[int, int] = {}
        self.connected = False

    def connect(self) -> None:
        """Begin a stream, as often as it takes until both agree."""
        self.hang_up()
        while not self.run(self.spool.follow(self.hub.known(self.spool.epoch))):
            pass
        self.connected = True

    @contextmanager
    def dead(self) -> Iterator[Path]:
        """Give a copy of the files as they are on disk now, and let go of the spool."""
        copied = self.folder / f"copy-{self.lives}"
        copied.mkdir()
        for path in self.state.glob("*"):
            if path.suffix != ".lock" and not path.name.endswith("-shm"):
                shutil.copy(path, copied / path.name)
        self.run(self.spool.close())
        yield copied

    def progress(self, lanes: list[int], size: int = 0) -> tuple[Progress, list[str]]:
        """Return what a reading brings: alerts in these lanes, and a line that is none."""
        texts = [f"{self.written + number}" for number in range(len(lanes))]
        self.written += len(lanes)
        alerts = [
            Waiting(Alert(message=text, raw=bytes(size)).SerializeToString(), lane)
            for text, lane in zip(texts, lanes, strict=True)
        ]
        tally = {"read": len(lanes) + 1, "not_alert": 1}
        return Progress(source="s", position=b"p", counters=b"", alerts=alerts, tally=tally), texts

    @rule(lanes=st.lists(st.sampled_from(LANES), min_size=1, max_size=12))
    def append(self, lanes: list[int]) -> None:
        """Spool some."""
        progress, texts = self.progress(lanes)
        self.run(self.spool.append(progress))
        self.texts |= set(texts)
        self.total += len(texts)

    @rule()
    def reconnect(self) -> None:
        """End the stream, with whatever is on its way, and begin another."""
        self.connect()

    @rule()
    def take(self) -> None:
        """Hand out the next few."""
        if not self.connected:
            self.connect()
        if not self.run(self.spool.ask(self.is_more)):
            return
        for entry in self.run(self.spool.next(self.cursors)):
            assert entry.position > self.cursors.get(entry.lane, LOWEST), "handed out again"
            self.cursors[entry.lane] = entry.position
            self.flying.append(entry)

    def is_more(self, journal: Journal) -> bool:
        """Tell whether there is anything behind what was handed out."""
        return any(
            journal.read_lane(lane, self.cursors.get(lane, LOWEST), entries=1, size=1) for lane in LANES
        )

    @precondition(lambda self: self.flying)
    @rule(count=st.integers(1, 4), told=st.booleans())
    def commit(self, count: int, *, told: bool) -> None:
        """Let the hub commit the first of what is on its way, and say so or not come to it."""
        some, self.flying = self.flying[:count], self.flying[count:]
        for entry in some:
            self.hub.commit(self.spool.epoch, entry)
            if told:
                self.spool.acknowledge(entry.lane, entry.sequence)

    @rule()
    def trim(self) -> None:
        """Forget what was acknowledged."""
        self.run(self.spool.trim())

    @rule(hours=st.integers(0, 3))
    def expire(self, hours: int) -> None:
        """Time goes by, and what is too old is given up."""
        self.now += hours * HOUR_NS
        self.run(self.spool.tend())

    @precondition(lambda self: self.flying)
    @rule(split=st.booleans())
    def refused(self, *, split: bool) -> None:
        """Let the hub refuse the first of what is on its way: it is split, or given up."""
        entry = self.flying[0]
        self.connect()
        if split:
            self.run(self.spool.split(entry.lane, entry.sequence))
            self.connect()  # in another epoch, where it was one of several
        else:
            self.run(self.spool.give_up(entry.lane, entry.sequence, "refused"))

    @rule(lanes=st.lists(st.sampled_from(LANES), min_size=1, max_size=3))
    def full(self, lanes: list[int]) -> None:
        """Fill the disk: an append is kept as a whole or not at all, and nothing else is harmed."""
        self.run(self.spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 1").fetchall()))
        progress, texts = self.progress(lanes, size=100_000)
        before = self.spool.depth
        try:
            self.run(self.spool.append(progress))
        except SpoolWriteError:
            assert self.spool.problem == "the disk is full"
            assert self.spool.depth == before
        else:
            self.texts |= set(texts)
            self.total += len(texts)
        self.run(self.spool.trim())
        self.run(self.spool.tend())
        self.run(
            self.spool.ask(lambda journal: journal._db.execute(f"PRAGMA max_page_count = {ROOM}").fetchall())
        )

    @rule(what=st.sampled_from(["kill", "copy", "put_back", "damage", "back_up_hub", "restore_hub"]))
    def disaster(self, what: str) -> None:
        """One of what seldom happens."""
        getattr(self, what)()

    def kill(self) -> None:
        """Let the agent die."""
        epoch = self.spool.epoch
        with self.dead() as copied:
            self.open(copied)
        assert self.spool.epoch == epoch

    def copy(self) -> None:
        """Somebody makes a copy of the spool's files."""
        folder = self.folder / f"backup-{self.written}-{self.lives}"
        if folder.exists():
            return
        self.run(self.spool.trim())  # so that the copy's account is ours
        with self.dead() as copied:
            shutil.copytree(copied, folder)
            self.backup = Backup(folder, frozenset(self.texts), self.total)
            self.open(copied)

    def put_back(self) -> None:
        """Put the copy in the spool's place: it forgets what came since, and sends some again."""
        if self.backup is None:
            return
        with self.dead():
            self.open(self.backup.folder)
        self.texts, self.total = set(self.backup.texts), self.backup.total

    def damage(self) -> None:
        """Garbage is written over it: it is set aside, and a new one begins."""
        with self.dead() as copied:
            for path in copied.glob("spool.db*"):
                with path.open("r+b") as file:
                    file.write(b"\xa5" * 8192)
            self.open(copied)
        assert list(self.state.glob("spool.db.damaged-*"))
        assert self.spool.depth.alerts == 0
        self.texts = set()
        self.total = self.spool.acknowledged + sum(self.run(self.spool.dropped()).values())

    def back_up_hub(self) -> None:
        """`zeus backup`."""
        self.hub_backup = self.hub.copy()

    def restore_hub(self) -> None:
        """Put the hub back: what nodes have forgotten since is lost with it."""
        if self.hub_backup is None:
            return
        lost = self.hub.stored.keys() - self.hub_backup.stored.keys()
        self.hub = self.hub_backup.copy()
        self.texts -= lost
        self.hang_up()

    @invariant()
    def everything_is_accounted_for(self) -> None:
        """All that was spooled is acknowledged, waits, or was given up; and the ledger says the same."""
        dropped = sum(self.run(self.spool.dropped()).values())
        assert self.spool.acknowledged + self.spool.depth.alerts + dropped == self.total
        self.run(self.spool.ledger())
        assert self.spool.unaccounted == 0
        assert self.spool.depth.alerts >= 0

    @invariant()
    def each_lane_is_in_order(self) -> None:
        """As the hub sees each alert first."""
        for lane in LANES:
            numbers = [int(text) for text, each in self.hub.stored.items() if each == lane]
            assert numbers == sorted(numbers)

    def teardown(self) -> None:
        """Let all of it through: what is not at the hub was given up, and counted."""
        try:
            if self.lives:
                self.drain()
        finally:
            self.patch.undo()
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def drain(self) -> None:
        """Send all there is."""
        self.connect()
        while self.run(self.spool.ask(self.is_more)):
            self.take()
        if self.flying:
            self.commit(len(self.flying), told=True)
        self.run(self.spool.trim())
        self.everything_is_accounted_for()
        self.each_lane_is_in_order()
        assert self.spool.depth.alerts == 0
        missing = self.texts - self.hub.stored.keys()
        assert len(missing) <= sum(self.run(self.spool.dropped()).values())
        self.run(self.spool.close())


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)

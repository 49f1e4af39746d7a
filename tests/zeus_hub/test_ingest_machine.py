"""Ingest as a state machine: whatever nodes send and whatever breaks, against a model of what must be there.

The real Ingest, Committer and journal on a real disk; only certificates and the network are left out. Nodes
connect, take over from themselves, send in order, again, behind gaps and with what they gave up, in several
spools and lanes; the disk fails for a while; the hub is killed and comes back. After each step:

- what was acknowledged was on disk at that moment,
- each batch that was taken lies in the journal once, in its lane's order,
- marks only grow, and say what the last batch was,
- accounts are exact.
"""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from socme.journal import Draft, Entry
from socme.v1.uplink_pb2 import AlertBatch, Dropped, Encoding, NodeMessage
from tests.zeus_hub.kit import LIMIT
from tests.zeus_hub.wire import Wire, hello, ingest
from zeus_hub import accounts, commit, marks
from zeus_hub.accounts import Account
from zeus_hub.commit import Committer

NODES = ("n1", "n2", "n3")
LANES = (1, 2)
SELDOM = st.sampled_from([False, False, False, True])
Place = tuple[str, bytes, int]  # origin, epoch, lane


@dataclass
class Lane:
    """One lane of a node's spool, as the node has it."""

    given: int = 0
    """The last sequence."""
    alerts: int = 0
    """In all sequences up to there."""
    sent: list[AlertBatch] = field(default_factory=list)


@dataclass
class Expected:
    """What the hub must hold of one lane."""

    sequence: int = 0
    counted: int = 0
    payload: bytes = b""
    entries: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass
class Node:
    """A node and what is under way from it."""

    name: str
    epoch: bytes = b""
    lanes: dict[int, Lane] = field(default_factory=dict)
    wire: Wire | None = None
    task: asyncio.Task[None] | None = None
    flying: list[AlertBatch] = field(default_factory=list)
    """Sent on the stream that is open, and not judged by the model yet."""

    @property
    def origin(self) -> str:
        return f"c/{self.name}"


class Machine(RuleBasedStateMachine):
    """A hub, three nodes, and the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.runner = asyncio.Runner()
        self.numbers = itertools.count(1)
        self.nodes = {name: Node(name) for name in NODES}
        self.truth: dict[Place, Expected] = {}
        self.accounts: dict[str, Account] = {}
        self.first: dict[str, bytes] = {}
        self.shown: list[Entry] = []
        self.failures: list[BaseException] = []
        self.full = False
        self.runner.run(self._start())
        self.reader = sqlite3.connect(self.path, isolation_level=None)

    def teardown(self) -> None:
        self.full = False
        self.runner.run(self._stop())
        self.runner.close()
        self.reader.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(NODES), new_spool=SELDOM)
    def connect(self, name: str, *, new_spool: bool) -> None:
        """Connect, or take over from oneself; what was under way on the old stream stays the node's."""
        self.runner.run(self._connect(self.nodes[name], new_spool=new_spool))

    @rule(
        name=st.sampled_from(NODES),
        lane=st.sampled_from(LANES),
        alerts=st.integers(1, 9),
        lost=st.integers(0, 3),
        many=st.integers(1, 3),
    )
    def send(self, name: str, lane: int, alerts: int, lost: int, many: int) -> None:
        """Send the next few batches of a lane, the first perhaps behind one that was deleted in the spool."""
        node = self._connected(name)
        lane_ = node.lanes.setdefault(lane, Lane())
        if lost:
            lane_.given += 1
            lane_.alerts += lost
        for _ in range(many):
            self._give(node, lane, Encoding.ENCODING_ZSTD, f"{next(self.numbers)}".encode(), alerts, 1)
        self.runner.run(self._settle())

    @rule(
        name=st.sampled_from(NODES),
        lane=st.sampled_from(LANES),
        alerts=st.integers(0, 50),
        over=st.integers(1, 4),
        reason=st.sampled_from(["age", "refused"]),
    )
    def give_up(self, name: str, lane: int, alerts: int, over: int, reason: str) -> None:
        """Send what stands in place of a few batches."""
        node = self._connected(name)
        first = node.lanes.setdefault(lane, Lane()).given + 1
        payload = Dropped(first_sequence=first, alerts=alerts, reason=reason).SerializeToString()
        self._give(node, lane, Encoding.ENCODING_DROPPED, payload, alerts, over)
        self.runner.run(self._settle())

    @rule(name=st.sampled_from(NODES), lane=st.sampled_from(LANES), back=st.integers(0, 5))
    def send_again(self, name: str, lane: int, back: int) -> None:
        """Send something that was sent before, in this stream or an earlier one."""
        node = self._connected(name)
        known = node.lanes.get(lane, Lane()).sent[-1 - back :][:1]
        if node.wire is not None and known:
            node.wire.inbound.put_nowait(NodeMessage(batch=known[0]))
            node.flying.append(known[0])
            self.runner.run(self._settle())

    @rule(name=st.sampled_from(NODES), really=SELDOM)
    def disconnect(self, name: str, *, really: bool) -> None:
        """Lose the connection."""
        if really:
            self.runner.run(self._disconnect(self.nodes[name]))

    @precondition(lambda self: not self.full)
    @rule(really=SELDOM)
    def fill_the_disk(self, *, really: bool) -> None:
        """From now on nothing can be written."""
        self.full = really

    @precondition(lambda self: self.full)
    @rule()
    def make_room(self) -> None:
        """Now it can again; what waited gets there."""
        self.full = False
        self.runner.run(self._settle())

    @rule(really=SELDOM)
    def kill_the_hub(self, *, really: bool) -> None:
        """Stop it without a word and start another one on the same disk, which may still be full."""
        if not really:
            return
        self.runner.run(self._stop())
        for node in self.nodes.values():
            node.wire, node.flying = None, []
        self.runner.run(self._start())

    @invariant()
    def nothing_is_raised_that_nobody_expects(self) -> None:
        assert not self.failures, self.failures

    @invariant()
    def what_is_on_disk_is_what_was_taken(self) -> None:
        rows = self.reader.execute("SELECT origin, lane, sequence, payload FROM entry ORDER BY position")
        found: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        for origin, lane, sequence, payload in rows:
            found.setdefault((origin, lane), []).append((sequence, payload))
        for key, entries in found.items():
            expected = [each.entries for place, each in self.truth.items() if (place[0], place[2]) == key]
            assert sorted(entries) == sorted(itertools.chain.from_iterable(expected))
        assert sum(map(len, found.values())) == sum(len(each.entries) for each in self.truth.values())

    @invariant()
    def marks_say_how_far_each_lane_is(self) -> None:
        for (origin, epoch, lane), expected in self.truth.items():
            mark = self._mark(origin, epoch, lane)
            assert mark.sequence == expected.sequence
            assert mark.check == marks.check(expected.payload)

    @invariant()
    def accounts_are_exact(self) -> None:
        rows = self.reader.execute("SELECT key, value FROM note WHERE key LIKE 'account:%'")
        assert accounts.read(dict(rows)) == self.accounts
        assert self.committer.accounts() == self.accounts

    @invariant()
    def what_watchers_were_shown_is_what_is_on_disk_in_order(self) -> None:
        positions = [entry.position for entry in self.shown]
        assert positions == [row[0] for row in self.reader.execute("SELECT position FROM entry ORDER BY 1")]

    def _connected(self, name: str) -> Node:
        node = self.nodes[name]
        if node.wire is None:
            self.runner.run(self._connect(node, new_spool=False))
        return node

    def _give(self, node: Node, number: int, encoding: int, payload: bytes, alerts: int, over: int) -> None:
        lane = node.lanes.setdefault(number, Lane())
        lane.given += over
        batch = AlertBatch(
            lane=number,  # type: ignore[arg-type]
            sequence=lane.given,
            encoding=encoding,  # type: ignore[arg-type]
            payload=payload,
            alerts=alerts if encoding == Encoding.ENCODING_ZSTD else 0,
            alerts_before=lane.alerts,
        )
        lane.alerts += alerts
        lane.sent.append(batch)
        node.flying.append(batch)
        assert node.wire is not None
        node.wire.inbound.put_nowait(NodeMessage(batch=batch))

    def _judge(self, node: Node, batch: AlertBatch) -> None:
        """Say what a batch that gets to disk changes there, straight from what the node did."""
        place = (node.origin, node.epoch, batch.lane)
        expected = self.truth.get(place) or Expected()
        if batch.sequence <= expected.sequence:
            return
        dropped = Dropped.FromString(batch.payload) if batch.encoding == Encoding.ENCODING_DROPPED else None
        first = dropped.first_sequence if dropped is not None else batch.sequence
        alerts = dropped.alerts if dropped is not None else batch.alerts
        if node.origin not in self.accounts:
            self.first[node.origin] = node.epoch
        lenient = self.first[node.origin] == node.epoch and place not in self.truth and first > 1
        missing = 0 if lenient else batch.alerts_before - expected.counted
        account = self.accounts.get(node.origin, Account())
        if dropped is not None:
            account = account.with_given_up(dropped.reason, alerts, missing)
        else:
            account = account.with_batch(alerts, missing)
            expected.entries.append((batch.sequence, batch.payload))
        self.accounts[node.origin] = account
        expected.sequence, expected.payload = batch.sequence, batch.payload
        expected.counted = batch.alerts_before + alerts
        self.truth[place] = expected

    def _mark(self, origin: str, epoch: bytes, lane: int) -> marks.Mark:
        query = "SELECT value FROM note WHERE key = ?"
        row = self.reader.execute(query, (marks.key(origin, epoch, lane),)).fetchone()
        return marks.decode(row[0]) if row else marks.Mark()

    async def _start(self) -> None:
        self.committer = Committer(self.path, 10**12, needed=lambda: 0, committed=self._committed)
        journal = self.committer._journalist._journal
        real = journal.append

        def append(drafts: Sequence[Draft], **rest: Any) -> list[Entry]:  # noqa: ANN401 - whatever is passed on
            inner = rest.pop("also", None)

            def also(db: sqlite3.Connection) -> None:
                if inner is not None:
                    inner(db)
                if self.full:  # behind everything else, so that all of it is undone
                    raise sqlite3.OperationalError("database or disk is full")

            return real(drafts, also=also, **rest)

        journal.append = append  # type: ignore[method-assign]
        self.ingest = ingest(self.committer)
        self.running = asyncio.get_running_loop().create_task(self.committer.run())

    def _committed(self, entries: Sequence[Entry], new: Collection[int]) -> None:
        del new
        self.shown += entries

    async def _stop(self) -> None:
        for node in self.nodes.values():
            await self._disconnect(node)
        self.running.cancel()
        await asyncio.wait([self.running])

    async def _connect(self, node: Node, *, new_spool: bool) -> None:
        if new_spool or not node.epoch:
            node.epoch, node.lanes = next(self.numbers).to_bytes(16, "big"), {}
        old, epoch = node.task, node.epoch
        wire = Wire(
            node.name, lambda lane, sequence: self._mark(node.origin, epoch, lane).sequence >= sequence
        )
        node.wire, node.flying = wire, []
        wire.inbound.put_nowait(hello(epoch))
        serving = cast("Awaitable[None]", self.ingest.Connect(object(), cast("Any", wire)))
        node.task = asyncio.get_running_loop().create_task(self._watch(serving))
        await _until(lambda: bool(wire.told))
        told = {mark.lane: (mark.sequence, mark.check) for mark in wire.told[0].welcome.marks}
        assert told == {
            lane: (each.sequence, marks.check(each.payload))
            for (origin, found, lane), each in self.truth.items()
            if (origin, found) == (node.origin, epoch)
        }
        if old is not None:
            await asyncio.wait([old], timeout=LIMIT)

    async def _watch(self, serving: Awaitable[None]) -> None:
        try:
            await serving
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to the test
            self.failures.append(error)

    async def _disconnect(self, node: Node) -> None:
        if node.task is not None and node.wire is not None:
            node.task.cancel()
            await asyncio.wait([node.task], timeout=LIMIT)
            # What the disk is at may still get there: not later than the marks, which are read behind it.
            await self.committer.marks(node.origin, node.epoch)
        node.wire, node.flying = None, []

    def _idle(self) -> bool:
        """Return whether everything that was sent is dealt with, down to the acknowledgement."""
        links = self.ingest._links.values()
        read = all(node.wire is None or node.wire.inbound.empty() for node in self.nodes.values())
        return read and not any(link._held or link._acks or link.stream.wake.is_set() for link in links)

    def _stopped(self, sent: Sequence[Node]) -> bool:
        """Return whether the hub has noticed that it cannot write, and told those who sent something."""
        return bool(self.committer.problem) and all(_paced(node) == 0 for node in sent)

    async def _settle(self) -> None:
        """Wait until everything that was sent is acknowledged, or cannot be."""
        if self.full:
            sent = [node for node in self.nodes.values() if node.flying]
            await _until(lambda: self._idle() or self._stopped(sent))
            if not self._idle():  # else all of it had come before, and is on disk
                return
        for node in self.nodes.values():
            for batch in node.flying:
                self._judge(node, batch)
        await _until(self._idle)
        for node in self.nodes.values():
            for batch in node.flying:
                assert node.wire is not None
                assert node.wire.acked[batch.lane] >= batch.sequence
            node.flying = []
        await _until(lambda: self.full or not self.committer.problem)


def _paced(node: Node) -> int | None:
    """Return how many batches a node was last told that it may send."""
    assert node.wire is not None
    paces = [message.pace.window_batches for message in node.wire.told if message.HasField("pace")]
    return paces[-1] if paces else None


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what it asks has no event
            await asyncio.sleep(0.0005)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "_pauses", lambda: itertools.repeat(0.001))


def test_ingest_holds_what_it_promises_whatever_happens() -> None:
    Machine.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
    Machine.TestCase().runTest()

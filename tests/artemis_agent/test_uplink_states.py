"""The uplink as a state machine: whatever the hub, the network and the node do, the promises hold.

The uplink and the spool are the real ones, on a real file; the hub is a model in this process, and time
is counted, not waited for. The model is as strict as the contract (tests/artemis_agent/hub.py).
"""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from artemis_agent import uplink
from artemis_agent.link import Link
from artemis_agent.spool import Progress, Spool, Waiting, open_spool
from artemis_agent.uplink import Uplink
from artemis_agent.wire import BrokenError, Wire
from socme.identity import Identity
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import (
    Ack,
    AlertBatch,
    GoingAway,
    Hello,
    HubMessage,
    Lane,
    NodeMessage,
    Pace,
    Refusal,
    Welcome,
)
from socme.v1.vitals_pb2 import Vitals
from tests.artemis_agent.hub import Books, Order, alerts_of
from tests.artemis_agent.virtual import VirtualLoop
from tests.certificates import make_authority

LANES = st.sampled_from([Lane.LANE_NORMAL, Lane.LANE_URGENT])
IDENTITY = make_authority().node("hub:1")
LONGEST = 4 * 3600.0  # seconds in which everything must be at the hub once all is well


@dataclass
class ModelHub:
    """A hub that keeps its word, as a memory."""

    books: dict[bytes, Books] = field(default_factory=dict)
    stored: list[tuple[bytes, int, str]] = field(default_factory=list)
    """Epoch, lane and text of each alert, in the order in which they were committed."""
    breaches: list[str] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    """Alerts that it does not take."""
    up: bool = True
    prompt: bool = False
    """Whether it commits at once."""
    window: tuple[int, int] = (0, 0)
    pending: list[AlertBatch] = field(default_factory=list)
    """What came by the present stream and is not on disk."""
    wire: "ModelWire | None" = None
    hellos: int = 0

    def commit(self, batch: AlertBatch, epoch: bytes) -> None:
        """Put a batch on the disk."""
        self.books[epoch].commit(batch)
        self.stored += [(epoch, batch.lane, alert.message) for alert in alerts_of(batch)]

    def commit_some(self, count: int, *, tell: bool = True) -> None:
        """Put the oldest batches of the stream on the disk, and say so with one Ack a lane."""
        if self.wire is None:
            return
        some, self.pending = self.pending[:count], self.pending[count:]
        for batch in some:
            self.commit(batch, self.wire.epoch)
        for lane, sequence in {batch.lane: batch.sequence for batch in some}.items():
            if tell:
                self.wire.order.acknowledged(lane, sequence)
                self.wire.give(HubMessage(ack=Ack(lane=lane, sequence=sequence)))

    def end(self, code: str = "UNAVAILABLE") -> None:
        """End the present stream; what is not on the disk is forgotten."""
        wire, self.wire, self.pending = self.wire, None, []
        if wire is not None:
            wire.end(code)

    @asynccontextmanager
    async def dial(self, _address: str, _identity: Identity) -> AsyncIterator[Wire]:
        """Give a stream to this hub; one is enough for a node, and the newest wins."""
        wire = ModelWire(self)
        if self.up:
            self.end("ABORTED")
            self.wire = wire
        else:
            wire.end("UNAVAILABLE")
        try:
            yield wire
        finally:
            if self.wire is wire:
                self.end()


class ModelWire:
    """One stream; what the node writes is at the hub at once, unless it is swallowed."""

    def __init__(self, hub: ModelHub) -> None:
        self.hub = hub
        self.epoch = b""
        self.order = Order()
        self.swallowed = False
        self._messages: asyncio.Queue[HubMessage | str] = asyncio.Queue()
        self._window = (0, 0)
        self._paused = False
        self._over = ""

    def end(self, code: str) -> None:
        """Let both ends of the node's fail from now on."""
        self._over = code
        self._messages.put_nowait(code)

    def give(self, message: HubMessage) -> None:
        """Send something to the node."""
        self._messages.put_nowait(message)

    async def read(self) -> HubMessage:
        """Return what the hub says."""
        message = await self._messages.get()
        if isinstance(message, str):
            raise BrokenError(message, "over")
        if message.HasField("pace"):  # the node knows it from here on
            self._window = (message.pace.window_bytes, message.pace.window_batches)
            self._paused = not message.pace.window_batches
        return message

    async def write(self, message: NodeMessage) -> None:
        """Give the hub something; what is read from here on comes too late to keep it back."""
        window, paused = self._window, self._paused
        await asyncio.sleep(0)  # others get their turn, as with a real stream
        if self._over:
            raise BrokenError(self._over, "over")
        if self.swallowed:
            return
        if message.HasField("hello"):
            self._greet(message.hello)
        elif message.HasField("batch"):
            self._take(message.batch, window, paused=paused)

    def _greet(self, hello: Hello) -> None:
        hub, self.epoch = self.hub, hello.epoch
        hub.hellos += 1
        books = hub.books.setdefault(self.epoch, Books())
        self._window = hub.window
        welcome = Welcome(marks=books.known(), window_bytes=hub.window[0], window_batches=hub.window[1])
        self.give(HubMessage(welcome=welcome))

    def _take(self, batch: AlertBatch, window: tuple[int, int], *, paused: bool) -> None:
        hub, books = self.hub, self.hub.books[self.epoch]
        hub.breaches += books.of(batch)
        hub.breaches += self.order.of(batch, books.marks, window)
        if paused:
            hub.breaches.append("a batch after a Pace of none")
        bad = [alert.message for alert in alerts_of(batch) if alert.message in hub.bad]
        if bad:
            earlier = [each for each in hub.pending if each.lane == batch.lane]
            hub.pending = earlier + [each for each in hub.pending if each.lane != batch.lane]
            hub.commit_some(len(earlier))  # everything before it in its lane is on the disk
            refusal = Refusal(lane=batch.lane, sequence=batch.sequence, reason=f"{bad} are bad")
            self.give(HubMessage(refusal=refusal))
            hub.end("OK")
            return
        hub.pending.append(batch)
        if hub.prompt:
            hub.commit_some(len(hub.pending))


@dataclass
class Node:
    """A node: its folder, its spool and the uplink that runs."""

    loop: VirtualLoop
    hub: ModelHub
    folder: Path
    buried: list[str]

    def __post_init__(self) -> None:
        self.spool: Spool = self.loop.do(self._open())
        self.link = Link()
        self._task = self.loop.create_task(self._run())

    async def _open(self) -> Spool:
        return open_spool(self.folder, max_bytes=1 << 30)

    async def _run(self) -> None:
        async def credentials() -> tuple[tuple[str, ...], Identity]:
            return (IDENTITY.hub_address,), IDENTITY

        async def vitals() -> Vitals:
            return Vitals()

        async def bury(payload: bytes, _reason: str) -> None:
            self.buried.append(Alert.FromString(payload).message)

        line = Uplink(
            spool=self.spool,
            link=self.link,
            credentials=credentials,
            vitals=vitals,
            interval_seconds=10.0,
            bury=bury,
            dial=self.hub.dial,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(uplink.serve(line, random.Random(1)))
            tasks.create_task(self.spool.run_trim())

    def append(self, lane: Lane.ValueType, messages: list[str]) -> None:
        """Spool one batch."""
        alerts = [Waiting(Alert(message=message).SerializeToString(), lane) for message in messages]
        self.loop.do(self.spool.append(Progress("s", b"", b"", alerts)))

    def stop(self) -> None:
        """Kill it; its folder stays."""
        died = self._task.done()
        self._task.cancel()
        self.loop.do(asyncio.wait([self._task]))
        self.loop.do(self.spool.close())
        assert not died, self._task


class UplinkStates(RuleBasedStateMachine):
    """What may happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.hub = ModelHub()
        self.root = Path(tempfile.mkdtemp())
        self.appended: dict[int, list[str]] = {Lane.LANE_NORMAL: [], Lane.LANE_URGENT: []}
        self.buried: list[str] = []
        self.counter = 0

    @initialize(batches=st.integers(0, 8), window=st.sampled_from([(0, 0), (0, 1), (0, 4), (90, 0)]))
    def begin(self, batches: int, window: tuple[int, int]) -> None:
        """Begin with something that waits."""
        self.hub.window = window
        self.node = Node(self.loop, self.hub, self.root / "node", self.buried)
        for _ in range(batches):
            self.spool_some(Lane.LANE_NORMAL, 1)

    def fresh(self, count: int) -> list[str]:
        """Return the texts of new alerts."""
        self.counter += count
        return [f"{number:06}" for number in range(self.counter - count, self.counter)]

    @property
    def connected(self) -> bool:
        """Whether there is a stream."""
        return self.hub.wire is not None and self.node.link.state == "connected"

    @rule(lane=LANES, count=st.integers(1, 4), settle=st.booleans())
    def spool_some(self, lane: Lane.ValueType, count: int, *, settle: bool = False) -> None:
        """Spool one batch."""
        messages = self.fresh(count)
        self.appended[lane] += messages
        self.node.append(lane, messages)
        if settle:
            self.loop.let(0.1)

    @rule(lane=LANES, before=st.integers(0, 2), behind=st.integers(0, 2))
    def spool_a_bad_one(self, lane: Lane.ValueType, before: int, behind: int) -> None:
        """Spool a batch with an alert that the hub will not take."""
        bad = f"{self.counter + before:06}"
        self.hub.bad.add(bad)
        self.spool_some(lane, before + 1 + behind)

    @rule(seconds=st.sampled_from([0.01, 0.3, 5.0, 45.0, 400.0]))
    def let_time_pass(self, seconds: float) -> None:
        """Let everybody do what there is to do."""
        self.loop.let(seconds)

    @rule()
    def connect(self) -> None:
        """Let the hub be there for long enough."""
        self.hub.up = True
        self.loop.let(65.0)

    @precondition(lambda self: self.connected)
    @rule(count=st.integers(1, 12))
    def commit(self, count: int) -> None:
        """Commit and acknowledge some of what the hub holds."""
        self.hub.commit_some(count)
        self.loop.let(0.1)

    @precondition(lambda self: self.connected)
    @rule(window=st.sampled_from([(0, 0), (0, 1), (0, 3), (40, 8)]), back=st.booleans())
    def pace(self, window: tuple[int, int], *, back: bool) -> None:
        """Ask for another window, or for none, while there is something to send; for good or for a while."""
        for asked in (window, (0, 64))[: 1 + back]:
            assert self.hub.wire is not None
            pace = Pace(window_bytes=asked[0], window_batches=asked[1], reason="because")
            self.hub.wire.give(HubMessage(pace=pace))
            self.spool_some(Lane.LANE_NORMAL, 1)
            self.spool_some(Lane.LANE_URGENT, 1)
            self.hub.commit_some(2)
            self.loop.let(1.0)
            if self.hub.wire is None:
                return

    @precondition(lambda self: self.connected)
    @rule(
        how=st.sampled_from(
            ["commit", "freeze", "leave", "stop", "UNAVAILABLE", "OK", "CANCELLED", "INTERNAL"]
        ),
        count=st.integers(0, 12),
    )
    def break_off(self, how: str, count: int) -> None:
        """End the stream, one way or another; what the hub held may be on its disk all the same."""
        hub, wire = self.hub, self.hub.wire
        assert wire is not None
        if how == "commit":
            hub.commit_some(count, tell=False)
        elif how == "freeze":  # and after some seconds gRPC notices
            wire.swallowed = True
            self.spool_some(Lane.LANE_URGENT, 1, settle=True)
            self.loop.let(15.0)
        elif how == "leave":
            wire.give(HubMessage(going_away=GoingAway(reason="restart", retry_after_seconds=float(count))))
            self.loop.let(0.1)
        hub.up = how != "stop"
        hub.end(how if how.isupper() else "UNAVAILABLE")

    @rule()
    def kill_the_node(self) -> None:
        """Kill the agent and start it again."""
        self.node.stop()
        self.hub.end()
        self.node = Node(self.loop, self.hub, self.node.folder, self.buried)

    @rule(lane=LANES, ahead=st.integers(0, 5), check=st.binary(min_size=8, max_size=8))
    def forge_a_mark(self, lane: Lane.ValueType, ahead: int, check: bytes) -> None:
        """Have what this spool never gave: it is an old copy of itself."""
        books = self.hub.books.get(self.node.spool.epoch)
        if books is not None and not self.hub.pending:
            books.marks[lane] = books.marks.get(lane, 0) + ahead
            books.checks[lane] = check
            self.hub.end()

    @precondition(lambda self: self.counter)
    @rule(lane=LANES, prompt=st.booleans())
    def clone(self, lane: Lane.ValueType, prompt: bool) -> None:  # noqa: FBT001 - a rule's draw
        """Copy the machine and let the copy run for a while: two with one identity and one spool."""
        self.node.stop()
        copy = self.root / f"copy-{self.counter}"
        shutil.copytree(self.node.folder, copy)
        was, self.hub.prompt = self.hub.prompt, prompt
        self.node = Node(self.loop, self.hub, self.node.folder, self.buried)
        twin = Node(self.loop, self.hub, copy, self.buried)
        messages = self.fresh(1)
        twin.append(lane, messages)
        self.loop.let(120.0)
        self.hub.up = True
        self.hub.prompt = was
        twin.stop()
        self.hub.end()

    @invariant()
    def nothing_is_sent_that_may_not_be(self) -> None:
        """Keep to the contract."""
        assert self.hub.breaches == []

    @invariant()
    def each_lane_comes_in_order_and_once_in_an_epoch(self) -> None:
        """Keep the order; what comes again comes in another epoch."""
        for lane, own in self.appended.items():
            mine = set(own)
            came = list(dict.fromkeys(text for _, at, text in self.hub.stored if at == lane and text in mine))
            assert came == sorted(came)
        twice = [each for each, count in Counter(self.hub.stored).items() if count > 1]
        assert twice == []

    def teardown(self) -> None:
        """Let all be well: then everything arrives, or lies where a person finds it."""
        try:
            if hasattr(self, "node"):
                self.heal()
        finally:
            if hasattr(self, "node"):
                self.node.stop()
            self.loop.close()
            shutil.rmtree(self.root)

    def heal(self) -> None:
        """Let all be well and wait until nothing waits."""
        hub = self.hub
        hub.up = hub.prompt = True
        hub.end()
        begun = self.loop.time()
        while self.node.spool.depth.entries:
            assert self.loop.time() - begun < LONGEST, "the spool is never empty"
            self.loop.let(60.0)
        self.nothing_is_sent_that_may_not_be()
        self.each_lane_comes_in_order_and_once_in_an_epoch()
        stored = {text for _, _, text in hub.stored}
        for own in self.appended.values():
            assert set(own) <= stored | set(self.buried)
        assert set(self.buried) <= hub.bad
        assert not stored & hub.bad


TestUplinkStates = UplinkStates.TestCase
TestUplinkStates.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)

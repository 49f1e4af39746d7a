"""One connection against a real hub's stream over real mutual TLS: what is sent, and what is heard."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from artemis_agent import redial, shelf, stream, window
from artemis_agent.link import Link
from artemis_agent.outcome import Lost, Outcome, Rejected
from artemis_agent.spool import Spool, SpoolWriteError, open_spool
from artemis_agent.stream import Cargo, Stream
from artemis_agent.wire import dial
from socme import backoff
from socme.v1.uplink_pb2 import Ack, AlertBatch, HubMessage, Lane, Pace, Refusal, Welcome
from socme.v1.vitals_pb2 import Vitals
from tests.artemis_agent.hub import LIMIT, Hub, alerts_of, dropped_of, serving
from tests.artemis_agent.line import at, running, spool_batches, spool_together, until
from tests.certificates import Authority, make_authority

URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once: how long the pauses are is socme.backoff's and redial's, and tested there."""
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(backoff, "LEAST", 0.01)
    monkeypatch.setattr(redial, "SPREAD", 0.02)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_spool(tmp_path / "state", max_bytes=1 << 30)
    yield made
    await made.close()


async def test_batches_arrive_once_in_order_and_are_forgotten(spool: Spool, authority: Authority) -> None:
    """What was spooled before and during the connection arrives; acknowledged, it leaves the disk."""
    hub = Hub()
    await spool_batches(spool, "a", "b")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await hub.until(lambda: len(hub.batches) == 2)
        await spool_batches(spool, "c")
        await hub.until(lambda: len(hub.batches) == 3)
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

        assert hub.messages == ["a", "b", "c"]
        assert hub.sequences == [1, 2, 3]
        assert [batch.alerts_before for batch in hub.batches] == [0, 1, 2]
        assert spool.acknowledged == 3
        assert line.link.live
        assert line.link.last_acknowledgement is not None


async def test_hello_says_who_and_vitals_follow_at_once(spool: Spool, authority: Authority) -> None:
    """The hub learns the epoch, and hears of the node before the first interval is over."""
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=7.5) as line:
        await hub.until(lambda: bool(hub.vitals))

        assert hub.order[0] == "hello"
        assert hub.hellos[0].epoch == spool.epoch
        assert hub.hellos[0].vitals_interval_seconds == 8
        assert hub.vitals[0].hostname == "node"
        assert line.link.clock_offset_seconds is not None
        assert abs(line.link.clock_offset_seconds) < LIMIT


async def test_vitals_come_again(spool: Spool, authority: Authority) -> None:
    """One after each interval."""
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01):
        await hub.until(lambda: len(hub.vitals) >= 3)


async def test_vitals_come_at_once_when_there_is_news(spool: Spool, authority: Authority) -> None:
    """Each time once, however long the interval is."""
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=3600) as line:
        for number in range(1, 4):
            await hub.until(lambda number=number: len(hub.vitals) == number)  # type: ignore[misc]
            line.link.news.set()
        await hub.until(lambda: len(hub.vitals) == 4)
        await asyncio.sleep(0.05)
        assert len(hub.vitals) == 4


async def test_urgent_batches_go_first(spool: Spool, authority: Authority) -> None:
    """All that waits, on a new connection; each lane in its own order."""
    await spool_batches(spool, *"abcdef")
    await spool_batches(spool, *"UVW", lane=URGENT)
    hub = Hub(window=(0, 2))
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 9)

    assert hub.messages == [*"UVW", *"abcdef"]


async def test_an_urgent_batch_finds_room_in_a_window_that_a_backlog_fills(
    spool: Spool, authority: Authority
) -> None:
    """The hub acknowledges nothing, and the urgent batch is there all the same."""
    await spool_batches(spool, *"abcdefgh")
    hub = Hub(window=(0, 4), acknowledge=lambda _: 0)
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 3)
        await spool_batches(spool, "U", lane=URGENT)
        await hub.until(lambda: len(hub.batches) == 4)

    assert hub.messages == ["a", "b", "c", "U"]


async def test_window_in_batches(spool: Spool, authority: Authority) -> None:
    """Never more unacknowledged batches than the hub asked for; a cumulative acknowledgement frees all."""
    hub = Hub(acknowledge=lambda _: 0, window=(0, 2))
    await spool_batches(spool, *"ghijkl", lane=URGENT)
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01):
        await hub.until(lambda: len(hub.batches) == 2)
        seen = len(hub.vitals)
        await hub.until(lambda: len(hub.vitals) >= seen + 5)  # the stream is alive, and still no third
        assert len(hub.batches) == 2
        await hub.ack(2, URGENT)
        await hub.until(lambda: len(hub.batches) == 4)

        assert hub.messages == ["g", "h", "i", "j"]


async def test_the_window_of_the_hub_in_bytes_is_kept(spool: Spool, authority: Authority) -> None:
    """Three batches fit; the test hub counts, and a fourth would be a breach."""
    texts = [random.Random(number).randbytes(100).hex() for number in range(12)]
    await spool_batches(spool, *texts, lane=URGENT)
    size = 3 * len((await spool.next({}))[0].packed.payload) + 20
    hub = Hub(window=(size, 0), acknowledge=lambda batch: batch.sequence if batch.sequence % 3 == 0 else 0)
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 12)

    assert hub.messages == texts


async def test_a_hub_that_asks_to_wait_gets_nothing_until_it_says_so(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vitals go on, what is on its way may stay so for long, and the status says why."""
    monkeypatch.setattr(stream, "ACK_SECONDS", 0.1)
    hub = Hub(acknowledge=lambda _: 0, window=(0, 4))
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01) as line:
        await hub.until(lambda: len(hub.batches) == 1)
        await hub.pace(0, 0, "the hub's disk is full\x1b[2J")
        await until(lambda: line.link.paused, "the pace is known")
        assert line.link.slowed == "the hub's disk is full\N{REPLACEMENT CHARACTER}[2J"
        assert line.link.state == "connected"
        assert not line.link.live
        await spool_batches(spool, "b", "c")
        await spool_batches(spool, "U", lane=URGENT)
        seen = len(hub.vitals)
        await hub.until(lambda: len(hub.vitals) >= seen + 20)
        assert hub.messages == ["a"]

        await hub.ack(1)
        await hub.pace(0, 1)
        await hub.until(lambda: len(hub.batches) == 2)
        hub.acknowledge = lambda batch: batch.sequence
        await hub.ack(1, URGENT)
        await hub.until(lambda: len(hub.batches) == 4)

        assert hub.messages == ["a", "U", "b", "c"]
        assert len(hub.hellos) == 1
        assert line.link.live
        assert line.link.slowed == ""


async def test_a_pace_ends_with_its_stream(spool: Spool, authority: Authority) -> None:
    """The next Welcome says what the next stream may."""
    hub = Hub(then=[HubMessage(pace=Pace(window_batches=0))])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01) as line:
        await until(lambda: line.link.slowed == "the hub asks to wait", "the pace is known")
        hub.then = []
        hub.closing.set()
        await hub.until(lambda: len(hub.hellos) == 2)
        hub.closing.clear()
        await hub.until(lambda: hub.messages == ["a"])

        assert not line.link.paused


async def outcome_of(spool: Spool, authority: Authority, hub: Hub) -> Outcome:
    """Run one stream to its end."""

    async def vitals() -> Vitals:
        return Vitals()

    async def bury(_payload: bytes, _reason: str) -> None:
        raise AssertionError("nothing is bad")

    cargo = Cargo(spool=spool, link=Link(), vitals=vitals, interval_seconds=0.02, bury=bury)
    async with serving(hub, authority) as port:
        node = at(authority, port)
        async with dial(node.hub_address, node) as wire:
            return await Stream(cargo, wire).run()


@pytest.mark.parametrize(("takes", "steady"), [(True, True), (False, False)])
async def test_a_stream_was_of_use_if_the_hub_took_something(
    spool: Spool, authority: Authority, *, takes: bool, steady: bool
) -> None:
    """Then the pauses begin small again."""
    hub = Hub(acknowledge=lambda batch: batch.sequence if takes else 0)
    hub.reject = lambda batch: "full" if batch.sequence == 2 else ""
    await spool_batches(spool, "a", "b")
    outcome = await outcome_of(spool, authority, hub)

    assert outcome == Rejected(spool.epoch, NORMAL, 2, "full", useful=steady)


async def test_a_stream_that_lasted_was_of_use(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if there was nothing to send."""
    monkeypatch.setattr(stream, "STEADY_SECONDS", 0.05)
    hub = Hub(acknowledge=lambda _: 0)

    async def close_later() -> None:
        await hub.until(lambda: len(hub.vitals) >= 10)
        hub.closing.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(close_later())
        outcome = await outcome_of(spool, authority, hub)

    assert outcome == Lost(outcome.reason, steady=True)


def refuses(*bad: str) -> Callable[[AlertBatch], str]:
    """Return a hub's judgement that refuses every batch which holds one of these alerts."""

    def judge(batch: AlertBatch) -> str:
        return "not this one\x1b" if any(alert.message in bad for alert in alerts_of(batch)) else ""

    return judge


def taken(hub: Hub) -> list[str]:
    """Return the messages of all alerts that the hub took, in order of arrival."""
    return [alert.message for batch in hub.batches if not hub.reject(batch) for alert in alerts_of(batch)]


async def test_only_the_alert_that_the_hub_refuses_stays_behind(spool: Spool, authority: Authority) -> None:
    """Its batch is split, it is kept for a person and told to the hub, and the rest flows in its order."""
    hub = Hub(reject=refuses("bad"))
    await spool_together(spool, "a", "b")
    await spool_together(spool, "c", "bad", "d")
    await spool_together(spool, "e")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

        told = "not this one\N{REPLACEMENT CHARACTER}"
        assert line.buried == [("bad", told)]
        assert line.link.rejected is None
        assert await spool.dropped() == {"refused": 1}
    assert sorted(set(taken(hub))) == ["a", "b", "c", "d", "e"]
    (dropped,) = [dropped for batch in hub.batches if (dropped := dropped_of(batch)) is not None]
    assert (dropped.alerts, dropped.reason) == (1, "refused")


async def test_the_other_lane_flows_while_a_batch_is_split(spool: Spool, authority: Authority) -> None:
    """Both of an urgent batch and of a normal one, one after the other."""
    hub = Hub(reject=refuses("bad", "worse"))
    await spool_together(spool, "a", "bad")
    await spool_together(spool, "worse", "U", lane=URGENT)
    await spool_batches(spool, "V", lane=URGENT)
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

        assert [message for message, _ in line.buried] == ["worse", "bad"]
    assert sorted(set(taken(hub))) == ["U", "V", "a"]


async def test_a_refusal_of_what_was_not_sent_costs_nothing(spool: Spool, authority: Authority) -> None:
    """A hub that errs so is dialled again, and no alert is given up."""
    hub = Hub(then=[HubMessage(refusal=Refusal(lane=NORMAL, sequence=7, reason="no"))])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: "was not sent" in line.link.last_error, "the reason")
        assert line.link.rejected is None
        hub.then = []
        await hub.until(lambda: hub.messages[-1:] == ["a"])

        assert line.buried == []


@pytest.mark.parametrize("full", [False, True])
async def test_a_refused_batch_that_the_hub_has_after_all_is_let_be(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """It said no, and then its mark covers it: nothing is split, given up or sent again.

    Neither where the disk is too full to forget it at once.
    """
    trim = Spool.trim
    hub, refuse = Hub(), refuses("a")

    def keep_and_refuse(batch: AlertBatch) -> str:
        if refuse(batch):
            hub.own.commit(batch)
        return refuse(batch)

    hub.reject = keep_and_refuse
    await spool_together(spool, "a", "b")
    if full:
        monkeypatch.setattr(Spool, "trim", lambda _: asyncio.sleep(0))
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await hub.until(lambda: len(hub.hellos) == 2)
        await until(lambda: line.link.live, "the mark is followed")
        await spool_together(spool, "c")
        await hub.until(lambda: hub.messages[-1:] == ["c"])
        monkeypatch.setattr(Spool, "trim", trim)
        await until(lambda: spool.depth.entries == 0, "all is forgotten")

        assert line.buried == []
        assert hub.sequences == [1, 2]
        assert line.link.rejected is None


async def test_a_refusal_does_not_outlive_its_epoch(spool: Spool, authority: Authority) -> None:
    """The number stands for another batch by then, which is sent and found bad or good by itself."""
    hub = Hub(reject=refuses("bad"))
    await spool_together(spool, "bad")
    await spool_together(spool, "good")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: line.link.rejected is not None, "the refusal")
        hub.reject = refuses()
        hub.own.marks[URGENT] = 40
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

        assert line.buried == []
        assert len({hello.epoch for hello in hub.hellos}) == 2


async def test_what_was_given_up_is_told_in_its_place(spool: Spool, authority: Authority) -> None:
    """A tombstone goes the way of a batch, and the count of alerts goes on behind it."""
    await spool_together(spool, "a", "b")
    await spool_together(spool, "c")
    await spool.give_up(NORMAL, 1, "refused")
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

    assert [batch.alerts for batch in hub.batches] == [0, 1]
    assert [batch.alerts_before for batch in hub.batches] == [0, 2]


async def test_a_row_that_is_gone_shows_in_the_count(tmp_path: Path, authority: Authority) -> None:
    """Somebody deleted a batch by hand: the hub is told of more alerts than it ever got."""
    made = open_spool(tmp_path, max_bytes=1 << 30)
    for messages in (["a"], ["b", "c"], ["d"]):
        await spool_together(made, *messages)
    delete = "DELETE FROM entry WHERE position = (SELECT min(position) FROM entry)"
    await made.worker.do(lambda: made._journal._db.execute(delete))
    hub = Hub()
    async with serving(hub, authority) as port, running(made, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 2)
    await made.close()

    assert [(batch.sequence, batch.alerts_before) for batch in hub.batches] == [(2, 1), (3, 3)]


async def test_a_message_of_a_newer_hub_is_ignored(spool: Spool, authority: Authority) -> None:
    """Kinds, fields and lanes that this node does not know, before, in and after Welcome, change nothing."""
    field = b"\xa2\x06\x03abc"  # 100, length-delimited
    unknown = HubMessage.FromString(field)
    assert unknown.WhichOneof("message") is None
    lane: Any = 9
    ack = Ack.FromString(Ack(lane=lane, sequence=99).SerializeToString() + field)
    hub = Hub(first=[unknown], then=[unknown, HubMessage(ack=ack)])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: bool(hub.batches))
        await until(lambda: spool.depth.entries == 0, "the acknowledgement was understood")

    assert len(hub.hellos) == 1


async def test_a_quiet_hub_is_left_alone(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was sent there is nothing to acknowledge."""
    monkeypatch.setattr(stream, "ACK_SECONDS", 0.01)
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.02):
        await hub.until(lambda: len(hub.vitals) >= 5)

    assert len(hub.hellos) == 1


@pytest.mark.parametrize(("lane", "sequence"), [(1, 2**40), (1, 2**64 - 1), (7, 2**64 - 1), (-5, 1)])
async def test_what_never_left_is_not_forgotten(
    spool: Spool, authority: Authority, lane: int, sequence: int
) -> None:
    """A hub that acknowledges more than it was given loses nothing, and does not end the agent."""
    wrong = HubMessage(ack=Ack(lane=cast("Lane.ValueType", lane), sequence=sequence))
    hub = Hub(then=[wrong], acknowledge=lambda _: 0, window=(1, 1))
    await spool_batches(spool, "a", "b", "c")
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.02):
        await hub.until(lambda: len(hub.vitals) >= 5 and bool(hub.batches))
        await spool.trim()

        assert spool.depth.entries >= 2
        hub.breaches.clear()  # it said itself that it has one, and counts it as on its way


@pytest.mark.parametrize("time", [Timestamp(seconds=2**62), Timestamp(nanos=-5)])
async def test_nonsense_in_a_welcome_ends_nothing(
    spool: Spool, authority: Authority, time: Timestamp
) -> None:
    welcome = Welcome(time=time, window_bytes=2**64 - 1, window_batches=2**32 - 1)
    hub = Hub(first=[HubMessage(welcome=welcome)])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await hub.until(lambda: len(hub.batches) == 1)

        assert line.link.clock_offset_seconds is None


async def test_a_spool_that_cannot_be_written_is_told(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk where there is a mark to write down: the connection waits for it, the agent lives."""
    hub = Hub()
    await spool_batches(spool, "a")
    full = True

    async def follow(marks: object) -> bool:
        if full:
            raise SpoolWriteError("the disk is full")
        return True

    monkeypatch.setattr(Spool, "follow", lambda _, marks: follow(marks))
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: line.link.last_error == "the spool: the disk is full", "the reason")
        full = False
        await hub.until(lambda: hub.messages == ["a"])


def test_batches_on_their_way_are_never_given_up() -> None:
    """The spool keeps as many of each lane as a window may hold."""
    assert shelf.PROTECTED >= window.MOST_BATCHES


class Memory:
    """Alerts that people were told of; a mail may be on its way."""

    def __init__(self, *ids: bytes) -> None:
        self.ids = list(ids)
        self.mailing = asyncio.Lock()

    async def since(self, known: int) -> tuple[int, list[bytes]]:
        """Return those behind the first few."""
        async with self.mailing:
            return len(self.ids), self.ids[known:]


async def test_what_people_were_told_of_is_said_before_any_batch_and_on_each_stream(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both lanes; many in several messages."""
    monkeypatch.setattr(stream, "MOST_TOLD", 2)
    memory = Memory(b"a", b"b", b"c")
    await spool_batches(spool, "u", lane=URGENT)
    await spool_batches(spool, "n")
    hub = Hub()
    async with serving(hub, authority) as port:
        line_at = at(authority, port)
        async with running(spool, line_at, told_since=memory.since):
            await hub.until(lambda: len(hub.batches) == 2)
        assert [kind for kind in hub.order if kind != "vitals"] == ["hello", "told", "told", "batch", "batch"]
        assert [list(each.alerts) for each in hub.told] == [[b"a", b"b"], [b"c"]]
        hub.told.clear()
        await spool_batches(spool, "w")
        async with running(spool, line_at, told_since=memory.since):
            await hub.until(lambda: len(hub.batches) == 3)

    assert [list(each.alerts) for each in hub.told] == [[b"a", b"b"], [b"c"]]


async def test_what_people_were_told_of_meanwhile_is_said_before_the_next_batch(
    spool: Spool, authority: Authority
) -> None:
    memory = Memory(b"a")
    await spool_batches(spool, "u", "v", lane=URGENT)
    hub = Hub(window=(0, 1), acknowledge=lambda _: 0)
    async with serving(hub, authority) as port, running(spool, at(authority, port), told_since=memory.since):
        await hub.until(lambda: len(hub.batches) == 1)
        memory.ids.append(b"b")
        await hub.ack(1, URGENT)
        await hub.until(lambda: len(hub.batches) == 2)

    assert [kind for kind in hub.order if kind != "vitals"] == ["hello", "told", "batch", "told", "batch"]
    assert [list(each.alerts) for each in hub.told] == [[b"a"], [b"b"]]


async def test_no_batch_leaves_while_a_mail_is_on_its_way(spool: Spool, authority: Authority) -> None:
    memory = Memory()
    await spool_batches(spool, "u", lane=URGENT)
    hub = Hub()
    await memory.mailing.acquire()
    async with serving(hub, authority) as port, running(spool, at(authority, port), told_since=memory.since):
        await hub.until(lambda: bool(hub.vitals))
        assert not hub.batches
        memory.ids.append(b"a")
        memory.mailing.release()
        await hub.until(lambda: bool(hub.batches))

    assert [kind for kind in hub.order if kind != "vitals"] == ["hello", "told", "batch"]

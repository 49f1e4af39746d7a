"""The Uplink service over real mTLS: what is taken, what is acknowledged, and who is shown the door."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import grpc
import pytest

from socme.batch import pack, unpack
from socme.journal import Journal
from socme.v1.uplink_pb2 import AlertBatch, Dropped, Encoding, Hello, Lane, NodeMessage, Told
from socme.v1.uplink_pb2_grpc import UplinkStub
from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub.kit import EPOCH, Link, alert, connect, eventually, give, hub, ids, linked, message
from zeus_hub import commit, envelope, ingest, pace
from zeus_hub.accounts import Account
from zeus_hub.authorise import Guard
from zeus_hub.clocks import Clocks
from zeus_hub.commit import Committer
from zeus_hub.fleet import LARGEST_VITALS, Fleet
from zeus_hub.heartbeat import EVERY_SECONDS
from zeus_hub.ingest import Ingest
from zeus_hub.journalist import Journalist
from zeus_hub.ledger import balances

Clock = Callable[[], datetime]


async def test_alerts_are_on_disk_when_acknowledged_and_in_the_store_soon_after(tmp_path: Path) -> None:
    alerts = [alert(number) for number in range(3)]
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.batch(1, alerts)
        await link.until_acked(1)
        journal = Journal(zeus.journal)
        (entry,) = journal.read(0, entries=10, size=10**9)
        journal.close()

        assert entry.origin == "acme/acme-1"
        assert entry.packed.alerts == 3
        await eventually(lambda: zeus.stored() == ids(alerts))


async def test_a_batch_that_comes_again_is_acknowledged_and_not_taken_twice(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        await give(zeus, node, [alert(1)])
        async with linked(zeus.address, node) as link:
            assert [(mark.lane, mark.sequence) for mark in link.welcome.marks] == [(Lane.LANE_NORMAL, 1)]
            await link.batch(1, [alert(1)])
            await link.batch(2, [alert(2)])
            await link.until_acked(2)
        await eventually(lambda: len(zeus.stored()) == 2)

        assert _entries(zeus.journal) == [1, 2]


async def test_marks_outlive_the_hub(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, [alert(1)])
            await link.batch(1, [alert(2)], lane=Lane.LANE_URGENT)
            await link.until_acked(1)
            await link.until_acked(1, Lane.LANE_URGENT)
    async with hub(tmp_path) as zeus, linked(zeus.address, node) as link:
        marks = {mark.lane: mark.sequence for mark in link.welcome.marks}

        assert marks == {Lane.LANE_NORMAL: 1, Lane.LANE_URGENT: 1}


async def test_a_new_spool_starts_anew_and_its_alerts_are_still_stored_once(tmp_path: Path) -> None:
    """A spool was lost and the files were read again: new epoch, same ids."""
    alerts = [alert(number) for number in range(5)]
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        for epoch in (EPOCH, b"f" * 16):
            async with linked(zeus.address, node, epoch) as link:
                assert not link.welcome.marks
                await link.batch(1, alerts)
                await link.until_acked(1)
        await give(zeus, node, [*alerts, alert(5)], b"g" * 16)
        await eventually(lambda: len(zeus.stored()) == 6)


async def test_the_same_alert_of_two_nodes_is_two_alerts(tmp_path: Path) -> None:
    """No node can keep another's alert out of the store by sending its id first."""
    async with hub(tmp_path) as zeus:
        for client in ("acme", "beta"):
            await give(zeus, await zeus.node(client, "n1"), [alert(1)])
        await eventually(lambda: zeus.stored() == [alert(1).id] * 2)


async def test_a_gap_is_taken_and_a_lane_nobody_knows_keeps_its_number(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(500, [alert(1)], lane=9)
            await link.until_acked(500, 9)
        async with linked(zeus.address, node) as link:
            assert [(mark.lane, mark.sequence) for mark in link.welcome.marks] == [(9, 500)]


async def test_what_a_newer_node_says_beyond_our_knowledge_is_ignored(tmp_path: Path) -> None:
    """Fields, a kind of message and values of enums that this hub does not know."""
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        unknown = b"\xfa\x07\x03abc"  # field 127
        await link.send(NodeMessage.FromString(unknown))
        await link.send(NodeMessage(vitals=Vitals.FromString(unknown)))
        newer = alert(1)
        newer.severity = newer.source = newer.action = 42  # type: ignore[assignment]
        batch = message(1, pack([newer.SerializeToString() + unknown]))
        await link.send(NodeMessage.FromString(NodeMessage(batch=batch).SerializeToString() + unknown))
        await link.until_acked(1)
        await eventually(lambda: zeus.stored() == [alert(1).id])


async def test_what_a_node_told_people_itself_stands_before_its_batches_and_once(tmp_path: Path) -> None:
    """A hub that stops at any time has the report where it has the alerts; said again, it is one alert."""
    alerts = [alert(1), alert(2)]
    told = NodeMessage(told=Told(alerts=ids(alerts)))
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        for _ in range(2):
            async with linked(zeus.address, node) as link:
                await link.send(told)
                await link.send(told)
                await link.batch(1, alerts)
                await link.until_acked(1) if not link.welcome.marks else None
        await eventually(lambda: len(zeus.stored()) == 3)
        await eventually(lambda: all(not each.waiting for each in balances(zeus.engine, zeus.journal)))
        assert [each.unaccounted for each in balances(zeus.engine, zeus.journal)] == [0]
        with closing(Journal(zeus.journal)) as journal:
            first, *others = (unpack(entry.packed) for entry in journal.read(0, entries=10, size=10**9))

    assert list(first[0].told) == ids(alerts)
    assert first[0].message.startswith("acme/acme-1: mailed 2 alerts")
    assert ids(alerts) in [ids(each) for each in others]
    assert {each[0].id for each in others if each[0].told} == {first[0].id}


@pytest.mark.parametrize("told", [Told(), Told(alerts=[b"short"])])
async def test_what_a_node_says_of_no_alert_ends_the_stream(tmp_path: Path, told: Told) -> None:
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.send(NodeMessage(told=told))

        assert (await link.failure()).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_newest_stream_of_a_node_wins(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as old, linked(zeus.address, node) as new:
            error = await old.failure()
            await new.batch(1, [alert(1)])
            await new.until_acked(1)

            assert error.code() is grpc.StatusCode.ABORTED
            assert "two machines" in str(error.details())


async def test_a_node_that_says_its_last_gets_all_its_acknowledgements(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        for sequence in range(1, 31):
            await link.batch(sequence, [alert(sequence)])
        await link.call.done_writing()
        await link.until_acked(30)

        assert await link.call.read() is grpc.aio.EOF
        assert await link.call.code() is grpc.StatusCode.OK


async def test_many_nodes_at_once_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    async def send(client: str) -> None:
        async with linked(zeus.address, nodes[client]) as link:
            for sequence in range(1, 21):
                await link.batch(sequence, [alert(sequence * 100 + index) for index in range(5)])
            await link.until_acked(20)

    async with hub(tmp_path) as zeus:
        nodes = {name: await zeus.node(name, "n1") for name in ("a", "b", "c", "d")}
        async with asyncio.TaskGroup() as group:
            for name in nodes:
                group.create_task(send(name))
        await eventually(lambda: len(zeus.stored()) == 4 * 100)


async def test_the_hub_says_when_it_goes_away(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        context = connect(zeus.address, await zeus.node())
        link = Link(await context.__aenter__())
        await link.greet()
    farewell = await link.read()
    await context.__aexit__(None, None, None)

    assert farewell.going_away.reason == "restart"
    assert farewell.going_away.retry_after_seconds > 0


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (NodeMessage(vitals=Vitals()), "must be a Hello"),
        (NodeMessage(), "must be a Hello"),
        (NodeMessage(hello=Hello(epoch=b"short")), "16 bytes"),
        (NodeMessage(hello=Hello(epoch=EPOCH, instance=b"short")), "16 bytes"),
    ],
)
async def test_a_stream_begins_with_a_hello(tmp_path: Path, first: NodeMessage, words: str) -> None:
    async with hub(tmp_path) as zeus, connect(zeus.address, await zeus.node()) as channel:
        link = Link(channel)
        await link.send(first)
        error = await link.failure()

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in str(error.details())


async def test_a_stream_that_stays_silent_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HELLO_SECONDS", 0.1)
    async with hub(tmp_path) as zeus, connect(zeus.address, await zeus.node()) as channel:
        call = UplinkStub(channel).Connect()
        async with asyncio.timeout(5):
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_batch_over_a_bound_is_refused_by_its_number_behind_all_before_it(tmp_path: Path) -> None:
    """The node can split it; what it sent before is on disk, and what it sent behind is not taken."""
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, [alert(1)])
            await link.batch(2, [alert(2)])
            too_large = message(3, pack([alert(3).SerializeToString()]))
            too_large.alerts = envelope.MOST_ALERTS + 1
            await link.send(NodeMessage(batch=too_large))
            await link.batch(4, [alert(4)])
            await link.until_acked(2)
            refusal = (await link.read()).refusal

            assert (refusal.lane, refusal.sequence) == (Lane.LANE_NORMAL, 3)
            assert "too large" in refusal.reason
            assert await link.call.read() is grpc.aio.EOF
            assert await link.call.code() is grpc.StatusCode.OK
        async with linked(zeus.address, node) as link:
            assert [mark.sequence for mark in link.welcome.marks] == [2]


async def test_a_refusal_disturbs_no_other_node(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        bad, good = await zeus.node(), await zeus.node("beta", "n1")
        async with linked(zeus.address, bad) as one, linked(zeus.address, good) as other:
            for sequence in range(1, 11):
                await other.batch(sequence, [alert(sequence)])
                if sequence == 5:
                    await one.send(NodeMessage(batch=AlertBatch(lane=Lane.LANE_NORMAL, sequence=1)))
                    await one.failure()
            await other.until_acked(10)


async def test_an_unknown_encoding_ends_the_stream_with_the_reason(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.send(NodeMessage(batch=AlertBatch(lane=Lane.LANE_NORMAL, sequence=1)))
        error = await link.failure()

        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "update the hub" in str(error.details())


async def test_a_lane_that_cannot_be_ends_the_stream(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.batch(1, [alert(1)], lane=16)
        error = await link.failure()

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_a_node_gave_up_is_acknowledged_and_kept_in_its_account(tmp_path: Path) -> None:
    dropped = Dropped(first_sequence=2, alerts=7, reason="age").SerializeToString()
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, [alert(1)])
            batch = AlertBatch(lane=Lane.LANE_NORMAL, sequence=4, encoding=Encoding.ENCODING_DROPPED)
            batch.payload, batch.alerts_before = dropped, 1
            await link.send(NodeMessage(batch=batch))
            await link.until_acked(4)
        async with linked(zeus.address, node) as link:
            (mark,) = link.welcome.marks

            assert (mark.sequence, mark.check) == (4, blake2b(dropped).digest()[:8])
    journalist = Journalist(zeus.journal, 10**9)
    assert journalist.accounts() == {"acme/acme-1": Account(taken=1, given_up={"age": 7})}
    journalist.close()


async def test_an_instance_that_comes_back_is_suspected_to_be_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _made(monkeypatch)
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        for instance in (b"a" * 16, b"b" * 16, b"a" * 16):
            assert made[0].clones() == {}
            async with connect(zeus.address, node) as channel:
                hello = Hello(epoch=EPOCH, instance=instance)
                hello.time.GetCurrentTime()
                link = Link(channel)
                await link.send(NodeMessage(hello=hello))
                await link.read()

        assert "both from 127.0.0.1" in made[0].clones()["acme", "acme-1"]


async def test_nodes_are_told_to_stop_while_the_journal_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are connected and those that come meanwhile; then they go on, and nothing is lost."""
    monkeypatch.setattr("socme.journal_file.BUSY_SECONDS", 0.01)
    monkeypatch.setattr(commit, "LONGEST_PAUSE", 0.5)
    async with hub(tmp_path) as zeus:
        node, other = await zeus.node(), await zeus.node("beta", "n1")
        async with linked(zeus.address, node) as link, connect(zeus.address, other) as channel:
            blocker = sqlite3.connect(zeus.journal, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            await link.batch(1, [alert(1)])
            stop = (await link.read()).pace
            late = Link(channel)
            await late.greet()
            told = (await late.read()).pace
            blocker.execute("ROLLBACK")
            blocker.close()
            messages = [await link.read(), await link.read()]
            again = (await late.read()).pace

            assert {message.WhichOneof("message") for message in messages} == {"pace", "ack"}
            assert (stop.window_batches, stop.window_bytes) == (0, 0)
            assert "locked" in stop.reason
            assert told == stop
            assert (again.window_batches, again.reason) == (pace.FULL.batches, "")


async def test_a_node_that_floods_vitals_costs_little_and_its_newest_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    times: list[float] = []
    real = Fleet.reported

    def counting(self: Fleet, key: tuple[str, str], vitals: Vitals) -> bool:
        taken.append(vitals.hostname)
        times.append(time.monotonic())
        return real(self, key, vitals)

    monkeypatch.setattr(Fleet, "reported", counting)
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        for number in range(40):
            await link.vitals(Vitals(hostname=f"host {number}"))
        await link.batch(1, [alert(1)])
        await link.until_acked(1)
        await eventually(lambda: taken[-1:] == ["host 39"])

    assert taken[0] == "host 0", "the first wait for nothing"
    assert len(taken) <= 3
    assert all(later - earlier > 0.9 * EVERY_SECONDS for earlier, later in pairwise(times))


@pytest.mark.parametrize("before", [[], ["box"]], ids=["at once", "held back"])
async def test_a_fault_in_taking_vitals_is_seen_and_ends_that_stream_alone(
    before: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = Fleet.reported

    def failing(self: Fleet, key: tuple[str, str], vitals: Vitals) -> bool:
        if vitals.hostname == "odd":
            raise OverflowError("a fault of ours")
        return real(self, key, vitals)

    monkeypatch.setattr(Fleet, "reported", failing)
    made = _made(monkeypatch)
    async with hub(tmp_path) as zeus:
        bad, good = await zeus.node(), await zeus.node("beta", "n1")
        async with linked(zeus.address, bad) as one, linked(zeus.address, good) as other:
            for hostname in (*before, "odd"):
                await one.vitals(Vitals(hostname=hostname))
            error = await one.failure()
            await other.vitals(Vitals(hostname="box"))
            await other.batch(1, [alert(1)])
            await other.until_acked(1)

            assert error.code() is grpc.StatusCode.UNKNOWN
            assert list(made[0]._links) == [("beta", "n1")]
        async with linked(zeus.address, bad) as again:
            await again.batch(1, [alert(2)])
            await again.until_acked(1)

    assert "OverflowError: a fault of ours" in caplog.text


async def test_a_node_whose_last_words_cannot_be_taken_is_gone_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason is."""
    real = Fleet.reported

    def failing(self: Fleet, key: tuple[str, str], vitals: Vitals) -> bool:
        if vitals.hostname == "last words":
            raise OverflowError
        return real(self, key, vitals)

    monkeypatch.setattr(Fleet, "reported", failing)
    made = _made(monkeypatch)
    async with hub(tmp_path) as zeus:
        async with linked(zeus.address, await zeus.node()) as link:
            for hostname in ("box", "last words"):
                await link.vitals(Vitals(hostname=hostname))
            await link.batch(1, [alert(1)])
            await link.until_acked(1)
        await eventually(lambda: not made[0]._links)
        (seen,) = made[0]._fleet.nodes()

        assert not seen.node.connected


async def test_a_node_that_reads_nothing_disturbs_nobody(tmp_path: Path) -> None:
    """Its acknowledgements are merged, not queued; what it sends is bounded by flow control."""
    async with hub(tmp_path) as zeus:
        deaf, good = await zeus.node(), await zeus.node("beta", "n1")
        async with linked(zeus.address, deaf) as one, linked(zeus.address, good) as other:
            for sequence in range(1, 301):
                await one.batch(sequence, [alert(sequence)])
            await other.batch(1, [alert(1)])
            await other.until_acked(1)
            await eventually(lambda: len(zeus.stored()) == 301)


async def test_vitals_without_measure_end_the_stream(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.vitals(Vitals(hostname="x" * LARGEST_VITALS))
        error = await link.failure()

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def _entries(path: Path) -> list[int]:
    journal = Journal(path)
    found = [entry.sequence for entry in journal.read(0, entries=100, size=10**9)]
    journal.close()
    return found


def _made(monkeypatch: pytest.MonkeyPatch) -> list[Ingest]:
    """Return where the Ingest of the next hub will be found."""
    made: list[Ingest] = []
    real = Ingest.__init__

    def noting(self: Ingest, guard: Guard, committer: Committer, fleet: Fleet, clocks: Clocks) -> None:
        real(self, guard, committer, fleet, clocks)
        made.append(self)

    monkeypatch.setattr(Ingest, "__init__", noting)
    return made

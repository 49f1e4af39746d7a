"""What people do, followed over real mTLS: in order, each once, nobody else's, and soon."""

import asyncio
import itertools
import os
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from statistics import median

from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.watch_pb2 import Snapshot, TriageChange, TriageStatus, Verdict
from tests.zeus_hub.kit import LIMIT, Hub, Machine, alert, eventually, give, hub, linked
from tests.zeus_hub.test_watch import Eye, eye
from tests.zeus_hub.watched import Talk, Time, stored_conditions
from zeus_hub import registry, triage
from zeus_hub.alerts import Filters
from zeus_hub.triage import Ref

HIGH = Severity.SEVERITY_HIGH
NEW, ACKNOWLEDGED, CLOSED = (
    TriageStatus.TRIAGE_STATUS_NEW,
    TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED,
    TriageStatus.TRIAGE_STATUS_CLOSED,
)
BENIGN = Verdict.VERDICT_BENIGN
# Of half of what is done. The hub looks twice a second; three times as much is for a machine that is busy.
HEARD_SECONDS = 2.0


def refs(*numbers: int, place: str = "acme/acme-1") -> list[Ref]:
    client, node = place.split("/")
    return [Ref(client, node, alert(number).id) for number in numbers]


async def stored(zeus: Hub, machine: Machine, alerts: list[Alert]) -> None:
    """Let a node send alerts, and wait until they are stored."""
    before = len(zeus.stored())
    await give(zeus, machine, alerts)
    await eventually(lambda: len(zeus.stored()) == before + len(alerts))


async def changes(looking: Eye, count: int) -> list[TriageChange]:
    """Read on until so many changes have come."""
    found: list[TriageChange] = []
    while len(found) < count:
        found += (await looking.read()).triage.changes
    return found


def opened(snapshot: Snapshot) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    """Return what is open and fresh, by client and severity."""
    return {
        one.client: (
            {count.severity: count.alerts for count in one.open},
            {count.severity: count.alerts for count in one.fresh},
        )
        for one in snapshot.clients
    }


async def test_a_watcher_hears_within_two_seconds_of_what_was_done(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node(), [alert(1, HIGH), alert(2)])
        async with eye(zeus, zeus.operator()) as looking:
            assert opened((await looking.read()).snapshot)["acme"] == ({1: 1, 3: 1}, {1: 1, 3: 1})
            triage.acknowledge(zeus.engine, refs(1), by="ada", now=utc_now())
            (first,) = await changes(looking, 1)
            triage.close(zeus.engine, refs(1), BENIGN, "the admin", by="bob", now=utc_now())
            (second,) = await changes(looking, 1)
            took = [await _seconds_until_heard(zeus, looking, str(number)) for number in range(5)]

    assert median(took) < HEARD_SECONDS
    assert (first.client, first.node, first.id) == ("acme", "acme-1", alert(1).id)
    assert (first.severity, first.before, first.after.status) == (HIGH, NEW, ACKNOWLEDGED)
    assert first.after.owner == first.after.changed_by == "ada"
    assert (second.before, second.after.status, second.after.verdict) == (ACKNOWLEDGED, CLOSED, BENIGN)
    assert second.after.reason == "the admin"


async def _seconds_until_heard(zeus: Hub, looking: Eye, words: str) -> float:
    clock = asyncio.get_running_loop().time
    begun = clock()
    triage.comment(zeus.engine, refs(2), words, by="ada", now=utc_now())
    await changes(looking, 1)
    return clock() - begun


async def test_a_snapshot_knows_what_was_done_before(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node(), [alert(1, HIGH), alert(2)])
        registry.set_short_name(zeus.engine, "acme", "ACME")
        triage.acknowledge(zeus.engine, refs(1), by="ada", now=utc_now())
        triage.close(zeus.engine, refs(2), BENIGN, "the admin", by="ada", now=utc_now())
        async with eye(zeus, zeus.operator(), snapshot_alerts=10) as looking:
            snapshot = (await looking.read()).snapshot

    (client,) = snapshot.clients
    assert opened(snapshot)["acme"] == ({3: 1}, {})
    assert client.short_name == "ACME"
    assert (len(client.hours), client.hours[-1] + client.hours[-2]) == (24, 2)
    assert not client.HasField("usual")
    assert [one.triage.status for one in snapshot.alerts] == [ACKNOWLEDGED, CLOSED]
    assert len(snapshot.timeline) == 96
    counts: Counter[int] = Counter()
    for slot in snapshot.timeline:
        counts.update({one.severity: one.alerts for one in slot.alerts})
    assert counts == {1: 1, 3: 1}
    begins = [slot.begin.ToDatetime() for slot in snapshot.timeline]
    assert {later - sooner for sooner, later in itertools.pairwise(begins)} == {timedelta(minutes=15)}


async def test_tactics_are_in_the_snapshot_the_most_frequent_first(tmp_path: Path) -> None:
    made = [alert(number) for number in range(3)]
    made[0].threat.tactic_names.extend(["Discovery", "Execution"])
    made[1].threat.tactic_names.append("Execution")
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node("acme"), made)
        await stored(zeus, await zeus.node("beta", "beta-1"), [alert(9, threat={"tactic_names": ["Impact"]})])
        async with eye(zeus, zeus.operator()) as looking:
            everything = (await looking.read()).snapshot.tactics
        async with eye(zeus, zeus.operator(), clients=["acme"]) as looking:
            part = (await looking.read()).snapshot

    assert [(one.tactic, one.alerts) for one in everything] == [
        ("Execution", 2),
        ("Discovery", 1),
        ("Impact", 1),
    ]
    assert [(one.tactic, one.alerts) for one in part.tactics] == [("Execution", 2), ("Discovery", 1)]
    assert sum(one.alerts for slot in part.timeline for one in slot.alerts) == 3


async def test_a_screen_hears_of_its_clients_alone(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node("acme", "n1"), [alert(1)])
        await stored(zeus, await zeus.node("beta", "n1"), [alert(2), alert(3)])
        wall = await zeus.display(clients=frozenset({"acme"}))
        async with eye(zeus, wall) as looking:
            await looking.read()
            triage.acknowledge(zeus.engine, refs(2, 3, place="beta/n1"), by="ada", now=utc_now())
            triage.acknowledge(zeus.engine, refs(1, place="acme/n1"), by="ada", now=utc_now())
            found = await changes(looking, 1)

    assert [one.client for one in found] == ["acme"]


async def test_who_comes_back_with_a_cursor_hears_of_all_that_was_done_meanwhile(tmp_path: Path) -> None:
    """Over a restart of the hub as well, and of nothing twice."""
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node(), [alert(1), alert(2), alert(3)])
        await stored(zeus, await zeus.node("beta", "n1"), [alert(9)])
        wall = await zeus.display(clients=frozenset({"acme"}))
        async with eye(zeus, wall) as looking:
            await looking.read()
            triage.acknowledge(zeus.engine, refs(1), by="ada", now=utc_now())
            first = await changes(looking, 1)
            cursor = looking.cursor
        triage.acknowledge(zeus.engine, refs(9, place="beta/n1"), by="ada", now=utc_now())
        triage.acknowledge(zeus.engine, refs(2), by="ada", now=utc_now())
    async with hub(tmp_path) as zeus, eye(zeus, wall, cursor=cursor) as again:
        triage.acknowledge(zeus.engine, refs(3), by="ada", now=utc_now())
        found = await changes(again, 2)

    assert [one.id for one in first] == [alert(1).id]
    assert [one.id for one in found] == [alert(2).id, alert(3).id]


async def test_a_cursor_with_a_change_that_never_was_means_starting_over(tmp_path: Path) -> None:
    """As after the database was put back from a copy that is older than the journal."""
    async with hub(tmp_path) as zeus:
        async with eye(zeus, zeus.operator()) as looking:
            await looking.read()
        future = looking.cursor[:-8] + (1).to_bytes(8, "big")
        async with eye(zeus, zeus.operator(), cursor=future) as again:
            assert (await again.read()).WhichOneof("event") == "lagged"
            assert (await again.read()).WhichOneof("event") == "snapshot"


async def test_very_many_at_once_come_whole_and_in_order_while_alerts_go_on(tmp_path: Path) -> None:
    many = [alert(number) for number in range(3000)]
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        await stored(zeus, node, many)
        async with eye(zeus, zeus.operator()) as looking:
            await looking.read()
            async with asyncio.TaskGroup() as group, linked(zeus.address, node) as link:
                closing = asyncio.to_thread(
                    triage.close,
                    zeus.engine,
                    Filters(client="acme"),
                    BENIGN,
                    "noise",
                    by="ada",
                    now=utc_now(),
                )
                group.create_task(closing)
                for sequence in range(2, 22):
                    await link.batch(sequence, [alert(10_000 + sequence)])
                await link.until_acked(21)
                found: list[TriageChange] = []
                while len(found) < 3000 or len(looking.seen) < 20:
                    found += (await looking.read()).triage.changes

    done = [one.id for one in found]
    assert len(set(done)) == len(done)
    assert {one.id for one in many} <= set(done)
    assert {one.after.status for one in found} == {CLOSED}


async def test_a_snapshot_and_what_follows_add_up(tmp_path: Path) -> None:
    """Whoever arrives in the middle of it counts the same as the store in the end."""
    numbers = range(200)
    async with hub(tmp_path) as zeus:
        await stored(zeus, await zeus.node(), [alert(number) for number in numbers])

        def work() -> None:
            for number in numbers:
                triage.acknowledge(zeus.engine, refs(number), by="ada", now=utc_now())

        async def look() -> int:
            async with eye(zeus, zeus.operator()) as looking:
                _, fresh = opened((await looking.read()).snapshot)["acme"]
                left = fresh.get(1, 0)
                while left:
                    for change in (await looking.read()).triage.changes:
                        assert change.before == NEW
                        left -= 1
                return left

        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(work))
            looks = []
            for _ in range(5):
                looks.append(group.create_task(look()))
                await asyncio.sleep(0.1)

    assert [task.result() for task in looks] == [0] * 5


async def test_another_process_does_it(tmp_path: Path) -> None:
    """`zeus alert close` beside the running hub."""
    config = tmp_path / "zeus.toml"
    config.write_text(f'state_dir = "{tmp_path / "state"}"\n')
    async with hub(tmp_path / "state") as zeus:
        await stored(zeus, await zeus.node(), [alert(1, HIGH), alert(2)])
        async with eye(zeus, zeus.operator()) as looking:
            await looking.read()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "zeus_hub", "alert", "close", alert(1).id.hex()),
                *("--verdict", "benign", "--reason", "the admin", "--by", "ada", "--config", str(config)),
                env={**os.environ, "PYTHONPATH": str(Path.cwd())},
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate()
            (found,) = await changes(looking, 1)

    assert (process.returncode, out) == (0, b"1 alert closed\n")
    assert (found.after.status, found.after.changed_by) == (CLOSED, "ada")


async def test_what_is_over_closes_itself_and_watchers_hear_of_it(time: Time, tmp_path: Path) -> None:
    """A node falls silent and comes back: on the wall nothing of it stays open."""
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        node = await zeus.node()
        async with eye(zeus, zeus.operator()) as looking:
            await looking.read()
            await give(zeus, node, [alert(1)])
            await time.pass_(120)
            await eventually(lambda: len(stored_conditions(zeus)) == 1)
            async with linked(zeus.address, node) as link:
                talk = Talk(link, sequence=1)
                await time.pass_(30, talk.say)
                await eventually(lambda: len(stored_conditions(zeus)) == 2)
                found = await changes(looking, 2)
    raised, cleared = (stored.alert.id for stored in stored_conditions(zeus))

    assert {one.id for one in found} == {raised, cleared}
    assert {(one.after.status, one.after.changed_by) for one in found} == {(CLOSED, "zeus")}

"""The vigil in a real hub: what is wrong is an alert like any other, and what is over is told too."""

import asyncio
import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select, update

from socme.identity import utc_now
from socme.v1.alert_pb2 import Canary
from socme.v1.vitals_pb2 import CanaryVitals, Health, LedgerHour, NodeState, Vitals
from socme.v1.watch_pb2 import WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import LIMIT, alert, connect, eventually, hub, linked
from tests.zeus_hub.watched import (
    CLEARED,
    RAISED,
    Fleet,
    Talk,
    Time,
    conditions,
    next_condition,
    stored_conditions,
)
from zeus_hub import chronicle, database, deliver, health, ledger, registry, settle, vigil
from zeus_hub.clocks import Clocks
from zeus_hub.database import reading, writing
from zeus_hub.health import Moment
from zeus_hub.local import read_pulse
from zeus_hub.lookout import REDIAL_SECONDS
from zeus_hub.settle import Amounts
from zeus_hub.sinks.contract import SinkDownError
from zeus_hub.sinks.store import Store


async def test_a_node_that_falls_silent_is_told_of_and_cleared_when_it_is_back(
    tmp_path: Path, time: Time
) -> None:
    async with hub(tmp_path, clocks=time.clocks) as zeus, connect(zeus.address, zeus.operator()) as channel:
        node = await zeus.node()
        call = WatchStub(channel).Alerts(WatchRequest())
        async with linked(zeus.address, node) as link:
            talk = Talk(link)
            await link.vitals(Vitals(hostname="box"))
            await time.pass_(REDIAL_SECONDS + 5, each=talk.say)
            assert conditions(zeus) == [], "it speaks"
            await time.pass_(20)
            assert conditions(zeus) == [], "not for long enough"
            await time.pass_(10)
            raised = await next_condition(call)
            await eventually(lambda: conditions(zeus) == [("acme/acme-1", "node_silent", RAISED)])
            await talk.say()
            await time.pass_(20, each=talk.say)
            cleared = await next_condition(call)
            await eventually(lambda: len(conditions(zeus)) == 2)
        call.cancel()

    assert (raised.condition.kind, raised.condition.state) == ("node_silent", RAISED)
    assert raised.rule.id == "socme.node_silent"
    assert "acme/acme-1: nothing was heard" in raised.message
    assert "systemctl status artemis" in raised.message
    assert (cleared.condition.state, cleared.severity) == (CLEARED, raised.severity)
    assert cleared.condition.since == raised.condition.since
    assert cleared.message.startswith("acme/acme-1: over after ")


async def test_a_client_that_goes_blind_is_told_with_its_reason_and_its_share(
    tmp_path: Path, time: Time
) -> None:
    unreadable = Vitals(hostname="box")
    unreadable.sources.add(name="eve.json", problem="permission denied")
    async with hub(tmp_path, clocks=time.clocks) as zeus, connect(zeus.address, zeus.operator()) as channel:
        fleet = Fleet(channel)
        async with asyncio.TaskGroup() as group, linked(zeus.address, await zeus.node()) as link:
            follower = group.create_task(fleet.follow())
            talk = Talk(link)
            await link.vitals(Vitals(hostname="box"))
            await eventually(lambda: fleet.state("acme") == (Health.HEALTH_UP, []))
            assert fleet.clients["acme"].seeing == 1.0
            await time.pass_(30, each=talk.say)
            await link.vitals(unreadable)
            await time.pass_(10, each=talk.say)
            await eventually(lambda: fleet.state("acme")[0] == Health.HEALTH_BLIND)
            blind = fleet.clients["acme"]
            await eventually(lambda: fleet.nodes["acme-1"].health == Health.HEALTH_BLIND)
            await time.pass_(20, each=talk.say)
            await eventually(lambda: fleet.clients["acme"].seeing < 0.9)
            await time.pass_(40, each=lambda: link.vitals(Vitals(hostname="box")))
            await eventually(lambda: fleet.state("acme")[0] != Health.HEALTH_BLIND)
            told = [("source_silent", RAISED), ("source_silent", CLEARED)]
            await eventually(lambda: [(kind, state) for _, kind, state in conditions(zeus)] == told)
            follower.cancel()

    assert list(blind.reasons) == [
        "acme-1: eve.json cannot be read (permission denied): run `artemis check` there"
    ]
    assert blind.HasField("since")


async def test_a_node_of_a_disabled_client_is_no_trouble_and_may_take_its_time_to_come_back(
    tmp_path: Path, time: Time
) -> None:
    async with hub(tmp_path, clocks=time.clocks) as zeus, connect(zeus.address, zeus.operator()) as channel:
        fleet, node = Fleet(channel), await zeus.node()

        def told() -> tuple[int, int]:
            return fleet.nodes["acme-1"].state, fleet.nodes["acme-1"].health

        async with asyncio.TaskGroup() as group:
            follower = group.create_task(fleet.follow())
            async with linked(zeus.address, node) as link:
                await link.vitals(Vitals(hostname="box"))
                await eventually(lambda: fleet.state("acme") == (Health.HEALTH_UP, []))
            await time.pass_(40)
            await eventually(lambda: told() == (NodeState.NODE_STATE_OFFLINE, Health.HEALTH_SILENT))
            registry.disable_client(zeus.engine, "acme")
            await eventually(lambda: told() == (NodeState.NODE_STATE_REVOKED, Health.HEALTH_REVOKED))
            await time.pass_(600)
            registry.enable_client(zeus.engine, "acme")
            await eventually(lambda: told() == (NodeState.NODE_STATE_OFFLINE, Health.HEALTH_UNSPECIFIED))
            await time.pass_(REDIAL_SECONDS - 10)
            raised = [state for _, _, state in conditions(zeus)]
            async with linked(zeus.address, node) as link:
                await link.vitals(Vitals(hostname="box"))
                await eventually(lambda: told() == (NodeState.NODE_STATE_ONLINE, Health.HEALTH_UP))
            follower.cancel()

    assert raised == [RAISED, CLEARED], "once, and not again when it was let in"


async def test_a_restart_raises_nothing_anew_and_clears_what_is_over(tmp_path: Path, time: Time) -> None:
    unreadable = Vitals()
    unreadable.sources.add(name="eve.json", problem="permission denied")
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.vitals(unreadable)
            await time.pass_(10)
            await eventually(lambda: len(conditions(zeus)) == 1)
    pulse = read_pulse(tmp_path)
    assert pulse is not None
    assert not pulse.running, "a hub that stops says so"
    time.ahead += 3600
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        await time.pass_(20)
        assert [one.kind for one in chronicle.open_conditions(zeus.journal)] == ["source_silent"]
        async with linked(zeus.address, node) as link:
            talk = Talk(link)
            await link.vitals(unreadable)
            await time.pass_(20, each=talk.say)
            assert len(conditions(zeus)) == 1, "it is known"
            await time.pass_(40, each=lambda: link.vitals(Vitals()))
            await eventually(lambda: [state for _, _, state in conditions(zeus)] == [RAISED, CLEARED])
        history = chronicle.histories(zeus.engine, time.clocks.wall())["acme"]

    away = [moment for moment in history if moment.reason == health.AWAY]
    assert len(away) == 1, "for an hour nobody saw anything"
    assert abs(away[0].since - pulse.time) < timedelta(seconds=60)


async def test_that_no_hub_ran_is_written_down_before_anything_else(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of that time may be due at once."""
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await time.report(link, Vitals())
        await time.pass_(10)
    time.ahead += 3600

    async def idle(self: vigil.Vigil) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(vigil.Vigil, "run", idle)
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        history = chronicle.histories(zeus.engine, time.clocks.wall())["acme"]

    assert history[-1].reason == health.AWAY


async def test_a_clock_that_was_ahead_leaves_no_moments_that_are_still_to_come(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else how a client is now would be hidden behind them, for as long as it was ahead."""
    unreadable = Vitals()
    unreadable.sources.add(name="eve.json", problem="permission denied")
    much = timedelta(days=300)  # less than a certificate lasts, with which the stream would end
    wall = time.clocks.wall
    ahead = [timedelta()]
    clocks = Clocks(lambda: wall() + ahead[0], time.clocks.monotonic)
    async with hub(tmp_path, clocks=clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await time.report(link, Vitals())
        await time.pass_(10)
        ahead[0] = much
        await time.pass_(20, each=lambda: time.report(link, unreadable))
        ahead[0] = timedelta()
        await time.pass_(10, each=lambda: time.report(link, unreadable))

        def history() -> list[Moment]:
            return chronicle.histories(zeus.engine, wall())["acme"]

        await eventually(lambda: history()[-1].health == Health.HEALTH_BLIND)
        await eventually(lambda: history()[-1].since < wall())
        await time.pass_(60, each=lambda: time.report(link, unreadable))
        assert health.share(history(), wall()) < 0.4, "it was blind for most of the time"


async def test_without_a_sign_of_life_the_time_since_anything_was_written_down_counts_as_unseen(
    tmp_path: Path, time: Time
) -> None:
    """As after a restore, which brings none."""
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await time.report(link, Vitals())
        await time.pass_(20, each=lambda: time.report(link, Vitals()))
        await eventually(lambda: "acme" in chronicle.histories(zeus.engine, time.clocks.wall()))
    (tmp_path / "pulse.json").unlink()
    stopped = time.clocks.wall()
    time.ahead += 3600
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        await time.pass_(5)
        await eventually(
            lambda: (
                chronicle.histories(zeus.engine, time.clocks.wall())["acme"][-1].health
                == Health.HEALTH_UNSPECIFIED
            )
        )
        away = chronicle.histories(zeus.engine, time.clocks.wall())["acme"][-1]

    assert away.reason == health.AWAY
    assert abs(away.since - stopped) < timedelta(seconds=60)


async def test_a_database_that_is_held_does_not_hold_up_the_sign_of_life(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands would say that the hub does not run."""
    held, free = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        held.set()
        free.wait(3 * LIMIT)

    monkeypatch.setattr(chronicle, "record", hold)
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await time.report(link, Vitals())
        await eventually(held.is_set)
        time.ahead += 60
        now = time.clocks.wall()
        try:
            await eventually(lambda: (found := read_pulse(tmp_path)) is not None and found.time >= now)
        finally:
            free.set()


async def test_nodes_that_have_not_come_back_are_named_in_the_sign_of_life(
    tmp_path: Path, time: Time
) -> None:
    def unheard() -> tuple[bool, list[str]]:
        pulse = read_pulse(tmp_path)
        return (False, []) if pulse is None else (pulse.running, list(pulse.unheard))

    async with hub(tmp_path, clocks=time.clocks) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await time.report(link, Vitals())
            await eventually(lambda: unheard() == (True, []))
            await eventually(lambda: registry.get_node(zeus.engine, "acme", "acme-1").last_seen is not None)
            await time.pass_(5)
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        await eventually(lambda: unheard() == (True, ["acme/acme-1"]))
        async with linked(zeus.address, node) as link:
            await time.report(link, Vitals())
            await eventually(lambda: unheard() == (True, []))


async def test_a_node_that_is_shut_out_raises_nothing_and_what_was_open_is_over(
    tmp_path: Path, time: Time
) -> None:
    async with hub(tmp_path, clocks=time.clocks) as zeus, connect(zeus.address, zeus.operator()) as channel:
        fleet = Fleet(channel)
        async with linked(zeus.address, await zeus.node()) as link:
            await link.vitals(Vitals())
        await time.pass_(REDIAL_SECONDS + 40)
        await eventually(lambda: len(conditions(zeus)) == 1)
        registry.revoke_node(zeus.engine, "acme", "acme-1", now=utc_now())
        async with asyncio.TaskGroup() as group:
            follower = group.create_task(fleet.follow())
            await eventually(lambda: fleet.state("acme")[0] == Health.HEALTH_REVOKED)
            follower.cancel()
        await time.pass_(20)
        await eventually(lambda: [state for *_, state in conditions(zeus)] == [RAISED, CLEARED])
        await time.pass_(100)

        assert len(conditions(zeus)) == 2


async def test_a_stuck_sink_is_told_in_the_live_stream_as_the_hubs_own(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store cannot take is seen all the same."""
    send = Store.send

    def down(*_: object) -> None:
        raise SinkDownError("the database is locked")

    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.1)
    async with hub(tmp_path, clocks=time.clocks) as zeus, connect(zeus.address, zeus.operator()) as channel:
        call = WatchStub(channel).Alerts(WatchRequest())
        fleet = Fleet(channel)
        async with asyncio.TaskGroup() as group, linked(zeus.address, await zeus.node()) as link:
            follower = group.create_task(fleet.follow())
            await eventually(lambda: fleet.state("socme") == (Health.HEALTH_UP, []))
            monkeypatch.setattr(Store, "send", down)
            talk = Talk(link)
            await time.pass_(70, each=talk.say)
            found = await next_condition(call)
            await eventually(lambda: fleet.state("socme")[0] == Health.HEALTH_LATE)
            monkeypatch.setattr(Store, "send", send)
            await eventually(lambda: len(zeus.stored()) > talk.sequence)
            await time.pass_(60, each=talk.say)
            cleared = await next_condition(call)
            await eventually(lambda: fleet.state("socme")[0] == Health.HEALTH_UP)
            follower.cancel()
        call.cancel()

        assert (found.condition.kind, found.condition.subject) == ("sink_stuck", "store")
        assert found.message.startswith("socme/zeus: the sink store has taken nothing for 60 s (the database")
        assert cleared.condition.state == CLEARED
        await eventually(lambda: [place for place, *_ in conditions(zeus)] == ["socme/zeus"] * 2)
        assert "socme" not in fleet.nodes


async def test_a_tampered_tally_is_found(tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub took is more than what became of it: a row was deleted, or a program erred."""
    monkeypatch.setattr(vigil, "BALANCE_EVERY", 1)
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        talk = Talk(link)
        await link.vitals(Vitals())
        await talk.say()
        await eventually(lambda: len(zeus.stored()) == 1)
        await time.pass_(40, each=talk.say)
        assert conditions(zeus) == []
        with writing(zeus.engine) as connection:
            connection.execute(update(database.tally).values(stored=database.tally.c.stored - 1))
        await time.pass_(30, each=talk.say)
        for _ in range(20):
            if conditions(zeus):
                break
            await time.pass_(10, each=talk.say)

        assert conditions(zeus) == [("acme/acme-1", "unaccounted", RAISED)]


async def test_hours_that_do_not_come_out_even_are_told_of_until_they_are_settled(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the hub's own arithmetic: the node itself says that all is well."""
    monkeypatch.setattr(vigil, "BALANCE_EVERY", 1)
    caplog.set_level(logging.INFO)
    hour = LedgerHour(source="eve.json", read=7, not_alert=4)
    hour.hour.FromDatetime(time.clocks.wall().replace(minute=0, second=0, microsecond=0))
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        talk = Talk(link)
        await link.vitals(Vitals(ledger=[hour]))
        await eventually(lambda: bool(ledger.failing(zeus.engine)))

        async def say() -> None:
            await link.vitals(Vitals())
            await talk.say()

        async def until(count: int) -> None:
            for _ in range(40):
                if len(conditions(zeus)) >= count:
                    return
                await time.pass_(10, each=say)

        await until(1)
        (found,) = stored_conditions(zeus)
        assert (found.alert.condition.kind, found.alert.condition.subject) == ("unaccounted", "node")
        assert "3 alerts are missing in the node's own books" in found.alert.message
        settle.settle(zeus.engine, ("acme", "acme-1"), Amounts(), by="anna", now=utc_now())
        await until(2)

    assert [state for *_, state in conditions(zeus)] == [RAISED, CLEARED]
    assert [record.message for record in caplog.records].count("loss settled") == 1


async def test_a_canary_is_followed_through_every_stage(tmp_path: Path, time: Time) -> None:
    vitals = Vitals()
    vitals.sources.add(name="eve.json").canary.CopyFrom(
        CanaryVitals(interval_seconds=60, written=1, read=1, spooled=1)
    )
    canary = alert(1, origin="eve.json")
    canary.canary.CopyFrom(Canary(number=1))
    canary.canary.written.FromDatetime(time.clocks.wall())
    canary.observed.FromDatetime(time.clocks.wall())
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.vitals(vitals)
        await time.pass_(5)
        await link.batch(1, [canary])
        await link.until_acked(1)

        def numbers() -> dict[str, int]:
            pulse = read_pulse(tmp_path)
            views = pulse.canaries.get("acme/acme-1", ()) if pulse is not None else ()
            stages = cast("dict[str, dict[str, int]]", views[0]["stages"]) if views else {}
            return {name: stage["number"] for name, stage in stages.items()}

        wanted = {"tail": 1, "spool": 1, "uplink": 0, "sink store": 1, "live": 1}
        await eventually(lambda: numbers() == wanted)

        assert zeus.stored() == [], "it is no alert"


async def test_a_canary_that_stops_is_told_with_its_stage(tmp_path: Path, time: Time) -> None:
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        talk = Talk(link)
        for number in range(1, 11):
            vitals = Vitals()
            vitals.sources.add(name="eve.json").canary.CopyFrom(
                CanaryVitals(interval_seconds=10, written=number, read=1, spooled=1, acknowledged=1)
            )
            await link.vitals(vitals)
            await time.pass_(10, each=talk.say)
            if conditions(zeus):
                break
        (stored,) = stored_conditions(zeus)

    assert stored.alert.condition.kind == "canary_lost"
    assert "canaries of eve.json stop at the stage tail" in stored.alert.message


async def test_hours_that_a_node_tells_are_kept(tmp_path: Path, time: Time) -> None:
    hour = LedgerHour(source="eve.json", read=7)
    hour.hour.FromDatetime(time.clocks.wall().replace(minute=0, second=0, microsecond=0))
    async with hub(tmp_path, clocks=time.clocks) as zeus, linked(zeus.address, await zeus.node()) as link:
        await link.vitals(Vitals(ledger=[hour]))

        def kept() -> list[bytes]:
            with reading(zeus.engine) as connection:
                return list(connection.execute(select(database.ledger.c.body)).scalars())

        await eventually(lambda: [LedgerHour.FromString(one).read for one in kept()] == [7])

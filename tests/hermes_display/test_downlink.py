import asyncio
from itertools import pairwise, takewhile

import pytest

from hermes_display import downlink
from hermes_display.board import Event, Link
from hermes_display.display import connector
from hermes_display.downlink import Downlink, Lost, Wanted, probe
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import FleetEvent, Snapshot, StoredAlerts, WatchEvent
from tests.certificates import make_authority
from tests.hermes_display.watch_server import Seen, TestHub, following, status, stored, summary


def nodes(seen: Seen) -> list[str]:
    return [event.node.node for event in seen.events if isinstance(event, FleetEvent)]


async def test_the_link_the_snapshot_and_then_every_alert(hub: TestHub) -> None:
    hub.script.clients.append(summary("acme"))
    hub.script.alerts += [stored(1), stored(2)]
    async with following(hub.connect(), Wanted(latest=1)) as seen:
        await seen.wait_for(lambda: seen.kinds() == ["snapshot"])
        await hub.script.add(stored(3), stored(4))
        await seen.wait_for(lambda: seen.titles() == ["Alert 3", "Alert 4"])

    first, second = seen.events[:2]
    assert isinstance(first, Link)
    assert first.up
    assert isinstance(second, WatchEvent)
    assert [alert.alert.rule.name for alert in second.snapshot.alerts] == ["Alert 2"]


async def test_the_wish_reaches_the_hub(hub: TestHub) -> None:
    wanted = Wanted(("acme",), Severity.SEVERITY_HIGH, latest=7, with_raw=True, fleet=True)
    async with following(hub.connect(), wanted) as seen:
        hub.script.nodes.append(status())
        await seen.wait_for(lambda: nodes(seen) == ["acme-1"])

    request = hub.script.requests[0]
    assert (list(request.clients), request.min_severity) == (["acme"], Severity.SEVERITY_HIGH)
    assert (request.snapshot_alerts, request.with_raw, request.cursor) == (7, True, b"")
    assert list(hub.script.fleet_requests[0].clients) == ["acme"]


async def test_a_stream_goes_on_where_it_was_after_a_restart_of_the_hub(hub: TestHub) -> None:
    """Nothing twice, nothing left out, no second snapshot; the break is seen."""
    async with following(hub.connect(), Wanted()) as seen:
        await seen.wait_for(lambda: "snapshot" in seen.kinds())
        await hub.script.add(stored(1))
        await seen.wait_for(lambda: seen.titles() == ["Alert 1"])

        await hub.stop()
        await seen.wait_for(lambda: "refused" in seen.links[-1].reason)
        hub.script.alerts += [stored(2), stored(3)]
        await hub.start()

        await seen.wait_for(lambda: len(seen.titles()) == 3)
    assert seen.titles() == ["Alert 1", "Alert 2", "Alert 3"]
    assert seen.kinds().count("snapshot") == 1
    assert hub.script.requests[-1].cursor == b"1"
    *earlier, again = seen.links
    # A server that stops may let it in once more, for a moment: the break is what is behind that.
    down = list(takewhile(lambda link: not link.up, reversed(earlier)))[::-1]
    up = earlier[-len(down) - 1]
    assert down
    assert (up.up, again.up) == (True, True)
    assert {link.since > up.since for link in down} == {True}
    assert len({link.since for link in down}) == 1  # it is one break
    assert all(before.reason != link.reason for before, link in pairwise(down)), "each reason is told once"


async def test_what_the_hub_forgot_is_told_and_a_snapshot_follows(hub: TestHub) -> None:
    async with following(hub.connect(), Wanted(latest=10)) as seen:
        await seen.wait_for(lambda: "snapshot" in seen.kinds())
        await hub.stop()
        await seen.wait_for(lambda: not seen.links[-1].up)
        hub.script.alerts += [stored(1), stored(2)]
        hub.script.forgotten = 1
        await hub.start()
        await seen.wait_for(lambda: seen.kinds() == ["snapshot", "lagged", "snapshot"])


async def test_a_hub_that_is_not_there_is_told_once_with_the_reason(hub: TestHub) -> None:
    await hub.stop()
    async with following(hub.connect(), Wanted()) as seen:
        await seen.wait_for(lambda: seen.links)
        assert not seen.links[0].up
        assert "refused" in seen.links[0].reason
        await hub.start()
        await seen.wait_for(lambda: seen.links[-1].up)
    assert [link.up for link in seen.links] == [False, True]


async def test_an_old_screen_bears_a_new_hub(hub: TestHub) -> None:
    """Unknown kinds of events and unknown values of enums are passed on and harm nothing."""
    unknown = WatchEvent.FromString(b"\x9a\x06\x03new")  # field 99
    future = stored(1)
    future.alert.severity = 42  # type: ignore[assignment]
    hub.script.odd += [unknown, WatchEvent(alerts=StoredAlerts(alerts=[future]))]
    async with following(hub.connect(), Wanted()) as seen:
        await seen.wait_for(lambda: "snapshot" in seen.kinds())
    assert seen.links[0].up
    assert seen.titles() == ["Alert 1"]


async def test_a_fresh_snapshot_is_taken_now_and_then_without_a_break(hub: TestHub) -> None:
    async with following(hub.connect(), Wanted(fresh_after=0.0)) as seen:
        await seen.wait_for(lambda: seen.kinds().count("snapshot") >= 3)
    assert [link.up for link in seen.links] == [True]
    assert all(request.cursor == b"" for request in hub.script.requests)


async def test_a_hub_that_says_nothing_counts_as_gone(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downlink, "SILENCE", 0.2)
    async with following(hub.connect(), Wanted()) as seen:
        await seen.wait_for(lambda: "snapshot" in seen.kinds())
        hub.script.mute = True
        await seen.wait_for(lambda: not seen.links[-1].up)
    assert seen.links[-1].reason == "no sign of life for 0.2 s"


async def test_a_refusal_is_told_as_such(hub: TestHub) -> None:
    hub.script.refusal = "this certificate was revoked"
    async with following(hub.connect(), Wanted()) as seen:
        await seen.wait_for(lambda: seen.links)
    assert seen.links[0].refused
    assert seen.links[0].reason == "this certificate was revoked"


async def test_who_was_refused_and_is_let_in_again_is_told_all_anew(hub: TestHub) -> None:
    """What was told before the refusal is not on the board any more."""
    hub.script.alerts.append(stored(1))
    async with following(hub.connect(), Wanted(latest=10)) as seen:
        await seen.wait_for(lambda: "snapshot" in seen.kinds())
        hub.script.refusal = "the client acme is disabled at the hub"
        await hub.stop()
        await hub.start()
        await seen.wait_for(lambda: seen.links[-1].refused)
        hub.script.refusal = ""

        await seen.wait_for(lambda: seen.links[-1].up)
        await seen.wait_for(lambda: seen.kinds().count("snapshot") == 2)
    assert hub.script.requests[-1].cursor == b""


async def test_what_deliver_raises_ends_the_subscription(hub: TestHub) -> None:
    def deliver(event: Event) -> None:
        if isinstance(event, WatchEvent):
            raise OperatorError("enough")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(20):
            await Downlink(hub.connect(), Wanted(), deliver).run()
    assert caught.group_contains(OperatorError, match="enough")


async def test_probe_tells_whether_the_hub_lets_this_screen_in(hub: TestHub) -> None:
    assert isinstance(await probe(hub.connect()), Snapshot)

    hub.script.refusal = "unknown certificate"
    refused = await probe(hub.connect())
    assert isinstance(refused, Lost)
    assert (refused.reason, refused.refused) == ("unknown certificate", True)

    await hub.stop()
    lost = await probe(hub.connect())
    assert isinstance(lost, Lost)
    assert not lost.refused


async def test_a_screen_of_another_hub_gets_nothing(hub: TestHub) -> None:
    """Both ends check: a certificate of another CA ends the connection."""
    stranger = hub.identity(authority=make_authority())
    lost = await probe(connector(stranger, hub.address))
    assert isinstance(lost, Lost)
    assert hub.script.requests == []

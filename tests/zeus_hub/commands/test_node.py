"""The commands under `zeus node`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from sqlalchemy import insert, select

from socme import table
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub import stored
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert
from tests.zeus_hub.test_samples import ONE
from zeus_hub import database, health, history, registry
from zeus_hub.commands import past
from zeus_hub.database import writing
from zeus_hub.local import Pulse, write_pulse
from zeus_hub.raising import Open
from zeus_hub.samples import POINT_NAMES, point_values, summary

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def fleet(place: Place) -> Place:
    """Two nodes of acme, of which one reported a moment ago, and one of beta."""
    engine = place.database(alert(1, place=where) for where in ("acme/acme-1", "acme/acme-2", "beta/beta-1"))
    vitals = Vitals(hostname="box\x1b[2J", agent_version="0.1.0")
    vitals.spool.alerts = 12
    disk = vitals.disks.add(mountpoint="/").capacity
    disk.total_bytes, disk.used_bytes = 100, 91
    vitals.sources.add(name="eve.json", kind="suricata", lag_bytes=4096, problem="permission denied")
    vitals.sources.add(name="alerts.json", kind="wazuh", lag_bytes=1024)
    seen = registry.Sighting(
        connected=True, last_seen=datetime.now(UTC), interval_seconds=10, vitals=vitals.SerializeToString()
    )
    registry.record_sightings(engine, {("acme", "acme-1"): seen})
    at = int(datetime.now(UTC).timestamp())
    sample = replace(ONE, seconds=at, cpu=500, spool=12, packets=50, dropped=1, clock_ms=None)
    busy = summary((at - past.PACKED_SECONDS) // history.HOUR * history.HOUR, [replace(sample, cpu=1000)])
    with writing(engine) as connection:
        for ago in (0, 30):
            one = replace(sample, seconds=at - ago)
            history.put(connection, {(("acme", "acme-1"), one.seconds): one})
        numbers = dict(zip(POINT_NAMES, point_values(busy), strict=True))
        mine = select(database.node.c.id).where(database.node.c.name == "acme-1").scalar_subquery()
        connection.execute(insert(history.hour).values(numbers | {"node_id": mine}))
    blind = Open(
        *("acme", "acme-1", "source_silent", "eve.json"),
        since=datetime.now(UTC),
        severity=Severity.SEVERITY_HIGH,
        message="eve.json cannot be read\x1b[2J",
        told=Severity.SEVERITY_HIGH,
    )
    own = replace(blind, client="socme", node="zeus", kind="sink_stuck", subject="store")
    stored.leave_open(place.state_dir / "journal.db", blind, own)
    stored.keep(engine, [alert(9, place="socme/zeus")])
    engine.dispose()
    stages = {"sink store": {"number": 7, "seconds": 0.25}}
    canaries = {"acme/acme-1": [{"source": "eve.json", "stages": stages}]}
    write_pulse(place.state_dir, Pulse(datetime.now(UTC), canaries))
    return place


def test_list_as_a_table(fleet: Place) -> None:
    head, first, second, third = fleet.run("node", "list").splitlines()

    assert " ".join(head.split()) == "NODE STATE HEALTH LAST SEEN AGENT SPOOL LAG DISK CPU, LAST 24 H REASON"
    assert first.split()[:3] == ["acme/acme-1", "online", "blind"]
    assert "0.1.0 12 5.0 KiB 91% █ eve.json cannot be read\ufffd[2J" in " ".join(first.split())
    assert second.split() == ["acme/acme-2", "new", "unknown", "never", "-", "-", "-", "-", "-", "-"]
    assert third.startswith("beta/beta-1")


@pytest.mark.parametrize(("width", "shown"), [(139, False), (140, True)])
def test_a_narrow_terminal_has_no_room_for_bars(
    fleet: Place,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    shown: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(table, "console", lambda: Console(force_terminal=True, markup=False, width=width))

    assert ("LAST 24 H" in fleet.run("node", "list")) is shown


def test_list_as_json(fleet: Place) -> None:
    nodes = fleet.objects("node", "list", "--json")

    assert [(node["client"], node["node"], node["state"]) for node in nodes] == [
        ("acme", "acme-1", "online"),
        ("acme", "acme-2", "new"),
        ("beta", "beta-1", "new"),
    ]
    assert (nodes[0]["health"], nodes[0]["reasons"]) == ("blind", ["eve.json cannot be read\x1b[2J"])
    assert nodes[0]["vitals"]["lag_bytes"] == 5120
    assert nodes[0]["vitals"]["spool"]["alerts"] == 12
    assert "vitals" not in nodes[1]


def test_list_of_one_client_and_bounded(fleet: Place) -> None:
    assert [node["node"] for node in fleet.objects("node", "list", "--json", "--client", "beta")] == [
        "beta-1"
    ]
    assert len(fleet.objects("node", "list", "--json", "--limit", "2")) == 2
    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        fleet.try_("node", "list", "--client", "nobody")


def test_show(fleet: Place) -> None:
    shown = [" ".join(line.split()) for line in fleet.run("node", "show", "acme/acme-1").splitlines()]

    for row in (
        "state online",
        "because eve.json cannot be read\ufffd[2J",
        "host box\ufffd[2J",
        "disk / 91 B of 100 B (91%)",
        "PROBLEM: permission denied",
        "sink store 7 (0.25 s)",
        "last 24 h 24 h ago now",
    ):
        assert row in shown
    assert any(row.startswith("cpu") and row.endswith("▅ 50% last, at most 50%") for row in shown)
    assert any(row.startswith("dropped") and row.endswith("2 of 100 packets (2.00%)") for row in shown)


def test_show_as_json(fleet: Place) -> None:
    (node,) = fleet.objects("node", "show", "acme/acme-1", "--json")

    assert (node["state"], node["health"]) == ("online", "blind")
    assert node["canaries"][0]["stages"] == {"sink store": {"number": 7, "seconds": 0.25}}
    *_, before, last = node["history"]["day"]
    assert (last["cpu"], last["spool_alerts"], last["packets"], last["clock_offset_seconds"]) == (
        0.5,
        12,
        50,
        None,
    )
    between = datetime.fromisoformat(last["time"]) - datetime.fromisoformat(before["time"])
    assert between == timedelta(seconds=30), "in full"
    (hour,) = node["history"]["month"]
    assert (hour["cpu"], hour["samples"]) == (1.0, 1)


def test_of_a_node_that_never_came_there_is_little_to_show(fleet: Place) -> None:
    shown = fleet.run("node", "show", "acme/acme-2")

    assert "last seen  never" in shown
    assert "24 h" not in shown
    (node,) = fleet.objects("node", "show", "acme/acme-2", "--json")
    assert node["history"] == {"day": [], "month": []}


def test_of_a_node_that_has_not_come_back_since_the_hub_started_nothing_is_claimed(fleet: Place) -> None:
    write_pulse(fleet.state_dir, Pulse(datetime.now(UTC), unheard=["acme/acme-1"]))
    (node,) = fleet.objects("node", "show", "acme/acme-1", "--json")
    (acme, _) = fleet.objects("client", "list", "--json")

    assert acme["health"] == "unknown"
    assert "health" not in node
    assert node["reasons"][0] == health.UNHEARD


def test_a_hub_that_does_not_run_knows_of_nobody_how_it_is(fleet: Place) -> None:
    write_pulse(fleet.state_dir, Pulse(datetime.now(UTC) - timedelta(minutes=1)))
    (node,) = fleet.objects("node", "show", "acme/acme-1", "--json")

    assert node["reasons"] == ["the hub does not run: start `zeus serve`"]
    assert "unknown" in fleet.run("node", "list")


def test_nodes_of_a_disabled_client_are_shut_out_with_the_reason(fleet: Place) -> None:
    fleet.run("client", "disable", "acme")
    nodes = fleet.objects("node", "list", "--json")

    assert [(node["state"], node.get("health")) for node in nodes] == [
        ("revoked", "revoked"),
        ("revoked", "revoked"),
        ("new", None),
    ]
    assert nodes[0]["reasons"] == [health.CLIENT_DISABLED]


def test_revoke(fleet: Place) -> None:
    result = fleet.try_("node", "revoke", "acme/acme-1")

    assert result.stdout == "node acme/acme-1 revoked\n"
    assert "zeus token create --client acme --node acme-1" in result.stderr
    states = [node["state"] for node in fleet.objects("node", "list", "--json")]
    assert states == ["revoked", "new", "new"]


@pytest.mark.parametrize("command", ["show", "revoke"])
def test_an_unknown_node_is_told(fleet: Place, command: str) -> None:
    with pytest.raises(OperatorError, match="there is no node beta-1 of client acme"):
        fleet.try_("node", command, "acme/beta-1")


@pytest.mark.parametrize("name", ["acme", "acme/", "/acme-1", "a/b/c", ""])
def test_what_names_no_node_is_wrong_usage(fleet: Place, name: str) -> None:
    result = fleet.try_("node", "show", name)

    assert result.exit_code == 2
    assert "as in acme/acme-1" in result.stderr


def test_without_a_hub_the_node_is_named(unused: Place) -> None:
    with pytest.raises(OperatorError, match=r"there is no hub in .*, and no node nobody/n1"):
        unused.try_("node", "revoke", "nobody/n1")

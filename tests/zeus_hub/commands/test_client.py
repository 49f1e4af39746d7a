"""The commands under `zeus client`."""

from datetime import UTC, datetime, timedelta

import pytest

from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert, leave_open
from zeus_hub import chronicle, registry
from zeus_hub.health import Moment
from zeus_hub.local import Pulse, write_pulse
from zeus_hub.raising import Open

pytestmark = pytest.mark.usefixtures("both")


def test_a_client_from_its_beginning_to_its_end(place: Place) -> None:
    """The first command of a new hub makes its database."""
    assert place.run("client", "add", "acme", "--title", "Acme Ltd") == "client acme added\n"
    place.run("client", "add", "beta")

    listed = place.objects("client", "list", "--json")
    assert [(client["name"], client["title"], client["enabled"]) for client in listed] == [
        ("acme", "Acme Ltd", True),
        ("beta", "beta", True),
    ]
    assert place.objects("client", "list", "--json", "--limit", "1") == listed[:1]
    assert "Acme Ltd" in place.run("client", "list")

    assert place.run("client", "disable", "acme") == "client acme disabled\n"
    assert place.objects("client", "show", "acme", "--json")[0]["enabled"] is False
    assert "enabled  False" in place.run("client", "show", "acme")

    place.run("client", "enable", "acme")
    assert place.objects("client", "show", "acme", "--json") == [{**listed[0], "nodes": []}]


def test_a_client_has_a_short_name_for_screens(place: Place) -> None:
    place.run("client", "add", "acme", "--short-name", "ACME  North")
    place.run("client", "add", "beta")
    names = [one["short_name"] for one in place.objects("client", "list", "--json")]
    assert names == ["ACME North", ""]
    assert place.run("client", "set", "beta", "--short-name", "B") == "client beta changed\n"
    place.run("client", "set", "acme", "--short-name", "")

    assert [one["short_name"] for one in place.objects("client", "list", "--json")] == ["", "B"]
    with pytest.raises(OperatorError, match="at most 14 characters"):
        place.try_("client", "set", "beta", "--short-name", "x" * 15)
    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        place.try_("client", "set", "nobody", "--short-name", "x")


@pytest.fixture
def watched(place: Place) -> Place:
    """Acme, blind for a quarter of the last day, and beta, of which nothing was ever heard."""
    now = datetime.now(UTC)
    engine = place.database([alert(1, place="acme/acme-1"), alert(2, place="socme/zeus")])
    seen = registry.Sighting(connected=True, last_seen=now, interval_seconds=10, vitals=None)
    registry.record_sightings(engine, {("acme", "acme-1"): seen})
    since = now - timedelta(hours=6)
    message = "no packets"
    high = Severity.SEVERITY_HIGH
    leave_open(
        place.state_dir / "journal.db",
        Open("acme", "acme-1", "sensor_blind", "eve.json", since, high, message, high),
    )
    moments = [Moment(now - timedelta(hours=40), Health.HEALTH_UP), Moment(since, Health.HEALTH_BLIND)]
    chronicle.record(engine, [("acme", moment) for moment in moments])
    engine.dispose()
    write_pulse(place.state_dir, Pulse(now))
    return place


def test_a_client_is_shown_with_its_state_its_reason_and_the_share_of_time(watched: Place) -> None:
    acme, beta = watched.objects("client", "list", "--json")

    assert (acme["health"], acme["reasons"], acme["seeing"]) == ("blind", ["acme-1: no packets"], 0.75)
    assert (beta["health"], beta["reasons"]) == ("unknown", ["no node of it was ever heard"])
    head, first, _ = watched.run("client", "list").splitlines()
    assert " ".join(head.split()) == "NAME HEALTH SINCE SEEING 24 H ENABLED TITLE REASON"
    assert first.split()[:2] == ["acme", "blind"]
    assert first.split()[3] == "75.0%"
    assert first.endswith("acme-1: no packets")
    assert "75.0%" in watched.run("client", "show", "acme")
    assert watched.objects("client", "show", "acme", "--json")[0]["health"] == "blind"


def test_the_hub_itself_is_no_client_but_can_be_asked(watched: Place) -> None:
    assert "socme" not in watched.run("client", "list")
    assert watched.objects("client", "show", "socme", "--json")[0]["health"] == "up"


def test_while_no_hub_runs_nobody_sees_anything(watched: Place) -> None:
    write_pulse(watched.state_dir, Pulse(datetime.now(UTC) - timedelta(hours=12)))
    (acme,) = watched.objects("client", "show", "acme", "--json")

    assert (acme["health"], acme["reasons"]) == ("unknown", ["the hub does not run: start `zeus serve`"])
    assert acme["seeing"] < 0.75


def test_a_disabled_client_says_so(watched: Place) -> None:
    watched.run("client", "disable", "acme")

    assert watched.objects("client", "show", "acme", "--json")[0]["health"] == "revoked"


def test_the_hubs_own_name_is_refused(place: Place) -> None:
    with pytest.raises(OperatorError, match="socme is what the hub calls itself"):
        place.try_("client", "add", "socme")


def test_what_comes_next_is_no_part_of_the_answer(place: Place) -> None:
    result = place.try_("client", "add", "acme")

    assert "zeus token create --client acme --node NAME" in result.stderr
    assert "token" not in result.stdout


def test_a_hostile_title_cannot_reach_the_terminal(place: Place) -> None:
    place.run("client", "add", "acme", "--title", "\x1b[2J[bold]")

    assert "\ufffd[2J[bold]" in place.run("client", "list")
    assert "\x1b" not in place.run("client", "list") + place.run("client", "list", "--json")


@pytest.mark.parametrize("command", ["list", "show acme", "disable acme", "enable acme"])
def test_a_hub_that_is_not_there_is_told(unused: Place, command: str) -> None:
    """And none is made by asking."""
    with pytest.raises(OperatorError, match=r"there is no hub in .* yet"):
        unused.try_("client", *command.split())

    assert not unused.state_dir.exists()


@pytest.mark.parametrize("command", ["show nobody", "disable nobody", "enable nobody"])
def test_an_unknown_client_is_told(place: Place, command: str) -> None:
    place.database().dispose()

    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        place.try_("client", *command.split())


@pytest.mark.parametrize("name", ["acme", "Acme!", "a/b", ""])
def test_a_name_that_is_taken_or_none_is_refused(place: Place, name: str) -> None:
    place.database().dispose()

    with pytest.raises(OperatorError, match=r"already|cannot be the name"):
        place.try_("client", "add", name)

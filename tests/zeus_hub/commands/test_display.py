"""The commands under `zeus display`."""

from datetime import UTC, datetime

import pytest

from socme.errors import OperatorError
from socme.spiffe import Role
from tests.zeus_hub.commands.place import Place
from zeus_hub import database, registry
from zeus_hub.registry import Watcher

pytestmark = pytest.mark.usefixtures("both")

THEN = datetime(2026, 7, 1, 12, tzinfo=UTC)
LATER = datetime(2027, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def screens(place: Place) -> Place:
    """Enrol a screen that sees all clients, one that sees acme alone, and a person."""
    engine = place.database()
    watchers = [
        Watcher(Role.DISPLAY, "wall", THEN, LATER, None, None),
        Watcher(Role.DISPLAY, "lobby", THEN, LATER, None, frozenset({"acme"}), redacted=True),
        Watcher(Role.OPERATOR, "local", THEN, LATER, None, None),
    ]
    with database.writing(engine) as connection:
        for number, watcher in enumerate(watchers):
            registry.put_watcher(connection, watcher, bytes([number]) * 32)
    engine.dispose()
    return place


def test_screens_are_listed_with_what_they_may_see(screens: Place) -> None:
    _, lobby, wall = screens.run("display", "list").splitlines()

    assert lobby.split() == ["lobby", "enrolled", "2026-07-01", "12:00", "2027-07-01", "yes", "acme"]
    assert wall.split()[0] == "wall"
    assert wall.split()[-2:] == ["no", "all"]
    told = screens.objects("display", "list", "--json")
    assert [(one["name"], one["clients"], one["redacted"]) for one in told] == [
        ("lobby", ["acme"], True),
        ("wall", None, False),
    ]
    assert len(screens.objects("display", "list", "--json", "--limit", "1")) == 1


def test_a_revoked_screen_is_shut_out(screens: Place) -> None:
    screens.run("display", "revoke", "lobby")

    states = {one["name"]: one["state"] for one in screens.objects("display", "list", "--json")}
    assert states == {"lobby": "revoked", "wall": "enrolled"}


def test_the_next_token_that_is_suggested_shows_no_more_than_the_last(screens: Place) -> None:
    assert "--display lobby --redact" in screens.try_("display", "revoke", "lobby").stderr
    assert "--redact" not in screens.try_("display", "revoke", "wall").stderr


def test_a_screen_that_is_not_there_is_told(screens: Place) -> None:
    with pytest.raises(OperatorError, match="there is no display nowhere"):
        screens.try_("display", "revoke", "nowhere")

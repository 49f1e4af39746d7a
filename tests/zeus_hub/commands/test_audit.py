"""Who did what, on the command line."""

import pytest

from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert

pytestmark = pytest.mark.usefixtures("both")

ONE = f"{1:032x}"


@pytest.fixture
def worked(place: Place) -> Place:
    """Return a hub on which ada and bob have worked."""
    place.database([alert(1), alert(2)]).dispose()
    place.run("alert", "ack", ONE, "--by", "ada")
    closing = ("--verdict", "benign", "--reason", "the\x1badmin")
    place.run("alert", "close", "--client", "acme", *closing, "--by", "bob")
    return place


def test_what_was_done_as_a_table(worked: Place) -> None:
    head, first, second = worked.run("audit").splitlines()

    assert head.split()[2:] == ["WHO", "DID", "TO", "CHANGED", "DETAILS"]
    assert first.split()[2:8] == ["bob", "alert", "close", "by", "filter", "2"]
    assert "the\ufffdadmin" in first
    assert second.split()[2:7] == ["ada", "alert", "acknowledge", "acme/acme-1", ONE]


def test_what_was_done_as_json(worked: Place) -> None:
    bob, ada = worked.objects("audit", "--json")

    assert (bob["actor"], bob["action"], bob["subject"]) == ("bob", "alert close", "by filter")
    assert bob["details"]["filters"] == {"client": "acme", "statuses": ["new", "acknowledged"]}
    assert ada["details"] == {"changed": 1}
    assert worked.objects("audit", "--json", "--limit", "1") == [bob]


def test_a_bounded_list_says_that_there_may_be_more(worked: Place) -> None:
    assert "--limit N" in worked.try_("audit", "--limit", "1").stderr
    assert worked.try_("audit").stderr == ""

"""The commands under `zeus client`."""

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.commands.place import Place


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


def test_what_comes_next_is_no_part_of_the_answer(place: Place) -> None:
    result = place.try_("client", "add", "acme")

    assert "zeus token create --client acme --node NAME" in result.stderr
    assert "token" not in result.stdout


def test_a_hostile_title_cannot_reach_the_terminal(place: Place) -> None:
    place.run("client", "add", "acme", "--title", "\x1b[2J[bold]")

    assert "\ufffd[2J[bold]" in place.run("client", "list")
    assert "\x1b" not in place.run("client", "list") + place.run("client", "list", "--json")


@pytest.mark.parametrize("command", ["list", "show acme", "disable acme", "enable acme"])
def test_a_hub_that_is_not_there_is_told(place: Place, command: str) -> None:
    """And none is made by asking."""
    with pytest.raises(OperatorError, match=r"there is no hub in .*state yet"):
        place.try_("client", *command.split())

    assert not place.state_dir.exists()


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

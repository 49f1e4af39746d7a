"""Silences on the command line."""

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.commands.place import Place

pytestmark = pytest.mark.usefixtures("both")

ADD = ("silence", "add", "--client", "acme", "--why", "a\x1bscan", "--by", "ada")


@pytest.fixture
def ready(place: Place) -> Place:
    place.database().dispose()
    return place


def test_a_silence_is_made_listed_and_ended(ready: Place) -> None:
    assert ready.run(*ADD, "--until", "2h", "--match", 'source.ip == "192.0.2.1"').startswith(
        "silence 1 until"
    )
    head, line = ready.run("silence", "list").splitlines()
    assert head.split()[0] == "NUMBER"
    assert "a\ufffdscan" in line
    assert 'source.ip == "192.0.2.1"' in line
    [one] = ready.objects("silence", "list", "--json")
    assert (one["number"], one["client"], one["who"]) == (1, "acme", "ada")

    assert ready.run("silence", "end", "1", "--by", "bob") == "silence 1 ended\n"
    assert ready.run("silence", "end", "1").startswith("silence 1 has ended already, at 20")
    assert ready.objects("silence", "list", "--json") == []
    assert len(ready.objects("silence", "list", "--json", "--all")) == 1
    assert [each["action"] for each in ready.objects("audit", "--json")] == ["silence end", "silence add"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--until", "2h", "--match", "rule.idd == 1"), "rule.idd"),
        (("--until", "2020-01-01"), "ends in the future"),
        (("--until", "3000-01-01"), "within a year"),
    ],
)
def test_what_cannot_be_a_silence_is_told(ready: Place, more: tuple[str, ...], told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        ready.try_(*ADD, *more)


def test_an_unknown_client_or_silence_is_told(ready: Place) -> None:
    with pytest.raises(OperatorError, match="no client 'nobody'"):
        ready.try_("silence", "add", "--client", "nobody", "--why", "x", "--until", "2h")
    with pytest.raises(OperatorError, match="no silence 7"):
        ready.try_("silence", "end", "7")
    assert ready.try_(*ADD, "--until", "soon").exit_code == 2

"""What people have asked not to be told of for a while."""

from dataclasses import replace
from datetime import timedelta

from tests.zeus_hub.routes.made import NOON, alert
from zeus_hub.routes.matcher import matcher, subject
from zeus_hub.routes.silence import Silence, covering

SILENCE = Silence(
    id="7",
    client="acme",
    match=matcher('rule.id == "5710"'),
    until=NOON,
    who="ann",
    why="a scan that was ordered",
)


def test_it_holds_until_its_time() -> None:
    assert SILENCE.holds(NOON - timedelta(seconds=1))
    assert not SILENCE.holds(NOON)


def test_it_is_about_one_client_only() -> None:
    asked = subject(alert())

    assert SILENCE.meets("acme", asked)
    assert not SILENCE.meets("beta", asked)
    assert not SILENCE.meets("acme", subject(alert(rule="1")))


def test_a_group_is_covered_where_all_it_remembers_is_meant() -> None:
    every = replace(SILENCE, id="8", match=None)

    assert covering([SILENCE, every], [alert(1), alert(2)]) == [SILENCE, every]
    assert covering([SILENCE, every], [alert(1), alert(2, rule="1")]) == [every]
    assert covering([SILENCE, every], [alert(1), alert(2, client="beta")]) == []
    assert covering([SILENCE, every], []) == []

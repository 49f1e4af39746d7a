"""Why one alert goes where it goes."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from tests.zeus_hub.routes.made import NOON, alert, inhibition, route
from zeus_hub.routes.explain import Asked, explain
from zeus_hub.routes.grouping import Grouping
from zeus_hub.routes.hush import ALL_DAY, Hush
from zeus_hub.routes.rules import Rules
from zeus_hub.routes.silence import Silence

ALWAYS = Hush("always", frozenset(range(7)), (ALL_DAY,), (), ZoneInfo("UTC"))


def test_every_route_says_what_it_thinks_of_an_alert() -> None:
    rules = Rules(
        (
            route('severity >= high && rule.id == "5710"', name="worse"),
            route(name="beta", clients=frozenset({"beta"})),
            route('rule.id == "5710" && node != ""', name="copy", goes_on=True, mute=(ALWAYS,)),
            route(name="all"),
            route(name="never"),
        )
    )
    worse, beta, copy, everything, never = explain(rules, alert(), NOON).trials

    assert worse.parts == (Asked("severity >= high", holds=False), Asked('rule.id == "5710"', holds=True))
    assert (worse.tried, worse.matches, worse.takes, worse.labels) == (True, False, False, ())
    assert (beta.tried, beta.for_client, beta.matches) == (True, False, False)
    assert (copy.takes, copy.muted) == (True, True)
    assert (everything.takes, everything.muted) == (True, False)
    assert everything.labels == (("client", "acme"), ("rule.id", "5710"))
    assert (never.tried, never.matches, never.takes) == (False, True, False)


def test_what_holds_an_alert_back_is_told() -> None:
    rules = Rules((route(),), (inhibition("severity >= high", "severity < high", "source.ip"),))
    silence = Silence(
        id="1", client="acme", match=None, until=NOON + timedelta(hours=1), who="ann", why="a scan"
    )
    groups = Grouping(rules, [silence])
    groups.take([alert(1, severity=3)], NOON)

    told = explain(rules, alert(2), NOON, silences=[silence], is_held=lambda veil: groups.is_held(veil, NOON))
    assert [(each.is_source, each.is_target, each.holds) for each in told.holdings] == [(False, True, True)]
    assert told.silences == (silence,)

    source = explain(rules, alert(1, severity=3), NOON + timedelta(hours=1), silences=[silence])
    assert [(each.is_source, each.is_target, each.holds) for each in source.holdings] == [
        (True, False, False)
    ]
    assert source.silences == ()


def test_an_inhibition_that_has_nothing_to_do_with_it_is_not_told() -> None:
    rules = Rules((), (inhibition('rule.id == "1"', 'rule.id == "2"'),))

    assert explain(rules, alert(), NOON).holdings == ()

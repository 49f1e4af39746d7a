"""What rules would have told of alerts that are known already."""

from datetime import datetime, timedelta

from tests.zeus_hub.routes.made import NOON, alert, route
from zeus_hub.routes.rehearsal import rehearse
from zeus_hub.routes.rules import Escalation, Rules
from zeus_hub.routes.silence import Silence


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_everything_is_told_at_its_time() -> None:
    rules = Rules((route(escalate=(Escalation(1000.0, ("boss",)),)),))
    alerts = [alert(1), alert(2, received=after(100)), alert(3, rule="9", received=after(7200))]
    found = [
        (round((each.at - NOON).total_seconds()), *each.told.telling[:2], each.told.telling.receivers)
        for each in rehearse(rules, alerts, beyond=timedelta(hours=5))
    ]

    assert found == [
        (30, "new", 1, ("mail",)),
        (330, "more", 2, ("mail",)),
        (1030, "repeat", 3, ("boss",)),
        (7230, "new", 1, ("mail",)),
        (8230, "repeat", 2, ("boss",)),
        (14_730, "repeat", 4, ("mail", "boss")),
        (21_630, "repeat", 3, ("mail", "boss")),
    ]


def test_what_is_held_back_for_good_does_not_keep_it_going() -> None:
    rules = Rules((route(escalate=(Escalation(10.0, ("boss",)),)),))
    silence = Silence(id="1", client="acme", match=None, until=after(10**6), who="ann", why="a test")

    assert list(rehearse(rules, [alert(1)], silences=[silence], beyond=timedelta(days=2))) == []


def test_alerts_that_stand_in_the_wrong_order_do_not_turn_time_back() -> None:
    alerts = [alert(1, received=after(100)), alert(2)]
    found = list(rehearse(Rules((route(),)), alerts, beyond=timedelta(minutes=1)))

    assert [(each.at, each.told.row.summary.count) for each in found] == [(after(130), 2)]


def test_no_alerts_are_no_notices() -> None:
    assert list(rehearse(Rules((route(),)), [])) == []

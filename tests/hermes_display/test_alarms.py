from hermes_display import alarms, rows
from hermes_display.alarms import MOST_ALARMS, MOST_KEYS, Alarms
from hermes_display.rows import Row
from hermes_display.triage import Stage
from tests.hermes_display.watch_server import stored


def row(number: int) -> Row:
    return rows.read(stored(number))


def raised(number: int) -> Alarms:
    made = Alarms()
    for each in range(number):
        made = alarms.raised(made, row(each))
    return made


def test_the_newest_comes_first_and_all_count() -> None:
    found = raised(MOST_ALARMS + 3)
    assert [each.key for each in found.rows] == [row(each).key for each in range(MOST_ALARMS + 2, 2, -1)]
    assert found.number == MOST_ALARMS + 3
    assert len(raised(MOST_KEYS + 9).keys) == MOST_KEYS


def test_those_that_somebody_took_are_told_and_no_others() -> None:
    """Also of those that newer ones have pushed out: a screen may still show one of them."""
    found = alarms.answered(raised(MOST_ALARMS + 3), row(1).key, Stage.ACKNOWLEDGED)
    assert found.taken == (row(1).key,)
    found = alarms.answered(found, row(6).key, Stage.CLOSED)
    assert found.taken == (row(1).key, row(6).key)
    assert row(6) not in found.rows
    assert alarms.answered(found, row(1).key, Stage.NEW).taken == (row(6).key,)
    assert alarms.answered(found, row(99).key, Stage.CLOSED) == found


def test_what_is_remembered_of_answers_is_bounded() -> None:
    found = Alarms()
    for each in range(3 * MOST_KEYS):
        found = alarms.answered(alarms.raised(found, row(each)), row(each).key, Stage.CLOSED)
    assert len(found.taken) <= MOST_KEYS + 1
    assert not found.rows

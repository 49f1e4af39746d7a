"""What people do about letters."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from tests.zeus_hub.noticed import NOON, first, notice
from zeus_hub import outbox, recall
from zeus_hub.receivers.contract import Receipt

pytestmark = pytest.mark.usefixtures("both")

A, B = "a" * 32, "b" * 32
LATER = NOON + timedelta(minutes=5)


def test_what_was_refused_can_be_tried_again(connection: Connection) -> None:
    for group in ("a" * 32, "b" * 32):
        outbox.put(connection, "mail", notice(group), NOON)
        outbox.refused(connection, first(connection), "full", NOON)
    [one, other] = outbox.set_aside(connection)

    assert recall.again(connection, "hive", LATER) == 0
    assert recall.again(connection, "mail", LATER, [other.number]) == 1
    assert first(connection).number == other.number
    assert recall.again(connection, "mail", LATER) == 2, "what waits is tried at once as well"
    assert first(connection).number == one.number
    assert list(outbox.set_aside(connection)) == []


def test_of_a_group_that_was_refused_more_than_once_the_latest_is_tried_again(connection: Connection) -> None:
    for number in (1, 2):
        outbox.put(connection, "mail", notice(number=number), NOON)
        outbox.refused(connection, first(connection), "full", NOON)

    assert recall.again(connection, "mail", LATER) == 1
    assert first(connection).notice.number == 2


def test_one_that_is_asked_for_is_tried_though_a_later_one_was_refused_too(connection: Connection) -> None:
    for number in (1, 2):
        outbox.put(connection, "mail", notice(number=number), NOON)
        outbox.refused(connection, first(connection), "full", NOON)
    [older, _] = outbox.set_aside(connection)

    assert recall.again(connection, "mail", LATER, [older.number]) == 1
    assert first(connection).notice.number == 1


@pytest.mark.parametrize("first_told", [False, True])
def test_two_notices_of_a_group_never_wait_beside_each_other(
    connection: Connection, *, first_told: bool
) -> None:
    """Whatever people bring back, and in which order; what comes then finds one of them."""
    outbox.put(connection, "mail", notice(fresh=2), NOON)
    if first_told:
        outbox.told(connection, first(connection), Receipt("~41"), NOON)
    else:
        outbox.refused(connection, first(connection), "full", NOON)
    outbox.put(connection, "mail", notice(number=2, reason="more", fresh=3), NOON)
    outbox.refused(connection, first(connection), "full", NOON)
    if first_told:
        assert recall.replay(connection, "mail", NOON, LATER) == 1
    else:
        assert recall.again(connection, "mail", LATER, [next(outbox.set_aside(connection)).number]) == 1
    assert first(connection).notice.number == 1

    assert recall.again(connection, "mail", LATER) == 1
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused) == (1, 0)
    assert first(connection).notice == notice(number=2, reason="new", fresh=5)
    outbox.put(connection, "mail", notice(number=3, reason="more"), LATER)
    assert first(connection).notice.number == 3


def test_trying_again_leaves_what_a_later_notice_tells(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    outbox.refused(connection, first(connection), "full", NOON)
    outbox.put(connection, "mail", notice(number=2, reason="more"), NOON)

    assert recall.again(connection, "mail", LATER) == 1
    assert first(connection).notice.number == 2


def test_the_latest_notice_is_the_one_that_tells_most_whatever_its_row(connection: Connection) -> None:
    """An older row grows where it waits: it may tell of more than one that was written later."""
    for number in (1, 3):
        outbox.put(connection, "mail", notice(number=number), NOON)
        outbox.refused(connection, first(connection), "full", NOON)
    older = next(outbox.set_aside(connection))
    recall.again(connection, "mail", NOON, [older.number])
    outbox.put(connection, "mail", notice(number=4, reason="over"), NOON)
    outbox.refused(connection, first(connection), "full", NOON)

    assert recall.again(connection, "mail", LATER) == 1
    assert first(connection).notice.number == 4

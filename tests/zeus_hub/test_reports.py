"""The days and months that are to be told, each once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import IntegrityError

from tests.zeus_hub.noticed import FOREVER, NOON
from tests.zeus_hub.reported import CONTENT, draft
from zeus_hub import reports, schema
from zeus_hub.box import UnreadableError
from zeus_hub.database import writing
from zeus_hub.letters import KEPT, LONGEST_REASON, State
from zeus_hub.receivers.contract import Receipt
from zeus_hub.reports import Letter

pytestmark = pytest.mark.usefixtures("both")


def following(connection: Connection, receiver: str = "mail") -> Letter:
    found = reports.next_of(connection, receiver, FOREVER)
    assert found is not None
    return found


def test_a_report_waits_for_its_receiver_with_all_that_it_says(connection: Connection) -> None:
    reports.put(connection, "mail", draft(), NOON)
    letter = following(connection)

    assert letter.draft == draft()
    assert letter.draft.content.watched.seeing == CONTENT.watched.seeing
    assert (letter.receiver, letter.due, letter.reason) == ("mail", NOON, "")
    assert letter.about == "every day, acme, 2026-07-01"
    assert reports.next_of(connection, "other", FOREVER) is None


def test_nobody_is_told_twice(engine: Engine) -> None:
    with writing(engine) as connection:
        reports.put(connection, "mail", draft(), NOON)
        reports.put(connection, "other", draft(), NOON)
        reports.put(connection, "mail", draft(period="2026-07-02"), NOON)
        reports.told(connection, following(connection), Receipt(), NOON)
        assert reports.written(connection, "every day", "2026-07-01") == {("acme", "mail"), ("acme", "other")}
        assert reports.written(connection, "every month", "2026-07-01") == set()
    with pytest.raises(IntegrityError), writing(engine) as connection:
        reports.put(connection, "mail", draft(), NOON)


def test_a_key_is_of_one_report_for_one_receiver(connection: Connection) -> None:
    reports.put(connection, "mail", draft(), NOON)
    one = following(connection)
    others = [
        replace(one, receiver="other"),
        replace(one, draft=draft(period="2026-07-02")),
        replace(one, draft=draft(name="everyday")),
        replace(one, draft=replace(draft(), content=replace(CONTENT, client="beta"))),
    ]

    assert len({one.key, *(each.key for each in others)}) == 5
    assert replace(one, number=99, reason="x", draft=replace(draft(), content=CONTENT)).key == one.key


def test_what_was_told_and_refused_makes_room_for_the_next(connection: Connection) -> None:
    for period in ("2026-07-01", "2026-07-02", "2026-07-03"):
        reports.put(connection, "mail", draft(period=period), NOON)
    reports.told(connection, following(connection), Receipt(warnings=("x does not get it",)), NOON)
    reports.refused(connection, following(connection), "z" * 5000, NOON)
    reports.postponed(connection, following(connection), "connection refused", NOON + timedelta(hours=1))

    letter = following(connection)
    assert (letter.draft.period, letter.due, letter.reason) == (
        "2026-07-03",
        NOON + timedelta(hours=1),
        "connection refused",
    )
    [standing] = reports.standings(connection)
    assert (standing.receiver, standing.waiting, standing.refused, standing.told) == ("mail", 1, 1, 1)
    assert (standing.oldest, standing.reason) == (NOON, "connection refused")
    [aside] = reports.set_aside(connection)
    assert (aside.draft.period, len(aside.reason)) == ("2026-07-02", LONGEST_REASON)
    assert list(reports.set_aside(connection, "other")) == []


def test_what_never_arrives_keeps_no_other_report_waiting(connection: Connection) -> None:
    days = ["2026-07-01", "2026-07-02", "2026-07-03"]
    for period in days:
        reports.put(connection, "mail", draft(period=period), NOON)
    seen = []
    for _ in range(6):
        letter = following(connection)
        seen.append(letter.draft.period)
        reports.postponed(connection, letter, "later", NOON)

    assert seen == days * 2


def test_what_some_people_have_waits_for_the_others(connection: Connection) -> None:
    reports.put(connection, "mail", draft(), NOON)
    reports.told_in_part(connection, following(connection), "boss is greylisted", NOON, NOON)

    letter = following(connection)
    assert (letter.in_part, letter.attempts, letter.reason) == (True, 1, "boss is greylisted")
    reports.refused(connection, letter, "no", NOON)
    assert [each.in_part for each in reports.set_aside(connection)] == [False]


def test_what_was_refused_is_tried_again_when_a_person_says_so(connection: Connection) -> None:
    for period in ("2026-07-01", "2026-07-02", "2026-07-03"):
        reports.put(connection, "mail", draft(period=period), NOON)
    reports.told(connection, following(connection), Receipt(), NOON)
    reports.refused(connection, following(connection), "no", NOON)
    reports.postponed(connection, following(connection), "down", NOON + timedelta(hours=1))

    assert reports.again(connection, "other", NOON) == 0
    assert reports.again(connection, "mail", NOON + timedelta(minutes=5)) == 2
    assert following(connection).draft.period == "2026-07-02"
    assert following(connection).due == NOON + timedelta(minutes=5)


def test_what_was_told_long_ago_is_forgotten_and_nothing_else(connection: Connection) -> None:
    for period in ("2026-07-01", "2026-07-02", "2026-07-03"):
        reports.put(connection, "mail", draft(period=period), NOON)
    reports.told(connection, following(connection), Receipt(), NOON)
    reports.refused(connection, following(connection), "no", NOON)

    assert reports.forget(connection, NOON + KEPT) == 0
    assert reports.forget(connection, NOON + KEPT + timedelta(seconds=1)) == 1
    [standing] = reports.standings(connection)
    assert (standing.waiting, standing.refused, standing.told) == (1, 1, 0)


@pytest.mark.parametrize(
    "damage",
    [
        {"content": b"no JSON"},
        {"content": b"{}"},
        {"content": b'{"client":"\xff"}'},
        {"kind": "week"},
        {"zone": "Europe/Pariz"},
        {"zone": "../zone"},
        {"zone": "Europe"},
    ],
)
def test_what_is_damaged_is_set_aside_and_the_rest_goes_on(
    connection: Connection, damage: dict[str, object]
) -> None:
    reports.put(connection, "mail", draft(), NOON)
    reports.put(connection, "mail", draft(period="2026-07-02"), NOON)
    first = schema.report.c.number == following(connection).number
    connection.execute(update(schema.report).where(first).values(damage))

    with pytest.raises(UnreadableError):
        following(connection)
    assert reports.skip_unreadable(connection, "mail", NOON) == 1
    assert following(connection).draft.period == "2026-07-02"
    assert reports.skip_unreadable(connection, "mail", NOON) == 0
    connection.execute(update(schema.report).where(first).values(state=State.REFUSED))
    assert list(reports.set_aside(connection)) == []

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, delete, update

from tests.zeus_hub.noticed import FOREVER, NOON, first, notice
from zeus_hub import letters, outbox, recall, schema
from zeus_hub.box import UnreadableError
from zeus_hub.database import reading
from zeus_hub.outbox import Letter
from zeus_hub.receivers.contract import Receipt

pytestmark = pytest.mark.usefixtures("both")

A, B = "a" * 32, "b" * 32
LATER = NOON + timedelta(minutes=5)


def test_a_letter_says_what_was_put_in(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)

    letter = first(connection)
    assert letter.notice == notice()
    assert (letter.due, letter.attempts, letter.reason) == (NOON, 0, "")


def test_letters_come_in_the_order_of_writing_each_to_its_receiver(connection: Connection) -> None:
    for group, receiver in (("b" * 32, "mail"), ("a" * 32, "mail"), ("c" * 32, "hive")):
        outbox.put(connection, receiver, notice(group), NOON)

    assert first(connection).notice.group == "b" * 32
    assert first(connection, "hive").notice.group == "c" * 32
    assert outbox.next_of(connection, "nobody", FOREVER) is None


def test_what_waits_of_a_group_is_told_together_in_the_older_ones_place(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(count=3, fresh=3), NOON)
    outbox.put(connection, "mail", notice("b" * 32), NOON)
    outbox.put(connection, "mail", notice(number=2, reason="more", count=8, fresh=5), LATER)

    letter = first(connection)
    assert letter.notice == notice(number=2, reason="new", count=8, fresh=8)
    outbox.told(connection, letter, Receipt(), LATER)
    assert first(connection).notice.group == "b" * 32


@pytest.mark.parametrize(
    ("older", "newer", "both"),
    [
        ("new", "more", "new"),
        ("new", "repeat", "new"),
        ("new", "over", "over"),
        ("more", "repeat", "repeat"),
        ("repeat", "over", "over"),
    ],
)
def test_two_that_are_told_together_say_what_matters(older: str, newer: str, both: str) -> None:
    made = outbox.together(notice(reason=older, fresh=2), notice(number=2, reason=newer, fresh=3))

    assert (made.reason, made.fresh, made.number) == (both, 5, 2)


def test_what_is_told_is_not_told_again(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    outbox.told(connection, first(connection), Receipt("~41"), LATER)

    assert outbox.next_of(connection, "mail", FOREVER) is None
    assert outbox.reference(connection, "mail", notice().group) == "~41"
    assert outbox.reference(connection, "hive", notice().group) == ""


def test_what_came_while_it_was_told_is_told_next(connection: Connection) -> None:
    """A notice that grew while the receiver had the old one: only the rest is fresh."""
    outbox.put(connection, "mail", notice(count=3, fresh=3), NOON)
    on_its_way = first(connection)
    outbox.put(connection, "mail", notice(number=2, reason="more", count=8, fresh=5), NOON)
    outbox.told(connection, on_its_way, Receipt("~41"), LATER)

    letter = first(connection)
    assert letter.notice == notice(number=2, reason="more", count=8, fresh=5)
    assert letter.due == LATER
    outbox.told(connection, letter, Receipt(), LATER)
    assert outbox.reference(connection, "mail", notice().group) == "~41"


def test_what_did_not_arrive_waits_and_says_why(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    outbox.postponed(connection, first(connection), "connection refused", LATER)

    letter = first(connection)
    assert (letter.attempts, letter.reason, letter.due) == (1, "connection refused", LATER)
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.oldest, standing.reason) == (1, NOON, "connection refused")


def in_part(connection: Connection, letter: Letter | None = None) -> None:
    outbox.told_in_part(connection, letter or first(connection), "boss is greylisted", LATER, NOON)


def test_what_some_people_have_waits_for_the_others_as_it_is(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(fresh=5), NOON)
    in_part(connection)
    for _ in range(2):  # whatever becomes of further attempts
        letter = first(connection)
        assert (letter.notice, letter.in_part) == (notice(fresh=5), True)
        assert (letter.reason, letter.due) == ("boss is greylisted", LATER)
        outbox.postponed(connection, letter, "boss is greylisted", LATER)
    outbox.told(connection, first(connection), Receipt(), LATER)

    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.told) == (0, 1)


def test_what_comes_after_some_people_have_a_notice_is_not_new_and_alone_is_fresh(
    connection: Connection,
) -> None:
    outbox.put(connection, "mail", notice(count=5, fresh=5), NOON)
    in_part(connection)
    outbox.put(connection, "mail", notice(number=2, reason="more", count=8, fresh=3), NOON)
    letter = first(connection)
    assert letter.notice == notice(number=2, reason="more", count=8, fresh=3)
    assert (letter.reason, letter.in_part) == ("", False), "nobody has it"

    outbox.put(connection, "mail", notice(number=3, reason="more", count=9, fresh=1), NOON)
    assert first(connection).notice == notice(number=3, reason="more", count=9, fresh=4)
    in_part(connection)
    outbox.put(connection, "mail", notice(number=4, reason="repeat", count=9, fresh=0), NOON)
    assert first(connection).notice == notice(number=4, reason="repeat", count=9, fresh=0)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("all_get_it", [False, True])
def test_what_came_while_it_was_told_to_some_or_to_the_others_alone_is_fresh(
    connection: Connection,
    before: bool,  # noqa: FBT001 - a parameter of the test: some had it by then
    all_get_it: bool,  # noqa: FBT001
) -> None:
    outbox.put(connection, "mail", notice(count=5, fresh=5), NOON)
    if before:
        in_part(connection)
    on_its_way = first(connection)
    outbox.put(connection, "mail", notice(number=2, reason="more", count=8, fresh=3), NOON)
    if all_get_it:
        outbox.told(connection, on_its_way, Receipt(), LATER)
    else:
        in_part(connection, on_its_way)

    letter = first(connection)
    assert letter.notice == notice(number=2, reason="more", count=8, fresh=3)
    assert (letter.reason, letter.in_part, letter.due) == ("", False, LATER)


def test_what_some_people_have_and_others_refuse_is_tried_again_as_a_whole(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(fresh=5), NOON)
    in_part(connection)
    outbox.refused(connection, first(connection), "spam", LATER)
    [aside] = outbox.set_aside(connection)
    assert not aside.in_part
    assert recall.again(connection, "mail", LATER) == 1
    outbox.put(connection, "mail", notice(number=2, reason="more", fresh=3), NOON)

    assert first(connection).notice == notice(number=2, reason="new", fresh=8)


def test_what_people_gave_up_while_it_was_told_to_some_stays_away(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    letter = first(connection)
    connection.execute(delete(schema.outbox))
    in_part(connection, letter)

    assert outbox.next_of(connection, "mail", FOREVER) is None


def test_what_was_refused_is_set_aside_and_holds_up_nothing(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    outbox.put(connection, "mail", notice("b" * 32), NOON)
    outbox.refused(connection, first(connection), "no such mailbox", LATER)

    assert first(connection).notice.group == "b" * 32
    [aside] = outbox.set_aside(connection, "mail")
    assert (aside.notice, aside.reason) == (notice(), "no such mailbox")
    assert list(outbox.set_aside(connection, "hive")) == []
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused, standing.told) == (1, 1, 0)


def test_what_grew_while_it_was_refused_is_tried_once_more(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    on_its_way = first(connection)
    outbox.put(connection, "mail", notice(number=2, reason="more"), NOON)
    outbox.refused(connection, on_its_way, "too large", LATER)

    assert first(connection).notice.number == 2


def test_what_was_refused_is_no_news_once_a_later_notice_was_told(connection: Connection) -> None:
    """However long ago that was; what was refused since, or of another group or by another one, is."""
    for group, receiver in ((A, "mail"), (A, "hive"), (B, "mail")):
        outbox.put(connection, receiver, notice(group), NOON)
        outbox.refused(connection, first(connection, receiver), "full", NOON)
    outbox.put(connection, "mail", notice(A, number=2, reason="more"), NOON)
    outbox.told(connection, first(connection), Receipt(), NOON)
    outbox.put(connection, "mail", notice(A, number=3, reason="more"), NOON)
    outbox.refused(connection, first(connection), "full", NOON)

    def aside() -> list[tuple[str, str, int]]:
        found = outbox.set_aside(connection)
        return sorted((each.receiver, each.notice.group, each.notice.number) for each in found)

    assert aside() == [("hive", A, 1), ("mail", A, 3), ("mail", B, 1)]
    outbox.forget(connection, NOON + letters.KEPT + timedelta(days=1))
    assert aside() == [("hive", A, 1), ("mail", A, 3), ("mail", B, 1)]
    assert recall.again(connection, "mail", LATER) == 2
    outbox.told(connection, first(connection), Receipt(), LATER)
    outbox.told(connection, first(connection), Receipt(), LATER)
    assert aside() == [("hive", A, 1)]
    assert recall.again(connection, "mail", LATER) == 0


def test_a_notice_that_is_told_again_takes_away_no_later_one_that_was_refused(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    outbox.told(connection, first(connection), Receipt(), NOON)
    outbox.put(connection, "mail", notice(number=2, reason="more"), NOON)
    outbox.refused(connection, first(connection), "full", NOON)

    assert recall.replay(connection, "mail", NOON, LATER) == 1
    assert first(connection).notice.number == 1
    outbox.told(connection, first(connection), Receipt(), LATER)
    assert recall.again(connection, "mail", LATER) == 1
    assert first(connection).notice.number == 2


def test_what_was_told_long_ago_is_forgotten_and_nothing_else(connection: Connection) -> None:
    for group in ("a" * 32, "b" * 32, "c" * 32):
        outbox.put(connection, "mail", notice(group), NOON)
    outbox.told(connection, first(connection), Receipt(), NOON)
    outbox.refused(connection, first(connection), "full", NOON)

    assert outbox.forget(connection, NOON + letters.KEPT) == 0
    assert outbox.forget(connection, NOON + letters.KEPT + timedelta(seconds=1)) == 1
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused, standing.told) == (1, 1, 0)
    assert outbox.forget(connection, NOON + letters.KEPT_ASIDE + timedelta(seconds=1)) == 1
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused, standing.told) == (1, 0, 0)


@pytest.mark.parametrize("damage", [b"{", b'{"group":"\xff"}'])
def test_a_letter_that_is_damaged_is_set_aside(connection: Connection, damage: bytes) -> None:
    for group in "ab":
        outbox.put(connection, "mail", notice(group * 32), NOON)
    connection.execute(update(schema.outbox).where(schema.outbox.c.number == 1).values(notice=damage))

    with pytest.raises(UnreadableError):
        outbox.next_of(connection, "mail", FOREVER)
    assert outbox.skip_unreadable(connection, "mail", LATER) == 1
    assert first(connection).notice.group == "b" * 32
    assert outbox.skip_unreadable(connection, "mail", LATER) == 0
    assert outbox.skip_unreadable(connection, "nobody", LATER) == 0
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused) == (1, 1)
    assert list(outbox.set_aside(connection)) == [], "there is nothing to show of it"


def test_a_letter_that_grew_and_was_damaged_while_it_was_told_is_set_aside(connection: Connection) -> None:
    outbox.put(connection, "mail", notice(), NOON)
    on_its_way = first(connection)
    outbox.put(connection, "mail", notice(number=2, reason="more"), NOON)
    connection.execute(update(schema.outbox).values(notice=b'{"group":"\xff"}'))
    outbox.told(connection, on_its_way, Receipt("~1"), LATER)

    assert outbox.next_of(connection, "mail", FOREVER) is None
    [standing] = outbox.standings(connection)
    assert (standing.waiting, standing.refused) == (0, 1)


def test_a_rolled_back_decision_tells_nobody(engine: Engine) -> None:
    with engine.connect().execution_options(writing=True) as connection:
        outbox.put(connection, "mail", notice(), NOON)
        connection.rollback()
    with reading(engine) as connection:
        assert outbox.next_of(connection, "mail", FOREVER) is None


def test_times_and_texts_survive(connection: Connection) -> None:
    odd = replace(
        notice(), client_name="Ünï\N{BELL}", first=datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
    )
    outbox.put(connection, "mail", odd, NOON)

    assert first(connection).notice == odd

"""Whom a mail is sent to once more, and until when."""

from email.message import EmailMessage

from artemis_agent import owed
from artemis_agent.owed import Letter, Refused

GONE = Refused("a@x.example", "550 gone", again=False)
FULL = Refused("b@x.example", "452 full", again=True)
LATER = Refused("c@x.example", "451 later", again=True)


def letter(*refused: Refused) -> Letter:
    return Letter(EmailMessage(), refused, 0.0)


def test_those_are_tried_again_who_may_get_it_later() -> None:
    made = letter(GONE, FULL, LATER)

    assert made.whom == ("b@x.example", "c@x.example")
    assert made.problem == "not told: a@x.example: 550 gone; b@x.example: 452 full; c@x.example: 451 later"
    assert not letter(GONE).whom


def test_who_has_it_is_not_tried_again() -> None:
    made = letter(FULL, LATER)
    made.tried([LATER], 60)
    assert made.whom == ("c@x.example",)
    made.tried([], 120)

    assert not made.whom
    assert not made.problem


def test_who_is_refused_for_good_by_then_stays_told() -> None:
    made = letter(GONE, FULL)
    made.tried([Refused("b@x.example", "550 gone, too", again=False)], 60)

    assert not made.whom
    assert made.problem == "not told: a@x.example: 550 gone; b@x.example: 550 gone, too"


def test_what_is_known_of_each_stays_where_no_mail_left() -> None:
    """A server may hang up before it has said of all whether it takes them."""
    made = letter(GONE, FULL, LATER)
    made.failed([], 60)
    assert made.refused == (GONE, FULL, LATER)
    made.failed([Refused("b@x.example", "550 gone, too", again=False)], 120)

    assert made.whom == ("c@x.example",)
    assert (
        made.problem == "not told: a@x.example: 550 gone; b@x.example: 550 gone, too; c@x.example: 451 later"
    )


def test_pauses_grow_and_end_within_an_hour() -> None:
    made, now, tried = letter(FULL), 0.0, []
    while made.whom:
        now += 5
        if made.is_due(now):
            tried.append(now)
            made.failed([], now)

    assert 4 <= len(tried) <= 10
    assert tried[0] <= owed.FIRST_PAUSE + 5
    assert tried[-1] <= owed.MOST_SECONDS + 5
    assert made.problem == "not told: b@x.example: 452 full"

"""Who does not have a mail yet: those who were put off, for a day, and nobody else."""

from zeus_hub.receivers.remainder import LONGEST, MOST, Remainders

A, B, C = "a@x.example", "b@x.example", "c@x.example"
LATER, NEVER = (450, "greylisted"), (550, "no such user")


def test_of_a_mail_of_which_nothing_is_known_nobody_has_anything() -> None:
    assert Remainders([A, B], lambda: 5.0).of("k.1").recipients == (A, B)


def test_what_is_left_is_for_those_who_were_put_off_and_knows_whom_it_never_reaches() -> None:
    remainders = Remainders([A, B, C], lambda: 0.0)

    left = remainders.note("k.1", remainders.of("k.1"), {B: LATER, C: NEVER})
    assert left == remainders.of("k.1")
    assert (left.recipients, left.lost) == ((B,), (f"{C} does not get it: 550 no such user",))

    assert remainders.note("k.1", left, {}).lost == left.lost
    assert remainders.of("k.1").recipients == (A, B, C), "it is over, and forgotten"


def test_a_day_after_the_first_attempt_it_is_over() -> None:
    now = [0.0]
    remainders = Remainders([A, B], lambda: now[0])
    for now[0] in (0.0, LONGEST - 1):
        assert remainders.note("k.1", remainders.of("k.1"), {B: LATER}).recipients == (B,)

    now[0] = LONGEST
    left = remainders.note("k.1", remainders.of("k.1"), {B: LATER})
    assert (left.recipients, left.lost) == ((), (f"{B} does not get it: 450 greylisted",))


def test_of_too_many_mails_those_that_were_not_tried_for_longest_are_forgotten() -> None:
    remainders = Remainders([A, B], lambda: 0.0)
    for number in (*range(MOST), 0, MOST):
        remainders.note(f"k.{number}", remainders.of(f"k.{number}"), {B: LATER})

    known = [remainders.of(f"k.{number}").recipients == (B,) for number in range(MOST + 1)]
    assert [number for number, is_known in enumerate(known) if not is_known] == [1]

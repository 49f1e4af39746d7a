"""Who does not have a mail yet: those who were put off, for a day, and nobody else."""

from zeus_hub.receivers.remainder import LONGEST, MOST, Remainder, Remainders

A, B, C = "a@x.example", "b@x.example", "c@x.example"
LATER, NEVER = (450, "greylisted"), (550, "no such user")
LOST = f"{B} does not get it: 450 greylisted"


def noted(remainders: Remainders, key: str, refused: dict[str, tuple[int, str]]) -> Remainder:
    """Try a mail of the thread "k"."""
    return remainders.note("k", key, remainders.of("k", key), refused)


def test_of_a_mail_of_which_nothing_is_known_nobody_has_anything() -> None:
    assert Remainders([A, B], lambda: 5.0).of("k", "k.1").recipients == (A, B)


def test_what_is_left_is_for_those_who_were_put_off_and_knows_whom_it_never_reaches() -> None:
    remainders = Remainders([A, B, C], lambda: 0.0)

    left = noted(remainders, "k.1", {B: LATER, C: NEVER})
    assert left == remainders.of("k", "k.1")
    assert (left.recipients, left.lost) == ((B,), (f"{C} does not get it: 550 no such user",))

    assert noted(remainders, "k.1", {}).lost == left.lost
    assert remainders.of("k", "k.1").recipients == (A, B, C), "it is over, and forgotten"


def test_a_day_after_the_first_attempt_it_is_over() -> None:
    now = [0.0]
    remainders = Remainders([A, B], lambda: now[0])
    for now[0] in (0.0, LONGEST - 1):
        assert noted(remainders, "k.1", {B: LATER}).recipients == (B,)

    now[0] = LONGEST
    left = noted(remainders, "k.1", {B: LATER})
    assert (left.recipients, left.lost) == ((), (LOST,))


def test_the_day_is_over_whatever_comes_in_the_thread_meanwhile_until_one_is_taken() -> None:
    now = [0.0]
    remainders = Remainders([A, B], lambda: now[0])
    for hour in range(24):
        now[0] = hour * 3600.0
        assert noted(remainders, f"k.{hour}", {B: LATER}).recipients == (B,)
    for hour in (24, 25):
        now[0] = hour * 3600.0
        left = noted(remainders, f"k.{hour}", {B: LATER})
        assert (left.recipients, left.lost) == ((), (LOST,)), "at the first attempt"

    assert noted(remainders, "k.26", {}) == Remainder(())
    assert noted(remainders, "k.27", {B: LATER}).recipients == (B,), "a new day"


def test_who_is_put_off_in_one_thread_is_not_in_another() -> None:
    now = [0.0]
    remainders = Remainders([A, B], lambda: now[0])
    noted(remainders, "k.1", {B: LATER})
    now[0] = LONGEST

    assert remainders.of("m", "m.1").recipients == (A, B)
    assert remainders.note("m", "m.1", remainders.of("m", "m.1"), {B: LATER}).recipients == (B,)


def test_a_new_mail_is_for_those_first_who_wait_longest_where_a_server_takes_few_at_a_time() -> None:
    now = [0.0]
    remainders = Remainders([A, B, C], lambda: now[0])
    got = []
    for number in range(6):
        now[0] += 60.0
        first, *others = remainders.of("k", f"k.{number}").recipients
        noted(remainders, f"k.{number}", dict.fromkeys(others, LATER))
        got.append(first)

    assert got == [A, B, C, A, B, C]


def test_of_too_many_threads_those_that_were_not_tried_for_longest_are_forgotten() -> None:
    remainders = Remainders([A, B], lambda: 0.0)
    for number in (*range(MOST), 0, MOST):
        thread, key = f"k{number}", f"k{number}.1"
        remainders.note(thread, key, remainders.of(thread, key), {B: LATER})

    known = [remainders.of(f"k{number}", f"k{number}.1").recipients == (B,) for number in range(MOST + 1)]
    assert [number for number, is_known in enumerate(known) if not is_known] == [1]

"""What people at a receiver made of groups: whose word counts, which word counts, and what is kept of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from socme.text import clean
from tests.zeus_hub.noticed import FOREVER, NOON, notice
from tests.zeus_hub.receivers.thehive.notices import UNHURRIED
from tests.zeus_hub.receivers.thehive.test_outcome import ALERT, CASE
from tests.zeus_hub.receivers.thehive.test_standing import anything
from zeus_hub import letters, outbox, outcomes
from zeus_hub.database import writing
from zeus_hub.receivers.contract import Receipt
from zeus_hub.receivers.thehive.outcome import (
    LONGEST_SUMMARY,
    MOST_SEEN,
    Mark,
    Outcome,
    of_alert,
    of_case,
)

pytestmark = pytest.mark.usefixtures("both")

A, B = "a" * 32, "b" * 32
IMPORTED = Outcome(of="alert", group=A, reference="~1", stage="Imported", case="~2", number=7, at=NOON)
CLOSED = replace(IMPORTED, of="case", stage="Closed", status="TruePositive", summary="Blocked.")


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return a transaction in which the hive was to be told of A and B."""
    with writing(engine) as made:
        for group in (A, B):
            outbox.put(made, "hive", notice(group), NOON)
        yield made


def keep(
    connection: Connection,
    *made: Outcome,
    receiver: str = "hive",
    organisation: str = "acme",
    client: str = "acme",
) -> None:
    outcomes.keep(connection, receiver, organisation, made, lambda each: each == client)


def stands(connection: Connection, group: str = A, receiver: str = "hive") -> Outcome | None:
    return outcomes.of_groups(connection, [group]).get((group, receiver))


def test_what_was_kept_is_found_again_whole(connection: Connection) -> None:
    made = replace(CLOSED, impact="NoImpact", summary="Ünï \N{BELL} " + "x" * 3000)
    keep(connection, made)

    assert stands(connection) == made
    assert stands(connection, B) is None
    assert stands(connection, receiver="soc") is None


def test_a_later_word_takes_the_place_of_an_earlier_one(connection: Connection) -> None:
    keep(connection, replace(IMPORTED, stage="New", case="", number=0), IMPORTED)
    assert stands(connection) == IMPORTED
    ignored = replace(IMPORTED, stage="Closed", status="Ignored")
    keep(connection, ignored)
    keep(connection, ignored)
    assert stands(connection) == ignored


def test_of_a_group_that_nobody_was_told_of_nothing_is_kept(connection: Connection) -> None:
    for group in ("c" * 32, "A" * 32, A + "\n", "", "'; --", "\ud800" * 32, "\0" * 32):
        keep(connection, replace(IMPORTED, group=group))
        assert outcomes.of_groups(connection, [A]) == {}
    keep(connection, IMPORTED, receiver="soc")
    assert outcomes.of_groups(connection, [A]) == {}


def test_an_organisation_has_nothing_to_say_of_another_ones_clients(connection: Connection) -> None:
    keep(connection, IMPORTED, organisation="globex", client="beta")
    assert stands(connection) is None
    keep(connection, IMPORTED)
    keep(connection, replace(IMPORTED, stage="Closed"), organisation="globex", client="beta")
    assert stands(connection) == IMPORTED


def test_people_may_take_longer_than_the_outbox_remembers(connection: Connection) -> None:
    keep(connection, replace(IMPORTED, stage="New"))
    for _ in "AB":
        letter = outbox.next_of(connection, "hive", FOREVER)
        assert letter
        outbox.told(connection, letter, Receipt("~1"), NOON)
    assert outbox.forget(connection, NOON + 2 * letters.KEPT) == 2
    keep(connection, CLOSED)

    assert stands(connection) == CLOSED


@pytest.mark.parametrize(
    ("alert", "case", "counts"),
    [
        (IMPORTED, CLOSED, CLOSED),
        (replace(IMPORTED, at=NOON + timedelta(hours=1)), CLOSED, CLOSED),
        (replace(IMPORTED, case="", at=NOON - timedelta(hours=1)), CLOSED, CLOSED),
        (
            replace(IMPORTED, case="~9", at=NOON + timedelta(hours=1)),
            CLOSED,
            replace(IMPORTED, case="~9", at=NOON + timedelta(hours=1)),
        ),
        (None, CLOSED, CLOSED),
        (IMPORTED, None, IMPORTED),
    ],
    ids=["case", "alert updated since", "alert not read yet", "another case", "no alert", "no case"],
)
def test_the_case_counts_as_long_as_the_alert_is_in_it(
    connection: Connection, alert: Outcome | None, case: Outcome | None, counts: Outcome
) -> None:
    keep(connection, *(each for each in (alert, case) if each))

    assert stands(connection) == counts


@settings(UNHURRIED, suppress_health_check=list(HealthCheck))
@example([{"number": True}])
@given(st.lists(st.dictionaries(st.sampled_from([*ALERT, *CASE]), anything), max_size=4))
def test_whatever_a_thehive_answers_can_be_kept(engine: Engine, rows: list[dict[str, Any]]) -> None:
    """The database is the same for all examples; nothing of one stays in it."""
    ours = ALERT | {"sourceRef": A}
    told = [of_alert({**ours, **row}, type_="socme", source="zeus") for row in rows]
    cases = [of_case({**CASE, **row}, [ours, row], type_="socme", source="zeus") for row in rows]
    made = [each for each in told if each] + [each for case in cases for each in case]
    with engine.connect().execution_options(writing=True) as connection:
        outbox.put(connection, "hive", notice(A), NOON)
        keep(connection, *made)
        found = stands(connection)

    assert (found is not None) == any(each.group == A for each in made)
    assert found is None or found.summary == clean(found.summary, LONGEST_SUMMARY)


def test_a_mark_is_kept_for_each_organisation_and_kind(connection: Connection) -> None:
    first, second = Mark(5, (("~1", 4), ("~2", 5))), Mark(2**53, behind=True)
    outcomes.put_mark(connection, "hive", "acme", "alert", Mark(1))
    outcomes.put_mark(connection, "hive", "acme", "alert", first)
    outcomes.put_mark(connection, "hive", "acme", "case", second)

    assert outcomes.mark(connection, "hive", "acme", "alert") == first
    assert outcomes.mark(connection, "hive", "acme", "case") == second
    assert outcomes.mark(connection, "hive", "globex", "case") is None
    assert outcomes.mark(connection, "other", "acme", "case") is None


def test_the_longest_mark_is_small_enough_to_be_written_often(connection: Connection) -> None:
    longest = Mark(2**50, tuple((f"~{2**60 + each}", 2**50) for each in range(MOST_SEEN)))
    outcomes.put_mark(connection, "hive", "acme", "alert", longest)

    assert outcomes.mark(connection, "hive", "acme", "alert") == longest


def test_what_nobody_has_changed_for_long_is_forgotten(connection: Connection) -> None:
    keep(connection, IMPORTED, replace(CLOSED, at=NOON + timedelta(days=1)))

    assert outcomes.forget(connection, NOON + outcomes.KEPT) == 0
    assert outcomes.forget(connection, NOON + outcomes.KEPT + timedelta(hours=1)) == 1
    assert stands(connection) == replace(CLOSED, at=NOON + timedelta(days=1))

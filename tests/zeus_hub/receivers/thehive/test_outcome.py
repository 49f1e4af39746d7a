"""What people made of our alerts: by stage, each change once, and nothing that is not ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zeus_hub.receivers.thehive.notices import UNHURRIED
from tests.zeus_hub.receivers.thehive.test_standing import anything
from zeus_hub.receivers.thehive import outcome
from zeus_hub.receivers.thehive.outcome import OVERLAP, Cursor, Hint, Mark, following, fresh, hint, moved

ALERT: dict[str, Any] = {
    "_id": "~1",
    "_updatedAt": 1_790_000_000_000,
    "type": "socme",
    "source": "zeus",
    "sourceRef": "0" * 32,
    "stage": "Imported",
    "status": "Was Imported",
    "caseId": "~2",
    "extraData": {"caseNumber": 7},
}
CASE: dict[str, Any] = {
    "_id": "~2",
    "_updatedAt": 1_790_000_000_000,
    "number": 7,
    "stage": "Closed",
    "status": "Resolved (true)",
    "summary": "Blocked\nthe\u202e source",
    "impactStatus": "NoImpact",
}


def of_alert(row: dict[str, Any]) -> outcome.Outcome | None:
    return outcome.of_alert(row, type_="socme", source="zeus")


def test_an_alert_that_became_a_case_says_which() -> None:
    found = of_alert(ALERT)

    assert found is not None
    assert (found.of, found.group, found.reference, found.stage) == ("alert", "0" * 32, "~1", "Imported")
    assert (found.case, found.number, found.status) == ("~2", 7, "Was Imported")
    assert found.at.isoformat() == "2026-09-21T14:13:20+00:00"


def test_a_case_tells_each_alert_of_ours_how_it_was_resolved() -> None:
    linked = [ALERT, {**ALERT, "_id": "~3", "sourceRef": "1" * 32}, {**ALERT, "source": "misp"}, {}]

    found = outcome.of_case(CASE, linked, type_="socme", source="zeus")

    assert [(each.group, each.reference) for each in found] == [("0" * 32, "~1"), ("1" * 32, "~3")]
    assert {(each.of, each.stage, each.status) for each in found} == {("case", "Closed", "Resolved (true)")}
    assert {(each.number, each.impact, each.summary) for each in found} == {
        (7, "NoImpact", "Blocked the\ufffd source")
    }


@pytest.mark.parametrize(
    "change",
    [
        {"type": "misp"},
        {"source": "other"},
        {"stage": "Gone"},
        {"_updatedAt": None},
        {"_updatedAt": 10**30},
        {"_updatedAt": -1},
        {"_id": 1},
        {"_id": "~1\ud800"},
        {"_id": "~" * 65},
        {"_id": ""},
        {"sourceRef": 1},
    ],
)
def test_what_is_not_ours_or_makes_no_sense_is_nothing(change: dict[str, Any]) -> None:
    assert of_alert({**ALERT, **change}) is None


def test_a_case_with_a_number_beyond_all_sense_has_none() -> None:
    (found,) = outcome.of_case({**CASE, "number": 10**30}, [ALERT], type_="socme", source="zeus")

    assert found.number == 0
    assert outcome.of_case(CASE, [{**ALERT, "_id": "x" * 100}], type_="socme", source="zeus") == []


@UNHURRIED
@given(st.dictionaries(st.sampled_from([*ALERT, *CASE]), anything))
def test_no_answer_is_an_error(row: dict[str, Any]) -> None:
    of_alert({**ALERT, **row})
    outcome.of_case({**CASE, **row}, [ALERT, row], type_="socme", source="zeus")
    fresh([row], set())
    following(Cursor(0), [row])


@UNHURRIED
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=60),
    st.integers(1, 5),
    st.integers(0, 20),
)
def test_pages_by_time_hold_every_change_once(changes: list[tuple[int, int]], size: int, start: int) -> None:
    """Against a list that is filtered, sorted and cut as TheHive does it."""
    held = [{"_id": f"~{number}", "_updatedAt": at} for number, (at, _) in enumerate(changes)]
    ordered = sorted(held, key=lambda row: int(str(row["_updatedAt"])))
    cursor, seen, found = Cursor(start), set[tuple[str, int]](), list[Any]()
    for _ in range(200):
        above = [row for row in ordered if int(str(row["_updatedAt"])) >= cursor.since]
        page = above[cursor.offset : cursor.offset + size]
        found += fresh(page, seen)
        cursor = following(cursor, page)
        if len(page) < size:
            break
    else:
        pytest.fail("it never ends")

    assert found == [row for row in ordered if int(str(row["_updatedAt"])) >= start]


def test_the_mark_moves_on_and_remembers_what_will_be_read_again() -> None:
    changes = {("~1", 10 * OVERLAP), ("~2", 10 * OVERLAP - 5), ("~3", 2000)}
    first = moved(Mark(1000), changes, now=11 * OVERLAP)

    assert first == Mark(10 * OVERLAP, (("~2", 10 * OVERLAP - 5), ("~1", 10 * OVERLAP)))
    assert first.since == 9 * OVERLAP
    assert moved(first, first.seen, now=11 * OVERLAP) == first
    assert Mark(7).since == 0


def test_where_there_is_more_than_was_read_the_mark_stands_where_reading_ended() -> None:
    """Also where that is within what is read again: the rest of it is not passed over."""
    before = Mark(10 * OVERLAP)
    after = moved(before, {("~1", 9 * OVERLAP), ("~2", 9 * OVERLAP + 7)}, now=0, upto=9 * OVERLAP + 7)

    assert (after.behind, after.since) == (True, 9 * OVERLAP + 7)
    assert {name for name, _ in after.seen} == {"~1", "~2"}


def test_a_change_of_the_future_hides_nothing_that_comes_before_it() -> None:
    now = 10 * OVERLAP
    mark = moved(Mark(now - 10), {("~1", 1000 * OVERLAP), ("~2", now - 5)}, now=now)

    assert mark.at == now
    assert mark.seen == (("~2", now - 5), ("~1", 1000 * OVERLAP))
    assert moved(Mark(1000 * OVERLAP), (), now=now).at == now


def test_marks_of_the_same_changes_are_the_same() -> None:
    changes = [(f"~{each}", 5) for each in range(50)]

    assert moved(Mark(0), changes, now=9) == moved(Mark(0), changes[::-1], now=9)


def test_what_a_mark_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "MOST_SEEN", 3)

    assert moved(Mark(0), {(f"~{each}", each) for each in range(9)}, now=OVERLAP).seen == (
        ("~6", 6),
        ("~7", 7),
        ("~8", 8),
    )


def test_a_webhook_names_what_to_read_again() -> None:
    body = {
        "_type": "Audit",
        "action": "update",
        "objectType": "Case",
        "objectId": "~42",
        "object": {"_id": "~42", "stage": "Closed"},
        "details": {"status": "TruePositive"},
        "organisation": {"organisationId": "~8", "organisation": "acme"},
    }

    assert hint(json.dumps(body).encode()) == Hint("case", "~42")
    assert hint(json.dumps({"objectType": "alert", "objectId": "~1"}).encode()) == Hint("alert", "~1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"objectType":"Task","objectId":"~1"}',
        b'{"objectType":"Case","objectId":"1"}',
        b'{"objectType":"Case","objectId":"~1/../~2"}',
        b'{"objectType":"Case","objectId":"~1\\n"}',
        b'{"objectType":["Case"],"objectId":"~1"}',
        b'{"objectType":"Case","objectId":{"~1":1}}',
        b'{"objectType":"Case","objectId":"~' + b"1" * 100 + b'"}',
        b'{"objectType":"Case","objectId":"~1"}' + b" " * outcome.LARGEST_HINT,
    ],
)
def test_a_body_that_names_nothing_is_nothing(body: bytes) -> None:
    assert hint(body) is None


@UNHURRIED
@given(st.one_of(st.binary(), anything.map(lambda told: json.dumps(told).encode())))
def test_no_body_is_an_error(body: bytes) -> None:
    hint(body)

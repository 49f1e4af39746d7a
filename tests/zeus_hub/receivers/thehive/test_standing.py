"""What a TheHive says of itself, and what it means."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zeus_hub.receivers.thehive.notices import UNHURRIED
from zeus_hub.receivers.thehive import standing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THEN = round(datetime(2026, 3, 20, tzinfo=UTC).timestamp() * 1000)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@pytest.mark.parametrize("number", ["5.0.0", "5.7.3-1", "6.0", "10"])
def test_versions_that_speak_our_language_pass(number: str) -> None:
    assert standing.too_old(standing.version({"version": number})) == ""


@pytest.mark.parametrize("number", ["4.1.24", "3.5", "", "x"])
def test_versions_that_do_not_are_named(number: str) -> None:
    assert f"TheHive {number}" in standing.too_old(number)


def test_thehive_4_is_known_by_its_status() -> None:
    assert standing.version_of_4({"versions": {"TheHive": "4.1.24"}}) == "4.1.24"
    assert standing.version({"versions": {"TheHive": "4.1.24"}}) == ""


@pytest.mark.parametrize(
    ("licence", "trouble", "note"),
    [
        ({"isValid": True}, "", ""),
        ({"isValid": True, "expiresAt": THEN}, "", "its licence ends on 2026-03-20"),
        ({"isValid": True, "expiresAt": "2026-03-20T00:00:00Z"}, "", "its licence ends on 2026-03-20"),
        ({"isValid": True, "expiresAt": "2027-03-20"}, "", ""),
        ({"isValid": False}, "it has ended", ""),
        ({"isValid": False, "error": "no\nlicence"}, "no\ufffdlicence", ""),
        ({"isValid": True, "expiresAt": "2026-02-28"}, "it has ended", "its licence ends on 2026-02-28"),
        ({"expiresAt": "soon"}, "", ""),
        (None, "", ""),
    ],
)
def test_a_licence_is_good_or_ends_soon_or_is_the_trouble(licence: object, trouble: str, note: str) -> None:
    found = standing.licence_trouble(licence, NOW)

    assert trouble in found
    assert bool(found) == bool(trouble)
    assert standing.licence_note(licence, NOW).startswith(note)
    assert bool(standing.licence_note(licence, NOW)) == bool(note)


def test_a_permission_may_be_given_whole() -> None:
    assert standing.missing({"permissions": ["manageAlert", *standing.NEEDED[2:]]}) == []
    assert standing.missing({"permissions": ["manageAlert/create"]}) == list(standing.NEEDED[1:])
    assert standing.missing({}) is None


@UNHURRIED
@given(anything)
def test_nothing_that_is_said_is_an_error(told: Any) -> None:  # noqa: ANN401 - anything
    for each in (
        told,
        {"version": told, "versions": told},
        {"isValid": False, "error": told, "expiresAt": told},
    ):
        standing.version(each)
        standing.version_of_4(each)
        standing.licence_trouble(each, NOW)
        standing.licence_note(each, NOW)
        standing.missing(each)
        standing.missing({"permissions": each})
        standing.organisation(each)

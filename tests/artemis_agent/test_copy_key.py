"""The key of an alert and its copy is the same everywhere and for ever: it lies on disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.copy_key import copy_key

TIME = "2026-11-16T06:06:14.109831+0000"


def test_the_key_is_the_same_in_every_version() -> None:
    """A change here makes a node forget which copies it has seen."""
    assert copy_key(TIME, "2200074", "478019051995494") == 6786204143846960231


@pytest.mark.parametrize(
    "other",
    [
        ("2026-11-16T06:06:14.109832+0000", "2200074", "478019051995494"),
        (TIME, "2200073", "478019051995494"),
        (TIME, "2200074", "478019051995495"),
        (TIME, "2200074", ""),
        (TIME, "22000744", "78019051995494"),
    ],
)
def test_every_part_counts(other: tuple[str, str, str]) -> None:
    assert copy_key(*other) != copy_key(TIME, "2200074", "478019051995494")


def test_keys_of_one_minute_lie_together() -> None:
    keys = {copy_key(f"2026-11-16T06:06:{second:02}.000000+0000", "1", "2") >> 43 for second in range(60)}
    assert len(keys) == 1
    assert copy_key("2026-11-16T06:07:00.000000+0000", "1", "2") >> 43 not in keys


def test_keys_of_one_minute_differ() -> None:
    keys = {copy_key(TIME, "2200074", str(flow)) for flow in range(20_000)}
    assert len(keys) == 20_000


@given(st.text(alphabet=st.characters()), st.text(), st.text())
def test_a_key_of_any_text_fits_a_database(timestamp: str, signature_id: str, flow_id: str) -> None:
    assert 0 <= copy_key(timestamp, signature_id, flow_id) < 2**63

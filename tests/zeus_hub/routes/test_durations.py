"""Spans of time as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.routes.durations import LONGEST, seconds, written


@pytest.mark.parametrize(
    ("text", "span"), [("0s", 0), ("30s", 30), ("5m", 300), ("4h", 14_400), ("365d", LONGEST)]
)
def test_a_span_has_a_number_and_a_unit(text: str, span: float) -> None:
    assert seconds(text) == span


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "1.5h", "1 h", "1w", "366d", "999999999d", "9" * 99 + "s", "٣s", 30, None]
)
def test_anything_else_is_refused_with_what_to_write(text: object) -> None:
    with pytest.raises(ValueError, match="give "):
        seconds(text)


@given(st.integers(0, int(LONGEST)))
def test_what_is_written_is_read_again(span: int) -> None:
    assert seconds(written(span)) == span


def test_a_span_is_written_in_the_largest_unit() -> None:
    assert [written(span) for span in (90, 300, 14_400, 86_400)] == ["90s", "5m", "4h", "1d"]

"""Numbers as one line of text."""

import pytest

from zeus_hub.sparks import sparkline


@pytest.mark.parametrize(
    ("numbers", "top", "drawn"),
    [
        ([], None, ""),
        ([None, None], None, "  "),
        ([0, 0], None, "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], None, "▁▂▃▄▅▆▇█"),
        ([0, 1, None, 1000], 1000, "▁▂ █"),
        ([5, 5000, -3], 1000, "▂█▁"),
        ([1], 0, "▁"),
    ],
)
def test_a_line(numbers: list[float | None], top: float | None, drawn: str) -> None:
    assert sparkline(numbers, top) == drawn

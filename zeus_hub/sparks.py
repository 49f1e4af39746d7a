"""Numbers over time as one line of text, for a terminal. Pure."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
NOTHING = " "  # where nothing is known


def sparkline(numbers: Sequence[float | None], top: float | None = None) -> str:
    """Return one letter a number, the lowest bar for 0, the highest for `top` (else the largest of them)."""
    most = max((number for number in numbers if number is not None), default=0) if top is None else top
    return "".join(_bar(number, most) for number in numbers)


def _bar(number: float | None, most: float) -> str:
    if number is None:
        return NOTHING
    if number <= 0 or most <= 0:
        return BARS[0]
    # What is not nothing is seen as such.
    return BARS[max(1, min(round(number / most * (len(BARS) - 1)), len(BARS) - 1))]

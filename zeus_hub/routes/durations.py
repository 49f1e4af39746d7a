"""Spans of time as people write them in rules: "30s", "5m", "4h", "1d". Pure."""

import re

LONGEST = 365 * 86_400.0  # seconds; nobody waits longer, and no sum of two overflows

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,9})([smhd])")


def seconds(text: object) -> float:
    """Return a span in seconds; raise ValueError, which says what to write, for anything else."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError('give a number with s, m, h or d in quotes, as "30s", "5m", "4h" or "1d"')
    span = int(found[1]) * _UNITS[found[2]]
    if span > LONGEST:
        raise ValueError("give a year (365d) at the most")
    return float(span)


def written(span: float) -> str:
    """Return a span in the largest unit that it is whole in."""
    whole = int(span)
    unit = next(unit for unit in "dhms" if whole % _UNITS[unit] == 0)
    return f"{whole // _UNITS[unit]}{unit}"

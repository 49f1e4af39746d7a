"""For how long another side asks to be left alone, by an HTTP header that may hold anything. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds(header: str, now: datetime, *, most: float) -> float | None:
    """Return what a Retry-After says, as a number or a date, up to `most`; None where it says neither."""
    said = header.strip()
    try:
        asked = float(said) if said.isascii() and said.isdigit() else _until(said, now)
    except (ValueError, OverflowError):  # the parser's own ways to say no; a year may have a hundred digits
        return None
    return min(max(asked, 0.0), most)


def _until(date: str, now: datetime) -> float:
    until = parsedate_to_datetime(date)
    if until.tzinfo is None:  # "-0000": of UTC, too
        until = until.replace(tzinfo=UTC)
    return (until - now).total_seconds()

"""Whether a TheHive can be used, by what it says of itself and of the user: pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from socme.text import clean

SOON = timedelta(days=30)  # before which the end of a licence is worth a word
LONGEST_WORD = 200  # characters of what TheHive says
NEEDED = ("manageAlert/create", "manageAlert/update", "manageObservable", "manageProcedure", "manageComment")
"""Permissions, as TheHive's profiles name them."""
OLDEST = 5  # the version of TheHive's API that is spoken here


def version(public: object) -> str:
    """Return the version in TheHive's public status; empty where it is no such thing."""
    number = public.get("version") if isinstance(public, Mapping) else None
    return clean(number, LONGEST_WORD) if isinstance(number, str) else ""


def version_of_4(status: object) -> str:
    """Return the version in the status as TheHive 4 writes it; empty where it does not."""
    versions = status.get("versions") if isinstance(status, Mapping) else None
    number = versions.get("TheHive") if isinstance(versions, Mapping) else None
    return clean(number, LONGEST_WORD) if isinstance(number, str) else ""


def too_old(number: str) -> str:
    """Return what is wrong with a version; empty for nothing."""
    major = re.match(r"\d{1,6}", number)
    if major is not None and int(major[0]) >= OLDEST:
        return ""
    return (
        f"this is TheHive {number}, which would lose observables without a word: TheHive {OLDEST} is needed"
    )


def licence_trouble(licence: object, now: datetime) -> str:
    """Return why a licence forbids writing; empty where it does not, or says nothing."""
    if not isinstance(licence, Mapping):
        return ""
    end = expiry(licence)
    if licence.get("isValid") is not False and (end is None or end > now):
        return ""
    error = licence.get("error")
    why = clean(error, LONGEST_WORD) if isinstance(error, str) else "it has ended"
    return f"TheHive is read-only, for its licence is not valid ({why}): register one (Community is free)"


def licence_note(licence: object, now: datetime) -> str:
    """Return a word about a licence that ends soon; empty for none."""
    end = expiry(licence)
    if end is None or end > now + SOON:
        return ""
    return f"its licence ends on {end:%Y-%m-%d}, after which it is read-only"


def expiry(licence: object) -> datetime | None:
    """Return when a licence ends: milliseconds, or a date as ISO 8601 has it; None where it does not say."""
    end = licence.get("expiresAt") if isinstance(licence, Mapping) else None
    try:
        if isinstance(end, int | float):
            return datetime.fromtimestamp(end / 1000, UTC)
        moment = datetime.fromisoformat(end) if isinstance(end, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def missing(user: object) -> Sequence[str] | None:
    """Return which permissions a user lacks; None where TheHive does not say."""
    had = user.get("permissions") if isinstance(user, Mapping) else None
    if not isinstance(had, list):
        return None
    names = {str(each) for each in had}
    return [each for each in NEEDED if not names & {each, each.partition("/")[0]}]


def organisation(user: object) -> str:
    """Return for which organisation TheHive answered a user."""
    name = user.get("organisation") if isinstance(user, Mapping) else None
    return clean(name, LONGEST_WORD) if isinstance(name, str) else ""

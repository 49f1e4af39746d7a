"""What people made of alerts in TheHive, from what it answers: pure, and by `stage` alone.

Names of statuses are the administrators' own and are for showing only. Only what is ours, by type and source,
becomes an Outcome.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

from socme.text import clean

OVERLAP = 300_000  # milliseconds that are read again: changes become visible some time after their stamp
MOST_SEEN = 10_000  # changes of the overlap that are remembered; beyond it some are told twice
LONGEST_STATUS = 64  # characters
LONGEST_SUMMARY = 4000  # characters; people may write a million
LARGEST_HINT = 1024 * 1024  # bytes of a webhook's body
LATEST = 253_402_300_799_000  # milliseconds: the end of the year 9999
HIGHEST_NUMBER = 2**53  # of a case; what is higher is none

Stage = Literal["New", "InProgress", "Closed", "Imported"]
Kind = Literal["alert", "case"]
Row = Mapping[str, Any]

_STAGES: Mapping[str, Stage] = {
    "New": "New",
    "InProgress": "InProgress",
    "Closed": "Closed",
    "Imported": "Imported",
}
_KINDS: Mapping[str, Kind] = {"alert": "alert", "case": "case"}
_ID = re.compile(r"~\d{1,20}")
_NAME = re.compile(r"[!-~]{1,64}")  # an id in an answer: whatever looks like one


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an alert of ours stands in TheHive, or the case that it went into; the latest counts."""

    of: Kind
    group: str
    """Notice.group."""
    reference: str
    """TheHive's id of the alert, as in Receipt."""
    stage: Stage
    """Of the alert or of the case; only an alert is "Imported"."""
    status: str = ""
    """What TheHive's people call it, as "TruePositive": how a closed one was resolved."""
    summary: str = ""
    """What they wrote at the end."""
    impact: str = ""
    """Of a case, as "WithImpact"."""
    case: str = ""
    """TheHive's id of the case; empty where there is none."""
    number: int = 0
    """Of the case, for people; 0 where it is not known."""
    at: datetime
    """When TheHive last changed it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where changes in one organisation are known; the first is when the first alert is sent."""

    at: int
    """Milliseconds since 1970, by TheHive's clock."""
    seen: tuple[tuple[str, int], ...] = ()
    """Ids and times of changes in the overlap that were told."""
    behind: bool = False
    """Whether there was more than was read at once: the next poll goes on from here, without the overlap."""

    @property
    def since(self) -> int:
        """From when on to ask."""
        return self.at if self.behind else max(self.at - OVERLAP, 0)


@dataclass(frozen=True, slots=True)
class Cursor:
    """From where the next page is read: a time, and how many of that very time were read before."""

    since: int
    offset: int = 0


def changed(row: Row) -> tuple[str, int] | None:
    """Return the id of an object and when it was changed; None where it does not say."""
    name, at = row.get("_id"), row.get("_updatedAt")
    return (name, at) if _is_name(name) and _is_whole(at) and 0 <= at <= LATEST else None


def following(cursor: Cursor, page: Sequence[Row]) -> Cursor:
    """Return where the page after a page begins.

    By time, not by counting: what changes meanwhile moves to the end, and counting would pass over others.
    """
    last = max((change[1] for change in map(changed, page) if change), default=cursor.since)
    return Cursor(last) if last > cursor.since else Cursor(cursor.since, cursor.offset + len(page))


def fresh(rows: Iterable[Row], seen: set[tuple[str, int]]) -> list[Row]:
    """Return rows whose change was not seen, which it is from now on."""
    found = []
    for row in rows:
        change = changed(row)
        if change is not None and change not in seen:
            seen.add(change)
            found.append(row)
    return found


def moved(mark: Mark, seen: Iterable[tuple[str, int]], *, now: int, upto: int | None = None) -> Mark:
    """Return the mark after changes were seen.

    `now`, in milliseconds: a change that is stamped later, by a clock that was wrong there, must not hide
    what comes until then. `upto`: where there was more than was read, up to where it was.
    """
    latest = sorted(seen, key=lambda change: (change[1], change[0]))
    at = min(max(mark.at, latest[-1][1] if latest else 0), now) if upto is None else upto
    kept = [change for change in latest if change[1] >= at - OVERLAP]
    return Mark(at, tuple(kept[-MOST_SEEN:]), behind=upto is not None)


def of_alert(row: Row, *, type_: str, source: str) -> Outcome | None:
    """Return how an alert stands; None where it is not ours."""
    change, stage, group = changed(row), _STAGES.get(str(row.get("stage"))), row.get("sourceRef")
    ours = (row.get("type"), row.get("source")) == (type_, source)
    if not ours or change is None or stage is None or not isinstance(group, str):
        return None
    extra = row.get("extraData")
    return Outcome(
        of="alert",
        group=group,
        reference=change[0],
        stage=stage,
        status=_words(row.get("status"), LONGEST_STATUS),
        summary=_words(row.get("summary"), LONGEST_SUMMARY),
        case=_words(row.get("caseId"), LONGEST_STATUS),
        number=_number(extra.get("caseNumber") if isinstance(extra, Mapping) else None),
        at=_moment(change[1]),
    )


def of_case(row: Row, linked: Iterable[Row], *, type_: str, source: str) -> list[Outcome]:
    """Return how a case stands, once for each alert of ours that went into it."""
    change, stage = changed(row), _STAGES.get(str(row.get("stage")))
    if change is None or stage is None:
        return []
    return [
        Outcome(
            of="case",
            group=each["sourceRef"],
            reference=each["_id"],
            stage=stage,
            status=_words(row.get("status"), LONGEST_STATUS),
            summary=_words(row.get("summary"), LONGEST_SUMMARY),
            impact=_words(row.get("impactStatus"), LONGEST_STATUS),
            case=change[0],
            number=_number(row.get("number")),
            at=_moment(change[1]),
        )
        for each in linked
        if (each.get("type"), each.get("source")) == (type_, source)
        and isinstance(each.get("sourceRef"), str)
        and _is_name(each.get("_id"))
    ]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a webhook says has changed: something to read again, and nothing to believe."""

    kind: Kind
    id: str


def hint(body: bytes) -> Hint | None:
    """Return what to read again; None where a body names no alert or case. It may come from anybody."""
    if len(body) > LARGEST_HINT:
        return None
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    kind, name = _KINDS.get(str(told.get("objectType")).lower()), told.get("objectId")
    if kind is None or not isinstance(name, str) or not _ID.fullmatch(name):
        return None
    return Hint(kind, name)


def _words(value: object, longest: int) -> str:
    return clean(" ".join(value.split()), longest) if isinstance(value, str) else ""


def _is_whole(value: object) -> TypeGuard[int]:
    """Tell whether JSON's value is a whole number; Python's true and false are such, and PostgreSQL's not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> int:
    return value if _is_whole(value) and 0 < value <= HIGHEST_NUMBER else 0


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

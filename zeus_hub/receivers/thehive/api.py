"""The calls to TheHive that are made, one function each: what is asked, and what the answers mean.

Contents come from others: each value is looked at before it is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.line import (
    BAD_REQUEST,
    FORBIDDEN,
    NOT_FOUND,
    Answer,
    Line,
    not_thehive,
)

MOST_OBSERVABLES = 500  # of one alert, of which we know; no more are added
MOST_COMMENTS = 500  # that are looked through
MOST_PROCEDURES = 200
MOST_TYPES = 1000

Row = Mapping[str, Any]
Step = Mapping[str, Any]
Steps = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Key:
    """What TheHive knows an alert by within an organisation; there is no semicolon in it."""

    type: str
    source: str
    reference: str


@dataclass(frozen=True, slots=True)
class Held:
    """An alert that TheHive has."""

    id: str
    description: str
    severity: int
    tags: frozenset[str]
    stage: str
    """ "New", "InProgress", "Closed" or "Imported"."""
    observables: int
    fields: tuple[dict[str, Any], ...]
    """Custom fields that have a value, as they can be sent."""


class Api:
    """TheHive's API as a user sees it within one organisation."""

    def __init__(self, line: Line, organisation: str) -> None:
        self.organisation = organisation
        self._line = line

    async def find(self, key: Key) -> Held | None:
        """Return an alert; None where there is none. By its name first: a search may lag behind."""
        name = f"{key.type};{key.source};{key.reference}"
        found = await self.rows_of("get-alert", [{"_name": "getAlert", "idOrName": name}])
        return next(filter(None, (held(row, key) for row in found)), None) or await self._search(key)

    async def create(self, body: Row) -> Answer:
        """Make an alert."""
        return await self._send("POST", "/api/v1/alert", body)

    async def patch(self, alert: str, body: Row) -> Answer:
        """Change an alert."""
        return await self._send("PATCH", _path(alert), body)

    async def add_observables(self, alert: str, body: Row) -> Answer:
        """Add observables of one type to an alert."""
        return await self._send("POST", _path(alert, "observable"), body)

    async def add_procedure(self, alert: str, body: Row) -> Answer:
        """Add a technique to an alert."""
        return await self._send("POST", _path(alert, "procedure"), body)

    async def add_comment(self, alert: str, message: str) -> Answer:
        """Add a comment to an alert."""
        return await self._send("POST", _path(alert, "comment"), {"message": message})

    async def observables(self, alert: str) -> set[tuple[str, str]]:
        """Return types and data of what an alert has, at most MOST_OBSERVABLES."""
        rows = await self._of(alert, "observables", MOST_OBSERVABLES)
        return {(str(row.get("dataType")), str(row.get("data"))) for row in rows}

    async def techniques(self, alert: str) -> set[str]:
        """Return the ids of the techniques that an alert has."""
        return {str(row.get("patternId")) for row in await self._of(alert, "procedures", MOST_PROCEDURES)}

    async def comments(self, alert: str) -> list[str]:
        """Return the comments of an alert, at most MOST_COMMENTS."""
        return [str(row.get("message")) for row in await self._of(alert, "comments", MOST_COMMENTS)]

    async def types(self) -> dict[str, bool]:
        """Return the data types that observables may have here, but for files', and whether case matters."""
        steps: list[Step] = [{"_name": "listObservableType"}, {"_name": "page", "from": 0, "to": MOST_TYPES}]
        rows = await self.rows("observable-types", steps)
        values = [row for row in rows if row.get("isAttachment") is not True]
        return {str(row.get("name")): row.get("isCaseSensitive") is not False for row in values}

    async def licence(self) -> object:
        """Return what TheHive says of its licence; None where it says nothing."""
        answer = await self.get("/api/v1/status")
        told = answer.told()
        return told.get("license") if answer.good and isinstance(told, dict) else None

    async def get(self, path: str) -> Answer:
        """Return what stands at a path."""
        return await self._line.ask("GET", path, organisation=self.organisation)

    async def rows(self, name: str, steps: Steps, *, without: Sequence[str] = ()) -> list[Row]:
        """Return what a query finds, `without` fields that are long."""
        return self._rows(await self._query(name, steps, without))

    async def rows_of(self, name: str, steps: Steps, *, without: Sequence[str] = ()) -> list[Row]:
        """Return what a query that begins with one object finds; nothing where that is not there."""
        answer = await self._query(name, steps, without)
        return [] if _is_absent(answer) else self._rows(answer)

    async def _search(self, key: Key) -> Held | None:
        pairs = (("type", key.type), ("source", key.source), ("sourceRef", key.reference))
        same = [{"_eq": {"_field": field, "_value": value}} for field, value in pairs]
        steps: list[Step] = [
            {"_name": "listAlert"},
            {"_name": "filter", "_and": same},
            {"_name": "page", "from": 0, "to": 1},
        ]
        rows = await self.rows("find-alert", steps)
        return next(filter(None, (held(row, key) for row in rows)), None)

    async def _of(self, alert: str, what: str, most: int) -> list[Row]:
        steps: list[Step] = [
            {"_name": "getAlert", "idOrName": alert},
            {"_name": what},
            {"_name": "page", "from": 0, "to": most},
        ]
        return await self.rows(f"alert-{what}", steps)

    async def _query(self, name: str, steps: Steps, without: Sequence[str]) -> Answer:
        body: dict[str, Any] = {"query": steps}
        if without:
            body["excludeFields"] = without
        return await self._send("POST", f"/api/v1/query?name={name}", body)

    async def _send(self, method: str, path: str, body: Row) -> Answer:
        return await self._line.ask(method, path, body, organisation=self.organisation)

    def _rows(self, answer: Answer) -> list[Row]:
        """Return the rows of an answer; raise DownError where it has none."""
        if answer.status == FORBIDDEN:
            raise forbidden(answer, self.organisation)
        told = answer.told()
        if not answer.good and not answer.kind:
            raise not_thehive(answer)
        if not answer.good:
            raise DownError(f"TheHive refuses a question: {answer.reason}", misconfigured=True)
        if not isinstance(told, list):
            raise not_thehive(answer)
        return [row for row in told if isinstance(row, dict)]


def part_of(organisation: str) -> str:
    """Return what an organisation is called beside its TheHive, for people."""
    return f"organisation {organisation}"


def forbidden(answer: Answer, organisation: str) -> DownError:
    """Return the error for what the user may not do."""
    return DownError(
        f'TheHive forbids this to the user of the key in the organisation "{organisation}" ({answer.reason}):'
        " make it a member there, with a profile that may create and change alerts",
        misconfigured=True,
        part=part_of(organisation),
    )


def held(row: Row, key: Key) -> Held | None:
    """Return an alert of an answer; None where it is another one or none at all."""
    if (row.get("type"), row.get("source"), row.get("sourceRef")) != (key.type, key.source, key.reference):
        return None
    name, severity, tags, count = (row.get(each) for each in ("_id", "severity", "tags", "observableCount"))
    if not isinstance(name, str) or not name:
        return None
    return Held(
        id=name,
        description=str(row.get("description") or ""),
        severity=severity if isinstance(severity, int) else 0,
        tags=frozenset(map(str, tags)) if isinstance(tags, list) else frozenset(),
        stage=str(row.get("stage")),
        observables=count if isinstance(count, int) else 0,
        fields=_fields(row.get("customFields")),
    )


def _fields(told: object) -> tuple[dict[str, Any], ...]:
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    sent = ({name: row[name] for name in ("name", "value", "order") if name in row} for row in rows)
    return tuple(row for row in sent if isinstance(row.get("name"), str) and row.get("value") is not None)


def _is_absent(answer: Answer) -> bool:
    """Tell whether TheHive, and nothing in front of it, says that something is not there."""
    return answer.status in (BAD_REQUEST, NOT_FOUND) and bool(answer.kind)


def _path(alert: str, *rest: str) -> str:
    return "/".join(("/api/v1/alert", quote(alert, safe=""), *rest))

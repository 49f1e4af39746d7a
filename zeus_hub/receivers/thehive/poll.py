"""Asks TheHive what became of our alerts: the truth, where a webhook is only a hint.

A deleted alert or case is not told of: TheHive has nothing that could say so.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from socme.identity import utc_now
from zeus_hub.receivers.thehive import standing
from zeus_hub.receivers.thehive.api import Api, Row, Step
from zeus_hub.receivers.thehive.line import Line
from zeus_hub.receivers.thehive.outcome import (
    Cursor,
    Hint,
    Mark,
    Outcome,
    following,
    fresh,
    moved,
    of_alert,
    of_case,
)
from zeus_hub.receivers.thehive.settings import TheHiveSettings, check

PAGE = 100  # objects of one answer
MOST_PAGES = 20  # of one poll; what remains is for the next one
MOST_CASE_PAGES = 1  # the same of cases, each of which is a question more
MOST_PAGES_EVER = 200  # of one poll, where that many changes are of one moment, in which none can end
MOST_LINKED = 100  # alerts of one case that are looked at
LONG = ("description", "customFields")  # which nobody reads here
LONG_LINKED = (*LONG, "summary")


@dataclass(frozen=True, slots=True)
class Found:
    """What a poll found; `mark` is for the next one, once the outcomes are safe."""

    outcomes: tuple[Outcome, ...]
    mark: Mark


class Poll:
    """The questions to one TheHive; each raises DownError where it is not answered."""

    def __init__(
        self,
        settings: TheHiveSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        check(settings)
        self.organisations = tuple(
            sorted({*settings.organisations.values(), settings.organisation} - {""}),
        )
        """All that there is to ask."""
        self._settings = settings
        self._now = now
        self._line = Line(settings, clock, sleep)

    def concerns(self, organisation: str, client: str) -> bool:
        """Tell whether an organisation is told of a client: of others it has nothing to say."""
        return self._settings.organisation_of(client) == organisation

    async def warning(self) -> str:
        """Return what keeps TheHive from writing, or soon will; empty for nothing."""
        if not self.organisations:
            return ""
        licence, now = await Api(self._line, self.organisations[0]).licence(), self._now()
        return standing.licence_trouble(licence, now) or standing.licence_note(licence, now)

    async def alerts(self, organisation: str, mark: Mark) -> Found:
        """Return how those alerts of ours stand that have changed since a mark, by us as well."""
        start = [{"_name": "listAlert"}]
        api = Api(self._line, organisation)
        changes = await self._changes(api, start, self._ours(), mark, MOST_PAGES)
        return Found(self._of_alerts(changes.rows), changes.mark)

    async def cases(self, organisation: str, mark: Mark) -> Found:
        """Return how those cases stand that have changed since a mark and hold alerts of ours."""
        api = Api(self._line, organisation)
        changes = await self._changes(api, [{"_name": "listCase"}], [], mark, MOST_CASE_PAGES)
        told: list[Outcome] = []
        for row in changes.rows:
            told += await self._of_case(api, row)
        return Found(tuple(told), changes.mark)

    async def look(self, organisation: str, hint: Hint) -> tuple[Outcome, ...]:
        """Return what a hint is about; nothing where that is not ours or not there."""
        api = Api(self._line, organisation)
        start = {"_name": "getAlert" if hint.kind == "alert" else "getCase", "idOrName": hint.id}
        rows = await api.rows_of(f"get-{hint.kind}", [start], without=LONG)
        if hint.kind == "case":
            return tuple([each for row in rows for each in await self._of_case(api, row)])
        return self._of_alerts(rows)

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    def _ours(self) -> list[Step]:
        pairs = (("type", self._settings.type), ("source", self._settings.source))
        return [{"_eq": {"_field": field, "_value": value}} for field, value in pairs]

    def _of_alerts(self, rows: Sequence[Row]) -> tuple[Outcome, ...]:
        told = [of_alert(row, type_=self._settings.type, source=self._settings.source) for row in rows]
        return tuple(each for each in told if each)

    async def _of_case(self, api: Api, row: Row) -> list[Outcome]:
        steps: list[Step] = [
            {"_name": "getCase", "idOrName": str(row.get("_id"))},
            {"_name": "alerts"},
            {"_name": "filter", "_and": self._ours()},
            {"_name": "page", "from": 0, "to": MOST_LINKED},
        ]
        linked = await api.rows_of("case-alerts", steps, without=LONG_LINKED)
        return of_case(row, linked, type_=self._settings.type, source=self._settings.source)

    async def _changes(
        self, api: Api, start: Sequence[Step], same: Sequence[Step], mark: Mark, most: int
    ) -> "_Changes":
        """Return what has changed, some `most` pages of it."""
        cursor, seen = Cursor(mark.since), set(mark.seen)
        now = round(self._now().timestamp() * 1000)
        rows: list[Row] = []
        for pages in range(1, MOST_PAGES_EVER + 1):
            page = await api.rows("changes", [*start, *_page(cursor, same)], without=LONG)
            rows += fresh(page, seen)
            cursor = following(cursor, page)
            if len(page) < PAGE:
                return _Changes(rows, moved(mark, seen, now=now))
            if pages >= most and not cursor.offset:
                break
        return _Changes(rows, moved(mark, seen, now=now, upto=cursor.since))


@dataclass(frozen=True, slots=True)
class _Changes:
    rows: list[Row]
    mark: Mark


def _page(cursor: Cursor, same: Sequence[Step]) -> list[Step]:
    since = {"_gte": {"_field": "_updatedAt", "_value": cursor.since}}
    return [
        {"_name": "filter", "_and": [*same, since]},
        {"_name": "sort", "_fields": [{"_updatedAt": "asc"}]},
        {
            "_name": "page",
            "from": cursor.offset,
            "to": cursor.offset + PAGE,
            "extraData": ["caseNumber"] if same else [],
        },
    ]

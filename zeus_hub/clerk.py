"""Writes the reports that are due, so that postmen find them; each once, over restarts and changes of rules.

What a report says is read when it is due, and kept: sent again, it says the same. What cannot be written is
tried again with each step, and holds up nothing else.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from zeus_hub import periods, recount, registry, reports
from zeus_hub.database import reading, writing
from zeus_hub.periods import Period
from zeus_hub.registry import Client, Node
from zeus_hub.reports import Draft
from zeus_hub.routes.rules import Report, Rules

LOG = logging.getLogger("zeus.clerk")


class Clerk:
    """Used by one thread at a time, but for heed()."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rules = Rules()
        self._done: set[tuple[Report, str]] = set()  # with the name of the period
        self._odd: set[tuple[Report, str, str]] = set()  # and of a client of which it is said what is wrong

    def heed(self, rules: Rules) -> None:
        """Go by these rules from the next step on; from any thread."""
        self._rules = rules

    def step(self, now: datetime, nodes: Sequence[Node]) -> frozenset[str]:
        """Write what is due; return the receivers with something new. May raise SQLAlchemyError.

        `nodes` are all nodes, as they are now.
        """
        told: set[str] = set()
        due = [
            (agreed, period)
            for agreed in self._rules.reports
            for period in periods.due(agreed.kind, agreed.at, agreed.zone, now)
        ]
        named = {(agreed, period.name) for agreed, period in due}
        self._done &= named
        self._odd = {each for each in self._odd if each[:2] in named}
        for agreed, period in due:
            if (agreed, period.name) not in self._done:
                told.update(self._write(agreed, period, nodes, now))
        return frozenset(told)

    def _write(self, agreed: Report, period: Period, nodes: Sequence[Node], now: datetime) -> Iterator[str]:
        """Write a report of each of its clients, and be done with it once all are; yield who is told."""
        with reading(self._engine) as connection:
            there = reports.written(connection, agreed.name, period.name)
        whole = True
        for client in self._clients(agreed, registry.list_clients(self._engine), period):
            missing = [name for name in agreed.receivers if (client.name, name) not in there]
            if missing:
                try:
                    self._put(self._draft(agreed, client, period, nodes, now), missing, now)
                except SQLAlchemyError:
                    raise
                except Exception:  # a fault of ours with one client must not cost the others their reports
                    whole = False
                    if self._is_new(agreed, period, client.name):
                        LOG.exception("fault in writing the report %s of %s", agreed.name, client.name)
                else:
                    yield from missing
        if whole:
            self._done.add((agreed, period.name))

    def _draft(
        self, agreed: Report, client: Client, period: Period, nodes: Iterable[Node], now: datetime
    ) -> Draft:
        mine = [node for node in nodes if node.client == client.name]
        return Draft(
            name=agreed.name,
            kind=agreed.kind,
            period=period.name,
            zone=agreed.zone,
            content=recount.report(self._engine, client, period, mine, now=now),
        )

    def _put(self, draft: Draft, receivers: Iterable[str], now: datetime) -> None:
        with writing(self._engine) as connection:
            for name in receivers:
                reports.put(connection, name, draft, now)

    def _clients(self, agreed: Report, known: Iterable[Client], period: Period) -> Iterator[Client]:
        """Yield whose report is written: of clients that are there, and were in that time."""
        found = {client.name: client for client in known if client.name != registry.HUB[0]}
        wanted = agreed.clients
        if wanted is None:
            wanted = frozenset(client.name for client in found.values() if client.enabled)
        for name in sorted(wanted):
            if name not in found:
                if self._is_new(agreed, period, name):
                    event = "a report is of a client that there is not"
                    logs.event(LOG, logging.WARNING, event, report=agreed.name, client=name)
            elif found[name].created < period.end:
                yield found[name]

    def _is_new(self, agreed: Report, period: Period, client: str) -> bool:
        """Tell whether what is wrong with a report is not said yet; it counts as said from now on."""
        said = (agreed, period.name, client)
        if said in self._odd:
            return False
        self._odd.add(said)
        return True

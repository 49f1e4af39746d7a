"""Writes the reports that are due, so that postmen find them; each once, over restarts and changes of rules.

What a report says is read when it is due, and kept: sent again, it says the same.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine

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
        self._done.intersection_update((agreed, period.name) for agreed, period in due)
        for agreed, period in due:
            if (agreed, period.name) not in self._done:
                told.update(self._write(agreed, period, nodes, now))
                self._done.add((agreed, period.name))
        return frozenset(told)

    def _write(self, agreed: Report, period: Period, nodes: Sequence[Node], now: datetime) -> Iterator[str]:
        """Write a report of each of its clients; yield who is told."""
        with reading(self._engine) as connection:
            there = reports.written(connection, agreed.name, period.name)
        for client in _clients(agreed, registry.list_clients(self._engine), period):
            missing = [name for name in agreed.receivers if (client.name, name) not in there]
            if missing:
                mine = [node for node in nodes if node.client == client.name]
                content = recount.report(self._engine, client, period, mine, now=now)
                draft = Draft(
                    name=agreed.name,
                    kind=agreed.kind,
                    period=period.name,
                    zone=agreed.zone,
                    content=content,
                )
                with writing(self._engine) as connection:
                    for name in missing:
                        reports.put(connection, name, draft, now)
                yield from missing


def _clients(agreed: Report, known: Iterable[Client], period: Period) -> Iterator[Client]:
    """Yield whose report is written: of clients that are there, and were in that time."""
    found = {client.name: client for client in known if client.name != registry.HUB[0]}
    wanted = agreed.clients
    if wanted is None:
        wanted = frozenset(client.name for client in found.values() if client.enabled)
    for name in sorted(wanted):
        if name not in found:
            logs.event(
                LOG,
                logging.WARNING,
                "a report is of a client that there is not",
                report=agreed.name,
                client=name,
            )
        elif found[name].created < period.end:
            yield found[name]

"""Which alerts of a batch had been committed before, so that no watcher is shown them a second time.

A node may send an alert again under another number: its spool was lost or put back, and a file is read
again. The store knows those by their ids. As far as it has come it is asked; of the batches that it has not
reached, the ids are remembered here. So the answer for a place in the journal is always the same, and waits
for nobody.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.journal import Journal
from zeus_hub import database
from zeus_hub.database import reading
from zeus_hub.enrich import Arrival, enrich
from zeus_hub.sinks.store import position

LOG = logging.getLogger("zeus.repeats")

MOST_REMEMBERED = 100_000  # alerts behind the store, 20 MiB; of more than that the oldest may be shown again
MOST_BATCHES = 256  # behind the store that are read to know what is in them
_PIECE_BATCHES, _PIECE_BYTES = 16, 4 * 1024 * 1024  # read at once
_ASKED_AT_ONCE = 500  # ids in one query
Key = tuple[str, bytes]  # origin and id


class Repeats:
    """Used from one thread, by whoever decodes batches for watchers."""

    def __init__(self, engine: Engine, journal: Path) -> None:
        self._engine = engine
        self._path = journal
        self._first: dict[Key, int] = {}  # where each was committed first, as far as the store is behind
        self._order: deque[tuple[int, Key]] = deque()  # the same, the oldest first
        self._read = 0  # up to which position they are known
        self._trouble = ""  # why the store could not be asked; empty where it could

    def among(self, arrival: Arrival) -> frozenset[int]:
        """Return the indices of those alerts of a batch that had been committed before it, or within it."""
        entry = arrival.entry
        ids = [stored.alert.id for stored in arrival.alerts]
        stored, places = self._ask(entry.origin, ids)
        self._catch_up(stored, entry.position)
        found: set[int] = set()
        seen: set[bytes] = set()
        for index, alert_id in enumerate(ids):
            place = places.get(alert_id, self._first.get((entry.origin, alert_id), entry.position))
            if alert_id in seen or place != entry.position:
                found.add(index)
            seen.add(alert_id)
        return frozenset(found)

    def _ask(self, origin: str, ids: Sequence[bytes]) -> tuple[int, Mapping[bytes, int]]:
        """Return how far the store is, and where it has these alerts from; nothing where it cannot tell."""
        client, _, node = origin.partition("/")
        alert = database.alert
        query = (
            select(alert.c.id, alert.c.position)
            .join(database.node, database.node.c.id == alert.c.node_id)
            .join(database.client, database.client.c.id == database.node.c.client_id)
            .where(database.client.c.name == client, database.node.c.name == node)
        )
        places: dict[bytes, int] = {}
        try:
            with reading(self._engine) as connection:
                stored = position(connection)
                for begin in range(0, len(ids), _ASKED_AT_ONCE):
                    some = query.where(alert.c.id.in_(ids[begin : begin + _ASKED_AT_ONCE]))
                    places.update((row.id, row.position) for row in connection.execute(some))
        except SQLAlchemyError as error:  # shown twice is better than not shown
            self._tell(f"the store cannot be asked what was shown before: {error}")
            return 0, {}
        self._tell("")
        return stored, places

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            logs.event(LOG, logging.WARNING, "watchers may be shown alerts twice", reason=trouble)
        self._trouble = trouble

    def _catch_up(self, stored: int, until: int) -> None:
        """Forget what the store has; learn what lies between that and with a batch."""
        while self._order and self._order[0][0] <= stored:
            self._forget_oldest()
        self._read = max(stored, self._read, until - MOST_BATCHES)
        if self._read >= until:
            return
        with closing(Journal(self._path)) as journal:
            while self._read < until:
                left = min(until - self._read, _PIECE_BATCHES)
                entries = journal.read(self._read, entries=left, size=_PIECE_BYTES)
                for entry in entries:
                    arrival = enrich(entry)
                    if isinstance(arrival, Arrival):
                        self._remember(arrival)
                self._read = entries[-1].position if entries else until

    def _remember(self, arrival: Arrival) -> None:
        for stored in arrival.alerts:
            key = (arrival.entry.origin, stored.alert.id)
            if key not in self._first:
                self._first[key] = arrival.entry.position
                self._order.append((arrival.entry.position, key))
        while len(self._order) > MOST_REMEMBERED:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, key = self._order.popleft()
        del self._first[key]

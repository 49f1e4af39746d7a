"""The contract does not ask for a database: a list keeps it as well."""

# ruff: noqa: D101, D102 - names say it, as for functions

from collections.abc import Sequence
from pathlib import Path

from tests.contracts.sink_suite import SinkSuite
from zeus_hub.enrich import Arrival, Unreadable
from zeus_hub.sinks.contract import Sink

SHELF: dict[Path, "Listed"] = {}


class Listed:
    """A sink that keeps ids in a list."""

    name = "listed"

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self.at = 0

    def position(self) -> int:
        return self.at

    def prepare(self, arrival: Arrival) -> Arrival:
        return arrival

    def send(self, batches: Sequence[Arrival | Unreadable]) -> None:
        for batch in batches:
            if isinstance(batch, Arrival):
                fresh = [stored.alert.id for stored in batch.alerts if stored.alert.id not in self.ids]
                self.ids += list(dict.fromkeys(fresh))
        self.at = batches[-1].entry.position

    def close(self) -> None:
        """Nothing is open."""


class TestListed(SinkSuite):
    def open(self, folder: Path) -> Sink[Arrival]:
        return SHELF.setdefault(folder, Listed())

    def held(self, folder: Path) -> list[bytes]:
        return SHELF[folder].ids

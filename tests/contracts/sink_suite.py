"""What every sink must do, whatever it delivers to: the promises of zeus_hub/sinks/contract.py.

A test module of a sink makes a subclass of SinkSuite and says how to open the sink and what it holds.
"""

# ruff: noqa: D102 - names say it, as for functions

from abc import ABC, abstractmethod
from pathlib import Path

from socme.batch import pack
from socme.journal import Draft, Entry, Journal
from tests.zeus_hub.kit import alert
from zeus_hub.enrich import Arrival, Unreadable, enrich
from zeus_hub.sinks.contract import Sink


class SinkSuite(ABC):
    """The tests; each opens its sink in a folder of its own."""

    @abstractmethod
    def open(self, folder: Path) -> Sink:
        """Open the sink; the second time in one folder, what it took before is there."""

    @abstractmethod
    def held(self, folder: Path) -> list[bytes]:
        """Return the ids of the alerts that the sink has passed on, in its order."""

    def test_a_new_sink_stands_at_the_beginning(self, tmp_path: Path) -> None:
        assert self.open(tmp_path).position() == 0

    def test_what_is_sent_is_held_and_the_position_follows(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        entries = journal_of(tmp_path, [[1, 2], [3]])
        sink.send([enrich(entry) for entry in entries])

        assert self.held(tmp_path) == numbered(1, 2, 3)
        assert sink.position() == 2

    def test_the_position_outlives_the_sink(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        sink.send([enrich(entry) for entry in journal_of(tmp_path, [[1], [2]])])
        sink.close()

        assert self.open(tmp_path).position() == 2

    def test_what_is_sent_twice_is_held_once(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        entries = journal_of(tmp_path, [[1, 2], [2, 3]])
        sink.send([enrich(entry) for entry in entries])
        sink.send([enrich(entry) for entry in entries])

        assert self.held(tmp_path) == numbered(1, 2, 3)
        assert sink.position() == 2

    def test_a_batch_that_cannot_be_read_does_not_hold_up_the_next(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        first, second, third = journal_of(tmp_path, [[1], [2], [3]])
        sink.send([enrich(first), Unreadable(second, "damaged")])
        sink.send([enrich(third)])

        assert self.held(tmp_path) == numbered(1, 3)
        assert sink.position() == 3

    def test_a_batch_without_alerts_moves_the_position(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        (entry,) = journal_of(tmp_path, [[]])
        sink.send([Arrival(entry, [])])

        assert sink.position() == 1


def journal_of(folder: Path, batches: list[list[int]]) -> list[Entry]:
    """Return journal entries that hold numbered alerts."""
    journal = Journal(folder / "suite-journal.db")
    drafts = [
        Draft("acme/acme-1", 1, index, pack([alert(number).SerializeToString() for number in numbers]))
        for index, numbers in enumerate(batches, start=1)
    ]
    entries = journal.append(drafts)
    journal.close()
    return entries


def numbered(*numbers: int) -> list[bytes]:
    return [alert(number).id for number in numbers]

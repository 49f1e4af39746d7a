"""What every sink must do, whatever it delivers to: the promises of zeus_hub/sinks/contract.py.

A test module of a sink makes a subclass of SinkSuite and says how to open the sink and what it holds.
"""

# ruff: noqa: D102 - names say it, as for functions

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from socme.batch import pack
from socme.journal import Draft, Entry, Journal
from tests.zeus_hub.kit import alert
from zeus_hub.enrich import Arrival, Unreadable, enrich
from zeus_hub.sinks.contract import Sink


def deliver(sink: Sink[Any], batches: Sequence[Arrival | Unreadable]) -> None:
    """Prepare batches and send them, as zeus_hub/deliver.py does."""
    sink.send([sink.prepare(batch) if isinstance(batch, Arrival) else batch for batch in batches])


class SinkSuite(ABC):
    """The tests; each opens its sink in a folder of its own."""

    @abstractmethod
    def open(self, folder: Path) -> Sink[Any]:
        """Open the sink; the second time in one folder, what it took before is there."""

    @abstractmethod
    def held(self, folder: Path) -> list[bytes]:
        """Return the ids of the alerts that the sink has passed on, in its order."""

    def test_a_new_sink_stands_at_the_beginning(self, tmp_path: Path) -> None:
        assert self.open(tmp_path).position() == 0

    def test_what_is_sent_is_held_and_the_position_follows(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        entries = journal_of(tmp_path, [[1, 2], [3]])
        deliver(sink, [enrich(entry) for entry in entries])

        assert self.held(tmp_path) == numbered(1, 2, 3)
        assert sink.position() == 2

    def test_the_position_outlives_the_sink(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        deliver(sink, [enrich(entry) for entry in journal_of(tmp_path, [[1], [2]])])
        sink.close()

        assert self.open(tmp_path).position() == 2

    def test_what_is_sent_twice_is_held_once(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        entries = journal_of(tmp_path, [[1, 2], [2, 3]])
        deliver(sink, [enrich(entry) for entry in entries])
        deliver(sink, [enrich(entry) for entry in entries])

        assert self.held(tmp_path) == numbered(1, 2, 3)
        assert sink.position() == 2

    def test_a_batch_that_cannot_be_read_does_not_hold_up_the_next(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        first, second, third = journal_of(tmp_path, [[1], [2], [3]])
        deliver(sink, [enrich(first), Unreadable(second, "damaged")])
        deliver(sink, [enrich(third)])

        assert self.held(tmp_path) == numbered(1, 3)
        assert sink.position() == 3

    def test_a_batch_without_alerts_moves_the_position(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        (entry,) = journal_of(tmp_path, [[]])
        deliver(sink, [Arrival(entry, [])])

        assert sink.position() == 1

    def test_a_crash_between_two_pieces_repeats_nothing(self, tmp_path: Path) -> None:
        """The hub comes back and sends what it did not see return, cut into other pieces and with more."""
        sink = self.open(tmp_path)
        first, second, third, fourth = map(enrich, journal_of(tmp_path, [[1, 2], [3], [4, 5], [6]]))
        deliver(sink, [first])
        deliver(sink, [second, third])
        again = self.open(tmp_path)
        deliver(again, [second])
        deliver(again, [third, fourth])

        assert self.held(tmp_path) == numbered(1, 2, 3, 4, 5, 6)
        assert again.position() == 4

    def test_sent_again_from_the_very_beginning_it_is_still_held_once(self, tmp_path: Path) -> None:
        """As where the journal is another one than the sink had read, or an older copy."""
        batches = [enrich(entry) for entry in journal_of(tmp_path, [[1, 2], [3], [4]])]
        deliver(self.open(tmp_path), batches)
        again = self.open(tmp_path)
        for batch in batches:
            deliver(again, [batch])

        assert self.held(tmp_path) == numbered(1, 2, 3, 4)

    def test_canaries_are_not_held(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        entries = journal_of(tmp_path, [[1, -2, 3], [-4]])
        deliver(sink, [enrich(entry) for entry in entries])

        assert self.held(tmp_path) == numbered(1, 3)

    def test_canaries_alone_move_the_position(self, tmp_path: Path) -> None:
        sink = self.open(tmp_path)
        deliver(sink, [enrich(entry) for entry in journal_of(tmp_path, [[-1], [-2, -3]])])

        assert self.held(tmp_path) == []
        assert sink.position() == 2

    def test_a_canary_keeps_no_alert_out(self, tmp_path: Path) -> None:
        """Even where it has the alert's id, as a node that lies could make it."""
        sink = self.open(tmp_path)
        lying = alert(1, canary={"number": 1}).SerializeToString()
        deliver(sink, [enrich(entry) for entry in journal_with(tmp_path, [lying])])
        journal_file(tmp_path).unlink()
        deliver(sink, [enrich(entry) for entry in journal_of(tmp_path, [[], [1]])])

        assert self.held(tmp_path) == numbered(1)


def journal_file(folder: Path) -> Path:
    return folder / "suite-journal.db"


def journal_of(folder: Path, batches: list[list[int]]) -> list[Entry]:
    """Return journal entries that hold numbered alerts; a negative number is a canary's."""
    return journal_with(folder, *([numbered_alert(number) for number in numbers] for numbers in batches))


def journal_with(folder: Path, *batches: list[bytes]) -> list[Entry]:
    """Return journal entries that hold these serialised alerts."""
    journal = Journal(journal_file(folder))
    drafts = [Draft("acme/acme-1", 1, index, pack(alerts)) for index, alerts in enumerate(batches, start=1)]
    entries = journal.append(drafts)
    journal.close()
    return entries


def numbered_alert(number: int) -> bytes:
    made = alert(number) if number > 0 else alert(number, canary={"number": -number})
    return made.SerializeToString()


def numbered(*numbers: int) -> list[bytes]:
    return [alert(number).id for number in numbers]

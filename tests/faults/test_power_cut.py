"""The hub's machine loses its power: whatever was acknowledged is in the journal, and all books agree.

A real hub takes batches and stores them while what it writes is recorded; then its journal and its database
are looked at as power cuts at many moments would have left them (tests/power).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from socme.journal import Journal
from socme.v1.uplink_pb2 import Hello, NodeMessage
from socme.v1.uplink_pb2_grpc import UplinkStub
from tests.faults.test_fuzz import node_channel
from tests.faults.test_g3_ack_after_commit import EPOCH, batch_of
from tests.flow.programs import Follow, Hub, staged
from tests.power.power import Cut, Recorder, cuts
from zeus_hub import ledger
from zeus_hub.database import open_database
from zeus_hub.deep import examine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BATCHES = 60
AT_ONCE = 7  # sent before one waits for acknowledgements
LOOKED_AT = 150  # moments, about
DEEPLY = 25  # of those states, in which everything that is kept is compared


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run left."""

    before: Mapping[str, bytes]
    """The databases when the recorded hub was started."""
    log: bytes
    acknowledged: Sequence[tuple[int, int]]
    """How long the log was, and the sequence that the node had heard of by then."""


def record(folder: Path) -> Recorded:
    """Let a hub take batches."""
    with staged(folder) as stage:
        hub = stage.hub()
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", folder / "none.json"), start=False)
        state = hub.folder / "state"
        hub.program.stop()
        before = {path.name: path.read_bytes() for path in state.glob("*.db*") if path.suffix != ".db-shm"}
        recorder = Recorder(folder, state)
        hub.program.environment.update(recorder.environment())
        hub.program.start()
        acknowledged = list(_send(hub, node.folder / "state", recorder.log))
        hub.program.kill()
        return Recorded(before, recorder.log.read_bytes(), acknowledged)


def _send(hub: Hub, state: Path, log: Path) -> Iterator[tuple[int, int]]:
    said: SimpleQueue[NodeMessage | None] = SimpleQueue()
    with node_channel(state, hub.address) as channel:
        answers = UplinkStub(channel).Connect(iter(said.get, None))
        said.put(NodeMessage(hello=Hello(epoch=EPOCH, vitals_interval_seconds=1)))
        next(answers)
        for first in range(1, BATCHES + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, BATCHES)
            for sequence in range(first, last + 1):
                said.put(NodeMessage(batch=batch_of(sequence)))
            acked = 0
            while acked < last:
                acked = max(acked, next(answers).ack.sequence)
                yield log.stat().st_size, acked
        said.put(None)


def _moments(run: Recorded) -> list[Cut]:
    every = max(1, len(list(cuts(run.log, base=run.before))) // 3 // LOOKED_AT)
    return list(cuts(run.log, base=run.before, every=every))


@pytest.mark.play(of=record)
def test_what_was_acknowledged_is_in_the_journal(outcome: Recorded) -> None:
    moments = _moments(outcome)
    assert len(moments) > LOOKED_AT
    for cut in moments:
        owed = max((sequence for at, sequence in outcome.acknowledged if at <= cut.at), default=0)
        with cut.laid() as folder, closing(Journal(folder / "journal.db")) as journal:
            journal.examine()
            entries = journal.read(0, entries=10 * BATCHES, size=1 << 30)
        taken = [entry.sequence for entry in entries if entry.origin == "acme/acme-1"]
        assert taken == list(range(1, len(taken) + 1)), f"{cut.kept} kept at byte {cut.at}"
        assert len(taken) >= owed, f"{cut.kept} kept at byte {cut.at}"


@pytest.mark.play(of=record)
def test_journal_and_store_agree(outcome: Recorded) -> None:
    """The store is never ahead of the journal, nor does anything lack that it says it has."""
    moments = _moments(outcome)
    for cut in moments[:: max(1, len(moments) // DEEPLY)]:
        with cut.laid() as folder:
            _agree(folder, f"{cut.kept} kept at byte {cut.at}")


def _agree(folder: Path, place: str) -> None:
    journal = folder / "journal.db"
    engine = open_database("sqlite:///zeus.db", folder)
    try:
        assert [one.unaccounted for one in ledger.balances(engine, journal) if one.unaccounted] == [], place
        told = list(examine(engine, journal, lambda _name, _looked: None))
        assert [one.examples for one in told if one.problems] == [], place
    finally:
        engine.dispose()

"""G3: the hub acknowledges only what is committed with synchronous=FULL.

Here the real hub is killed at random moments between taking a batch and acknowledging it, and as soon as it
has acknowledged one. That a commit is really on the disk, and not only said to be, is shown by
tests/socme/test_journal_lost_fsync.py, which loses what was not synced.
"""

import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import grpc
import pytest

from socme import batch
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import AlertBatch, Encoding, Hello, HubMessage, Lane, NodeMessage
from socme.v1.uplink_pb2_grpc import UplinkStub
from tests.faults.test_fuzz import node_channel
from tests.flow.programs import Follow, Hub, staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EPOCH = bytes(range(16))
BATCHES = 40  # sent on each connection
KILLS = 6
LONGEST = 0.05  # seconds between the first batch and the kill


@dataclass(frozen=True, slots=True)
class Round:
    """One life of the hub."""

    acknowledged: int
    """The last sequence that the node was told is safe, on this connection or before."""
    held: int
    """The last sequence that is in the journal after the kill."""
    rows: Sequence[int]
    """All sequences in the journal."""


def rounds(folder: Path) -> list[Round]:
    """Send, kill, look, again and again."""
    dice = random.Random(3)
    found: list[Round] = []
    with staged(folder) as stage:
        hub = stage.hub()
        log = folder / "none.json"
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", log), start=False)
        for number in range(KILLS):
            told = _told(hub, node.folder / "state", dice.uniform(0.0, LONGEST), at_once=number % 2 == 0)
            rows = _journal(hub)
            found.append(Round(max(told, found[-1].acknowledged if found else 0), max(rows, default=0), rows))
            hub.program.start()
    return found


def _told(hub: Hub, state: Path, seconds: float, *, at_once: bool) -> int:
    """Send batches, kill the hub, and return the last sequence that it acknowledged."""
    said: SimpleQueue[NodeMessage | None] = SimpleQueue()
    last = 0

    def speak() -> Iterator[NodeMessage]:
        while (message := said.get()) is not None:
            yield message

    with node_channel(state, hub.address) as channel:
        answers = UplinkStub(channel).Connect(speak())
        said.put(NodeMessage(hello=Hello(epoch=EPOCH, vitals_interval_seconds=1)))
        welcome: HubMessage = next(answers)
        covered = max((mark.sequence for mark in welcome.welcome.marks), default=0)
        for sequence in range(covered + 1, covered + 1 + BATCHES):
            said.put(NodeMessage(batch=batch_of(sequence)))
        killer = threading.Timer(seconds, hub.program.kill)
        if not at_once:
            killer.start()
        with suppress(grpc.RpcError):
            for answer in answers:
                last = max(last, answer.ack.sequence)
                if at_once and last:
                    hub.program.kill()
                    break
        said.put(None)
        if not at_once:
            killer.join()
    return last


def batch_of(sequence: int) -> AlertBatch:
    """Return a batch of one alert."""
    alert = Alert(id=sequence.to_bytes(16, "big"), raw=b"%d" % sequence, count=1)
    packed = batch.pack([alert.SerializeToString()])
    return AlertBatch(
        lane=Lane.LANE_URGENT,
        sequence=sequence,
        encoding=Encoding.ENCODING_ZSTD,
        payload=packed.payload,
        alerts=1,
        decoded_bytes=packed.decoded_bytes,
        alerts_before=sequence - 1,
    )


def _journal(hub: Hub) -> list[int]:
    """Return what is on disk, as the next hub will find it."""
    with closing(sqlite3.connect(hub.folder / "state" / "journal.db")) as db:
        query = "SELECT sequence FROM entry WHERE origin = 'acme/acme-1' ORDER BY position"
        return [int(row[0]) for row in db.execute(query)]


@pytest.mark.play(of=rounds)
def test_what_is_acknowledged_is_on_disk(outcome: list[Round]) -> None:
    assert outcome[-1].acknowledged > 0
    for each in outcome:
        assert each.held >= each.acknowledged
        assert list(each.rows) == list(range(1, each.held + 1)), "each once, in order, without a hole"

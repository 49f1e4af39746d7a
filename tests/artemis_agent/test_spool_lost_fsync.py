"""What left a spool is in it still after any power cut, under the number that it left with.

A number that stood for something else after a cut would be taken for a repetition at the hub: a lost alert.
"""

import json
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from artemis_agent import salvage
from artemis_agent.numbering import check_of
from artemis_agent.progress import Progress, Waiting
from artemis_agent.shelf import LANES, Shelf
from socme.journal import LOWEST
from socme.v1.uplink_pb2 import Lane, Mark
from tests.power.power import Cut, Recorder, cuts

ROUNDS = 40
URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL


def opened(folder: Path) -> salvage.Opened:
    return salvage.opened(folder, schema="", clock=lambda: 0)


def write(folder: Path, log: Path) -> None:
    """Append, send, and forget what is acknowledged; tell each after it is done. In a process of its own."""
    spool = opened(folder)
    spool.journal.query("PRAGMA wal_autocheckpoint = 30")
    dice = random.Random(1)
    after: dict[int, int] = dict.fromkeys(LANES, LOWEST)
    for number in range(1, ROUNDS + 1):
        alerts = [Waiting(dice.randbytes(dice.choice((20, 5000))), dice.choice(LANES)) for _ in range(3)]
        spool.shelf.append(Progress("eve.json", b"%d" % number, b"c", alerts, {"read": 3}))
        _tell(log, position=number)
        for entry in spool.shelf.next(after):
            after[entry.lane] = entry.position
            _tell(log, sent=[entry.lane, entry.sequence, check_of(entry.packed).hex()])
            if number % 3 == 0:
                _tell(log, trimming=[entry.lane, entry.sequence])
                spool.shelf.trim({entry.lane: entry.sequence})
    os._exit(0)  # a crash closes nothing


def _tell(log: Path, **what: object) -> None:
    print(json.dumps({"at": log.stat().st_size, **what}), flush=True)  # noqa: T201 - to the test


@dataclass(slots=True)
class Owed:
    """What must be in the spool at some moment."""

    position: int = 0
    sent: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """By lane and sequence, Mark.check of each batch that left."""
    last: dict[int, int] = field(default_factory=dict)
    """By lane, the last sequence that left."""
    trimmed: dict[int, int] = field(default_factory=dict)
    """By lane, the last sequence that may be forgotten."""


def owed_at(told: Sequence[Mapping[str, object]], at: int) -> Owed:
    """Return what was told before the log was longer than `at`."""
    owed = Owed()
    for line in told:
        if int(str(line["at"])) > at:
            break
        match line:
            case {"position": int(position)}:
                owed.position = position
            case {"sent": [int(lane), int(sequence), str(check)]}:
                owed.sent[lane, sequence] = bytes.fromhex(check)
                owed.last[lane] = sequence
            case {"trimming": [int(lane), int(sequence)]}:
                owed.trimmed[lane] = sequence
    return owed


def test_whatever_left_is_there_after_any_power_cut(tmp_path: Path) -> None:
    watched = tmp_path / "state"
    watched.mkdir()
    printed, log = Recorder(tmp_path, watched).record("tests.artemis_agent.test_spool_lost_fsync")
    told = [json.loads(line) for line in printed]

    looked = [cut for cut in cuts(log, every=2) if cut.at > told[0]["at"]]
    for cut in looked:
        _check(cut, owed_at(told, cut.at))

    assert len(looked) > 400
    assert len(owed_at(told, 1 << 60).sent) > ROUNDS


def _check(cut: Cut, owed: Owed) -> None:
    place = f"{cut.kept} kept at byte {cut.at}"
    with cut.laid() as folder, closing((spool := opened(folder)).journal):
        assert not spool.set_aside, place
        shelf = spool.shelf
        assert int(shelf.positions()["eve.json"]) >= owed.position, place
        marks = [
            Mark(lane=lane, sequence=sequence, check=check)  # type: ignore[arg-type]
            for (lane, sequence), check in owed.sent.items()
            if sequence >= owed.trimmed.get(lane, 0)
        ]
        assert shelf.agrees(marks), place
        assert [hour.unaccounted for hour in shelf.hours() if hour.unaccounted] == [], place
        _gives_new_numbers(shelf, owed, place)


def _gives_new_numbers(shelf: Shelf, owed: Owed, place: str) -> None:
    """See that what comes now takes no number that was given."""
    new = [Waiting(b"new", URGENT), Waiting(b"newer", NORMAL)]
    shelf.append(Progress("eve.json", b"9999", b"c", new))
    after: dict[int, int] = dict.fromkeys(LANES, LOWEST)
    given: dict[int, int] = {}
    while entries := shelf.next(after):
        for entry in entries:
            after[entry.lane], given[entry.lane] = entry.position, entry.sequence
    assert all(given[lane] > last for lane, last in owed.last.items()), place

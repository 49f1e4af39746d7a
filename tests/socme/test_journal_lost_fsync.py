"""What `append` returned for is on the disk, also of one that loses all that was not synced.

A program appends, trims and appends until SQLite has moved its log into the file some times; it is recorded,
and the journal is opened as each power cut would have left it.
"""

import os
import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from socme.batch import Packed
from socme.journal import Draft, Journal
from tests.power.power import Cut, Recorder, cuts

APPENDS = 40
FORGOTTEN_BEHIND = 12  # appends
CHECKPOINT_PAGES = 30  # after which SQLite moves its log; 1,000 by itself would take too long


def payload(number: int) -> bytes:
    """Return what is appended as a number: from a few bytes to a few pages."""
    dice = random.Random(number)
    return dice.randbytes(dice.choice((20, 3000, 9000)))


def write(folder: Path, log: Path) -> None:
    """Append, and print after each append how long the log was; in a process of its own."""
    journal = Journal(folder / "j.db", by_lane=True)
    journal.query(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    print(log.stat().st_size, flush=True)  # noqa: T201 - to the test
    for number in range(1, APPENDS + 1):
        data = payload(number)
        draft = Draft("origin", 1, number, Packed(data, 3, 1, len(data)))
        journal.append([draft], notes={"last": b"%d" % number})
        journal.trim_lane(1, number - FORGOTTEN_BEHIND)
        print(log.stat().st_size, flush=True)  # noqa: T201
    os._exit(0)  # a crash closes nothing


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run did."""

    log: bytes
    made: int
    """How long the log was when the journal was made."""
    appended: Sequence[int]
    """How long it was when each append had returned."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("power")
    watched = folder / "state"
    watched.mkdir()
    printed, log = Recorder(folder, watched).record("tests.socme.test_journal_lost_fsync")
    made, *appended = map(int, printed)
    return Recording(log, made, appended)


def test_the_recording_holds_what_it_must(recording: Recording) -> None:
    """Else nothing is shown: syncs between all appends, and the log moved into the file."""
    assert len(recording.appended) == APPENDS
    assert sorted(set(recording.appended)) == list(recording.appended)
    moved = [cut for cut in cuts(recording.log) if cut.kept == "nothing" and cut.at > recording.made]
    assert len({len(cut.files["j.db"]) for cut in moved}) > 3, "the file has grown a few times"


def test_what_was_appended_is_there_after_any_power_cut(recording: Recording) -> None:
    looked = [cut for cut in cuts(recording.log) if cut.at > recording.made]
    for cut in looked:
        _check(cut, recording)
    assert len(looked) > 1000


def test_a_power_cut_while_a_journal_is_made_leaves_none_or_one_that_works(recording: Recording) -> None:
    for cut in cuts(recording.log[: recording.made]):
        with cut.laid() as folder, closing(Journal(folder / "j.db", by_lane=True)) as journal:
            journal.append([Draft("origin", 1, 1, Packed(b"x", 3, 1, 1))])
            assert [entry.sequence for entry in journal.read(0, entries=9, size=9)] == [1]


def _check(cut: Cut, recording: Recording) -> None:
    acknowledged = sum(end <= cut.at for end in recording.appended)
    with cut.laid() as folder, closing(Journal(folder / "j.db", by_lane=True)) as journal:
        journal.examine()
        entries = journal.read(0, entries=APPENDS, size=1 << 30)
        last = int(journal.note("last") or b"0")
    numbers = [entry.sequence for entry in entries]
    place = f"{cut.kept} kept at byte {cut.at}, {acknowledged} acknowledged: {numbers}"
    assert last >= acknowledged, place
    # What is forgotten goes with the append, or in a commit of its own behind it.
    forgotten = {max(0, last - FORGOTTEN_BEHIND), max(0, last - 1 - FORGOTTEN_BEHIND)}
    assert numbers in [[*range(first + 1, last + 1)] for first in forgotten], place
    assert all(entry.packed.payload == payload(entry.sequence) for entry in entries), place

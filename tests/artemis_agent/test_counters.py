import time
from datetime import UTC, datetime

import pytest

from artemis_agent import counters
from artemis_agent.counters import Counters, Last
from socme.v1.vitals_pb2 import SourceVitals


def test_addition_adds_every_count() -> None:
    one = Counters(1, 2, 3, 4, 5, 6, 7, {"a": 1, "b": 2}, 8, 9, 10)

    assert one + one == Counters(2, 4, 6, 8, 10, 12, 14, {"a": 2, "b": 4}, 16, 18, 20)
    assert one + Counters() == one


def test_counters_survive_as_a_note() -> None:
    one = Counters(1, 2, 3, 4, 5, 6, 7, {"a": 1}, 8)
    message = counters.message(one, name="eve.json", kind="suricata")

    assert counters.parse(message.SerializeToString()) == one
    assert (message.name, message.kind) == ("eve.json", "suricata")


def test_the_ledger_books_each_line_once() -> None:
    """100 lines: 10 alerts, of which 3 stay, 2 are held and 5 go; 4 cannot be read; a roll-up goes, too."""
    read = Counters(
        records=100,
        alerts=10,
        spooled=6,
        made=1,
        undecodable=4,
        dropped={"min_severity": 3},
        rolled_up=2,
        not_alert=86,
    )

    assert counters.tally(read) == {
        "read": 100,
        "not_alert": 86,
        "undecodable": 4,
        "rolled_up": 2,
        "made": 1,
        "filtered:min_severity": 3,
    }
    assert 100 == 86 + 3 + 2 + 4 + (6 - 1)
    assert counters.tally(Counters()) == {}


def test_a_line_of_which_nobody_knows_is_not_booked_as_no_alert() -> None:
    assert counters.tally(Counters(records=3, alerts=1, not_alert=1)) == {"read": 3, "not_alert": 1}


def test_the_age_of_what_was_read_last_survives_a_clock_that_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never negative, and never more than the machine has run."""
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 500.0)
    noted = SourceVitals()
    noted.last_record.FromSeconds(1_000_000)

    def age(now: int) -> float:
        told = SourceVitals()
        Last.of(noted, datetime.fromtimestamp(now, UTC)).tell(told, None)
        return told.last_record_age_seconds

    assert age(1_000_060) == pytest.approx(60, abs=1)
    assert age(900_000) == pytest.approx(0, abs=1)
    assert age(9_000_000) == pytest.approx(500, abs=1)
    assert Last.of(SourceVitals(), datetime.fromtimestamp(0, UTC)) == Last()


def test_no_note_and_a_damaged_one_begin_at_zero() -> None:
    assert counters.parse(None) == Counters()
    assert counters.parse(b"\xff\xff") == Counters()


def test_what_a_newer_agent_wrote_is_read_as_far_as_it_is_known() -> None:
    newer = SourceVitals(bytes=5).SerializeToString() + b"\xa2\x06\x03abc"

    assert counters.parse(newer) == Counters(bytes=5)

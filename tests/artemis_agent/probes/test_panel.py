"""Probes side by side: kept answers, one that hangs, one that fails."""

import threading
import time

import pytest

from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.panel import Panel, Probe
from socme.v1.vitals_pb2 import Vitals


class Clock:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Asked:
    """A probe that counts how often it was asked."""

    def __init__(self, name: str, every_seconds: float = 0.0) -> None:
        self.count = 0
        self.error: Exception | None = None
        self.hold: threading.Event | None = None
        self.probe = Probe(name, self.ask, every_seconds)

    def ask(self) -> Vitals:
        """Answer, as it was told to."""
        self.count += 1
        if self.hold is not None:
            self.hold.wait()
        if self.error is not None:
            raise self.error
        return Vitals(hostname=f"{self.probe.name} {self.count}")


def test_an_answer_is_kept_for_as_long_as_it_is_good() -> None:
    clock, kept, fresh = Clock(), Asked("kept", 10), Asked("fresh")
    board = Panel([kept.probe, fresh.probe], clock=clock)

    assert board.look().hostname == "kept 1"
    assert fresh.count == 0, "what changes all the time is asked when it is told"
    assert board.tell().hostname == "fresh 1"
    clock.now = 9.0
    assert board.look().hostname == "kept 1"
    clock.now = 10.0
    assert board.look().hostname == "kept 2"
    board.tell()
    assert (kept.count, fresh.count) == (2, 2)


def test_what_they_say_is_put_together() -> None:
    one = Vitals(cpu_count=2)
    one.unknown["memory"] = "hidden"
    two = Vitals(addresses=["192.0.2.1"])
    two.wazuh.agents.active = 3

    found = Panel([Probe("one", lambda: one), Probe("two", lambda: two)]).tell()

    assert (found.cpu_count, list(found.addresses), found.wazuh.agents.active) == (2, ["192.0.2.1"], 3)
    assert dict(found.unknown) == {"memory": "hidden"}


def test_one_that_hangs_holds_nobody_up() -> None:
    """Not the first time longer than the limit, and then not at all; and it is one thread for ever."""
    clock, stuck, well = Clock(), Asked("stuck", 1), Asked("well", 1)
    stuck.hold = threading.Event()
    board = Panel([stuck.probe, well.probe], limit_seconds=0.2, clock=clock)
    before = threading.active_count()

    begun = time.monotonic()
    found = board.look()
    assert 0.15 < time.monotonic() - begun < 2
    assert dict(found.unknown) == {"stuck": "no answer within 0.2 s"}
    assert found.hostname == "well 1"
    for second in range(1, 20):
        clock.now = float(second)
        begun = time.monotonic()
        assert board.look().unknown["stuck"]
    assert time.monotonic() - begun < 0.15
    assert stuck.count == 1
    assert well.count == 20
    assert threading.active_count() <= before + 2

    stuck.hold.set()
    stuck.hold = None
    until = time.monotonic() + 10
    while stuck.count == 1 and time.monotonic() < until:
        clock.now += 1
        found = board.look()
    assert "stuck" not in board.look().unknown


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (UnknownError("because"), "because"),
        (PermissionError(13, "Permission denied", "/x"), "permission denied: /x"),
        (ZeroDivisionError("division\x1b"), "ZeroDivisionError: division\ufffd"),
        (RecursionError(), "RecursionError:"),
    ],
)
def test_one_that_fails_says_why_and_stops_no_other(error: Exception, why: str) -> None:
    failing, well = Asked("failing"), Asked("well")
    failing.error = error

    found = Panel([failing.probe, well.probe]).tell()

    assert dict(found.unknown) == {"failing": why}
    assert found.hostname == "well 1"


def test_what_was_known_is_not_told_as_fresh_once_it_cannot_be_learnt() -> None:
    clock, probe = Clock(), Asked("probe", 1)
    board = Panel([probe.probe], clock=clock)
    assert board.look().hostname
    probe.error = UnknownError("gone")
    clock.now = 1.0

    found = board.look()

    assert not found.hostname
    assert found.unknown["probe"] == "gone"


def test_without_threads_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "Thread", Refused)

    assert Panel([Asked("probe").probe]).tell().unknown["probe"] == "can't start new thread"

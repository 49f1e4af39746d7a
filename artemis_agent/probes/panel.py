"""Asks all probes side by side, each in a thread of its own, and keeps what they said while it is fresh.

None can hold up another: who has not answered within the limit is unknown, and is not asked again before
that thread has ended. There is one thread for each probe at the most.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from artemis_agent.probes.outside import LIMIT_SECONDS, UnknownError, refusal
from socme.v1.vitals_pb2 import Vitals


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to the machine."""

    name: str
    """The field of Vitals that it fills: the key under which stands why it could not."""
    ask: Callable[[], Vitals]
    """Return what it found; nothing of what this machine does not have. Blocks. May raise UnknownError."""
    every_seconds: float = 0.0
    """For how long an answer is good; 0: asked anew each time that vitals are told."""


@dataclass(slots=True)
class _Asking:
    """One time that a probe is asked."""

    answer: Vitals = field(default_factory=Vitals)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Seat:
    """A probe and what it said last."""

    probe: Probe
    answer: Vitals = field(default_factory=Vitals)
    again: float = float("-inf")
    asking: _Asking | None = None


class Panel:
    """All probes of a machine. Used by one thread at a time."""

    def __init__(
        self,
        probes: Iterable[Probe],
        *,
        limit_seconds: float = LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seats = [_Seat(probe) for probe in probes]
        self._limit = limit_seconds
        self._clock = clock

    def look(self) -> Vitals:
        """Return what the probes say whose answers are kept; those are asked whose time it is. Blocks."""
        return self._ask([seat for seat in self._seats if seat.probe.every_seconds])

    def tell(self) -> Vitals:
        """Return what all probes say. Blocks, for the limit at the most."""
        return self._ask(self._seats)

    def _ask(self, seats: Sequence[_Seat]) -> Vitals:
        now = self._clock()
        due = [seat for seat in seats if now >= seat.again]
        asked = []
        for seat in due:
            seat.again = now + seat.probe.every_seconds
            if seat.asking is None or seat.asking.done.is_set():
                seat.asking = _begin(seat.probe)
                asked.append(seat)
        until = time.monotonic() + self._limit
        for seat in asked:
            self._take(seat, until)
        told = Vitals()
        for seat in seats:
            told.MergeFrom(seat.answer)
        return told

    def _take(self, seat: _Seat, until: float) -> None:
        """Take a probe's answer, for which it has until a time of the monotonic clock."""
        asking = seat.asking
        if asking is not None and asking.done.wait(max(0.0, until - time.monotonic())):
            seat.answer, seat.asking = asking.answer, None
        else:
            seat.answer = _unknown(seat.probe, f"no answer within {self._limit:g} s")


def _begin(probe: Probe) -> _Asking:
    asking = _Asking()

    def ask() -> None:
        try:
            asking.answer = probe.ask()
        except UnknownError as error:
            asking.answer = _unknown(probe, str(error))
        except OSError as error:
            asking.answer = _unknown(probe, str(refusal(error)))
        except Exception as error:  # noqa: BLE001 - one probe must not stop the others, whatever it met
            asking.answer = _unknown(probe, str(UnknownError(f"{type(error).__name__}: {error}")))
        asking.done.set()

    # A daemon: one that hangs must not hold up the end of the process either.
    try:
        threading.Thread(target=ask, name=f"probe-{probe.name}", daemon=True).start()
    except RuntimeError as error:  # too many threads
        asking.answer = _unknown(probe, str(UnknownError(str(error))))
        asking.done.set()
    return asking


def _unknown(probe: Probe, why: str) -> Vitals:
    return Vitals(unknown={probe.name: why})

"""What must not be lost again: ratios of figures that were taken in one run (make bench-check).

Ratios, because absolute figures are of the machine and of the hour. They stand well below what is measured,
so that a busy machine does not fail them, and well above what would be a step back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Floor:
    """Ours must be at least so many times theirs."""

    ours: str
    theirs: str
    least: float


SCAN = [  # MB/s
    Floor("artemis run", "syslog-ng, text", 3.5),
    Floor("artemis run", "syslog-ng, JSON", 18),
    Floor("artemis run", "grep -F", 0.35),
    Floor("artemis sift", "syslog-ng, text", 4),
]
STEADY = [  # cores; less is better, so theirs stand first
    Floor("rsyslog, text", "artemis run", 1),
    Floor("syslog-ng, text", "artemis run", 0.5),
]
LATENCY = [  # milliseconds of age, bytes on the wire, alerts a second of a burst; theirs first, as above
    Floor("rsyslog, durable ack 5000/s p99", "socme 5000/s p99", 4),
    Floor("rsyslog, durable ack 1000/s wire", "socme 1000/s wire", 3),
    Floor("rsyslog, durable ack burst wire", "socme burst wire", 4),
    Floor("socme burst speed", "rsyslog, durable ack burst speed", 2),
]


def below(floors: list[Floor], figures: Mapping[str, float]) -> Iterator[str]:
    """Yield a sentence for each floor that does not hold; those whose contender is not here are left out."""
    for floor in floors:
        if floor.ours in figures and floor.theirs in figures:
            ratio = figures[floor.ours] / figures[floor.theirs]
            if ratio < floor.least:
                yield f"{floor.ours} is {ratio:.2f} times {floor.theirs}, less than {floor.least:g}"

"""What must not be lost again: ratios of figures that were taken in one run (make bench-check).

Ratios, because absolute figures are of the machine and of the hour. They stand well below what is measured,
so that a busy machine does not fail them, and well above what would be a step back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Floor:
    """How much better our figure must be than a peer's."""

    ours: str
    theirs: str
    ratio: float
    """So many times as good, at least."""
    less_is_better: bool = False


SCAN = [  # MB/s
    Floor("artemis run", "syslog-ng, text", 3.5),
    Floor("artemis run", "syslog-ng, JSON", 18),
    Floor("artemis run", "grep -F", 0.35),
    Floor("artemis sift", "syslog-ng, text", 8),
    Floor("artemis sift", "grep -F", 0.9),
]
STEADY = [  # % of a core
    Floor("artemis run", "rsyslog, text", 1, less_is_better=True),
    Floor("artemis run", "syslog-ng, text", 0.5, less_is_better=True),
]
DRAIN = [  # alerts a second
    Floor("socme", "rsyslog, durable ack", 8),
    Floor("socme", "syslog-ng, no ack", 1),
]
INGEST = [  # alerts a second
    Floor("socme, 20 nodes, batches of 500", "JetStream, 100 alerts a message", 1.2),
    Floor("socme, 20 nodes, batches of 500", "rsyslog, durable ack", 30),
    Floor("socme, 200 nodes, batches of 20", "JetStream, 1 alert a message", 8),
]
FLEET = [  # KiB of each node, % of a core
    Floor("socme, memory of a node", "gRPC alone, memory of a node", 0.75, less_is_better=True),
    Floor("socme, CPU", "gRPC alone, CPU", 0.4, less_is_better=True),
]
CHURN = [Floor("at the end", "half way", 0.93, less_is_better=True)]  # MiB
LATENCY = [  # milliseconds of age, bytes on the wire, alerts a second of a burst
    Floor("socme 5000/s p99", "rsyslog, durable ack 5000/s p99", 4, less_is_better=True),
    Floor("socme 1000/s wire", "rsyslog, durable ack 1000/s wire", 3.8, less_is_better=True),
    Floor("socme burst wire", "rsyslog, durable ack burst wire", 5, less_is_better=True),
    Floor("socme burst speed", "rsyslog, durable ack burst speed", 2),
]


def below(floors: Sequence[Floor], figures: Mapping[str, float]) -> Iterator[str]:
    """Yield a sentence for each floor that does not hold, and for each figure of ours that there is not."""
    for ours in dict.fromkeys(floor.ours for floor in floors if floor.ours not in figures):
        yield f"{ours} was not measured"
    for floor in floors:
        if floor.ours in figures and floor.theirs in figures:
            ratio = figures[floor.ours] / figures[floor.theirs]
            ratio = 1 / ratio if floor.less_is_better else ratio
            if ratio < floor.ratio:
                yield f"{floor.ours} is {ratio:.2f} times as good as {floor.theirs}, not {floor.ratio:g}"


def left_out(floors: Sequence[Floor], figures: Mapping[str, float]) -> Iterator[str]:
    """Yield the peers' figures that there are not."""
    yield from dict.fromkeys(floor.theirs for floor in floors if floor.theirs not in figures)

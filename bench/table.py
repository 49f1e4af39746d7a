"""What is aimed at and what was measured, as a table in Markdown: python -m bench.table FOLDER.

FOLDER is where benchmarks were told to write with --json. A figure that is not there is left blank, and so
is a peer that was not measured beside it.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.outcome import FIGURES

Figures: TypeAlias = Mapping[str, Mapping[str, float]]
"""By benchmark and name."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One figure of ours, against a number or a number of times what another has."""

    what: str
    benchmark: str
    ours: str
    unit: str
    aim: float
    theirs: str = ""
    """The figure that ours is divided by; empty where the aim is a number by itself."""
    less_is_better: bool = False


FIND, STEADY, AGE, OUTAGE = "finding alerts", "following 20 MB/s", "age of an alert", "drain after an outage"
HUB, STORE, REST, FLEET = "a hub, durable", "rows at a million", "a node at rest", "a hub with 1,000 nodes"
AIMS = [
    Aim(FIND, "scan", "artemis run", "MB/s", 12, "syslog-ng, text"),
    Aim(FIND, "scan", "artemis run", "MB/s", 45, "syslog-ng, JSON"),
    Aim(FIND, "scan", "artemis run", "MB/s", 45, "rsyslog, JSON"),
    Aim(FIND, "scan", "artemis run", "MB/s", 1.1, "grep -F"),
    Aim(FIND, "scan", "artemis run", "MB/s", 0.85, "C, memmem"),
    Aim(FIND, "scan", "artemis sift", "MB/s", 12, "syslog-ng, text"),
    Aim(FIND, "scan", "artemis sift", "MB/s", 1.1, "grep -F"),
    Aim(STEADY, "steady", "artemis run", "% of a core", 4, less_is_better=True),
    Aim(STEADY, "steady", "artemis run", "% of a core", 0.3, "syslog-ng, text", less_is_better=True),
    Aim(f"{AGE}, 1,000/s, p50", "latency", "socme 1000/s p50", "ms", 1.5, less_is_better=True),
    Aim(f"{AGE}, 1,000/s, p99", "latency", "socme 1000/s p99", "ms", 3, less_is_better=True),
    Aim(
        f"{AGE}, 1,000/s, p99",
        "latency",
        "socme 1000/s p99",
        "ms",
        0.3,
        "syslog-ng, no ack 1000/s p99",
        less_is_better=True,
    ),
    Aim(f"{AGE}, 5,000/s, p99", "latency", "socme 5000/s p99", "ms", 5, less_is_better=True),
    Aim(
        f"{AGE}, 5,000/s, p99",
        "latency",
        "socme 5000/s p99",
        "ms",
        0.4,
        "syslog-ng, no ack 5000/s p99",
        less_is_better=True,
    ),
    Aim(
        f"{AGE}, 5,000/s, p99",
        "latency",
        "socme 5000/s p99",
        "ms",
        1 / 500,
        "rsyslog, durable ack 5000/s p99",
        less_is_better=True,
    ),
    Aim(OUTAGE, "drain", "socme", "alerts/s", 40_000),
    Aim(OUTAGE, "drain", "socme", "alerts/s", 15, "rsyslog, durable ack"),
    Aim(OUTAGE, "drain", "socme", "alerts/s", 1.2, "syslog-ng, no ack"),
    Aim(f"{OUTAGE}, memory", "drain", "socme MiB", "MiB", 60, less_is_better=True),
    Aim(f"{HUB}, 20 nodes", "ingest", "socme, 20 nodes, batches of 500", "alerts/s", 250_000),
    Aim(
        f"{HUB}, 20 nodes",
        "ingest",
        "socme, 20 nodes, batches of 500",
        "alerts/s",
        7,
        "JetStream, 100 alerts a message",
    ),
    Aim(
        f"{HUB}, 20 nodes",
        "ingest",
        "socme, 20 nodes, batches of 500",
        "alerts/s",
        100,
        "rsyslog, durable ack",
    ),
    Aim(
        f"{HUB}, 200 nodes",
        "ingest",
        "socme, 200 nodes, batches of 20",
        "alerts/s",
        7,
        "JetStream, 1 alert a message",
    ),
    Aim(STORE, "store", "socme", "rows/s", 25_000),
    Aim(STORE, "store", "socme", "rows/s", 1.3, "decoding and COPY"),
    Aim(STORE, "store", "socme", "rows/s", 1.3, "COPY alone"),
    Aim("found after its acknowledgement, p99", "store", "lag p99", "ms", 250, less_is_better=True),
    Aim(f"{REST}, memory", "rest", "node MiB", "MiB", 48, less_is_better=True),
    Aim(f"{REST}, memory", "rest", "node MiB", "MiB", 1.15, "bare client MiB", less_is_better=True),
    Aim(f"{REST}, CPU", "rest", "node CPU", "% of a core", 0.2, less_is_better=True),
    Aim(
        "bytes on the wire, 1,000/s", "latency", "socme 1000/s wire", "of the log", 0.23, less_is_better=True
    ),
    Aim("bytes on the wire, burst", "latency", "socme burst wire", "of the log", 0.2, less_is_better=True),
    Aim("a hub after an hour of churn", "churn", "at the end", "MiB", 1.05, "half way", less_is_better=True),
    Aim(f"{FLEET}, memory", "fleet", "socme, MiB", "MiB", 180, less_is_better=True),
    Aim(f"{FLEET}, memory of each", "fleet", "socme, memory of a node", "KiB", 110, less_is_better=True),
    Aim(f"{FLEET}, CPU", "fleet", "socme, CPU", "% of a core", 5, less_is_better=True),
]


def table(figures: Figures) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| measure | who | SOCme | beside | ratio | aim | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for aim in AIMS:
        found = figures.get(aim.benchmark, {})
        yield f"| {' | '.join(cells(aim, found))} |"


def cells(aim: Aim, found: Mapping[str, float]) -> list[str]:
    """Return a row of the table from the figures of its benchmark."""
    ours, theirs = found.get(aim.ours), found.get(aim.theirs)
    bound = f"{'at most' if aim.less_is_better else 'at least'} {short(aim.aim)}"
    reached = ours if not aim.theirs else ours / theirs if ours is not None and theirs else None
    return [
        aim.what,
        aim.ours,
        "" if ours is None else f"{short(ours)} {aim.unit}",
        "" if theirs is None else f"{aim.theirs}: {short(theirs)}",
        short(reached) if aim.theirs and reached is not None else "",
        f"{bound} times" if aim.theirs else bound,
        "" if reached is None else "reached" if _holds(aim, reached) else "missed",
    ]


def _holds(aim: Aim, reached: float) -> bool:
    return reached <= aim.aim if aim.less_is_better else reached >= aim.aim


def short(figure: float) -> str:
    """Return a figure with three digits that count, or all of a large one."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def read(folder: Path) -> Figures:
    """Return what benchmarks wrote."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / FIGURES).glob("*.json"))}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    print("\n".join(table(read(parser.parse_args().folder))))


if __name__ == "__main__":
    main()

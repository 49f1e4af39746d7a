"""Bytes of a batch for each byte of the log, and what they cost: python -m bench.wire [FILE...].

Of the alerts of bench/eve.py, from another seed than the dictionary's; of the project's own recordings, with
which it was trained; and of logs that are given, which it has not seen. Beside the share, for batches of
several sizes, stand the microseconds of CPU that an alert takes: to be packed on the node / split on the hub.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from artemis_agent.examine import Found, Rules, examine
from artemis_agent.source import Kind, Record
from bench import eve
from bench.dictionary import LATEST, PLACES, ROOT
from socme.batch import pack, split
from socme.v1.alert_pb2 import Severity

SIZES = (1, 2, 3, 5, 10, 100, 500)
ALERTS = 5000
TURNS = 3
READ = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)

One = TypeVar("One")


def payloads(lines: Iterable[bytes], kind: Kind) -> tuple[list[bytes], int]:
    """Return the alerts of a log as a node sends them, and how long their lines are together."""
    dice = random.Random(2)
    rules = Rules(kind, PLACES[kind], Severity.SEVERITY_UNSPECIFIED, rolls_up=False)
    file, offset, size, found = dice.randbytes(16), 0, 0, []
    for line in lines:
        alert = examine(Record(line, file, offset), rules, READ + timedelta(seconds=dice.uniform(0, LATEST)))
        offset += len(line) + 1
        if isinstance(alert, Found):
            found.append(alert.payload)
            size += len(line)
    return found, size


def report(name: str, lines: Sequence[bytes], kind: Kind) -> None:
    """Print a row."""
    alerts, size = payloads(lines, kind)
    row = f"{name:24}{len(alerts):6} of {size / len(alerts):5.0f} bytes"
    for most in SIZES:
        if most > len(alerts):
            break
        portions = [alerts[begin : begin + most] for begin in range(0, len(alerts), most)]
        packs = [pack(portion) for portion in portions]
        share = sum(len(packed.payload) for packed in packs) / size
        packing, splitting = cpu_us(pack, portions), cpu_us(split, packs)
        row += f"   {most}: {share:.3f} {packing / len(alerts):.1f}/{splitting / len(alerts):.1f}"
    print(row, flush=True)


def cpu_us(work: Callable[[One], object], ones: Sequence[One]) -> float:
    """Return how many microseconds of CPU something takes, at its best."""

    def once() -> float:
        begun = time.process_time()
        for one in ones:
            work(one)
        return time.process_time() - begun

    return min(once() for _ in range(TURNS)) * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="logs; alerts*.json are Wazuh's")
    given = parser.parse_args()
    report("bench/eve.py", eve.alerts(ALERTS), "suricata")
    data = ROOT / "tests" / "data"
    for file in (data / "eve.json", data / "eve-8.json", data / "alerts.json", *given.files):
        kind: Kind = "wazuh" if file.name.startswith("alerts") else "suricata"
        report(file.name, file.read_bytes().splitlines(), kind)


if __name__ == "__main__":
    main()

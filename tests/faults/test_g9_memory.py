"""G9: the memory that the agent takes stays below its bound, however much waits.

Here 100 MB of pure alerts with the hub away; 1 GiB, and 1,000 watchers that stop reading: bench/outage.py.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import lines
from tests.faults.judge import NODE_BYTES
from tests.faults.meter import resident
from tests.faults.plan import Feed
from tests.faults.trial import played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SIZE = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outage:
    """What an agent took while the hub was away."""

    bytes: int
    waiting: int
    written: int


def outlast(folder: Path) -> Outage:
    """Write alerts while nobody takes them, and let the agent read all of them."""
    with played(folder, Feed("suricata", "rename"), spool_bytes=4 * 1024**3, disk_bytes=0) as play:
        cast = play.cast
        cast.proxy.refuse()
        block = b"".join(lines.issue("suricata", number).raw + b"\n" for number in range(2000))
        written = 0
        with play.author.paths[0].open("ab") as log:
            while log.tell() < SIZE:
                log.write(block)
                written += 2000
            os.fsync(log.fileno())
        cast.wait(lambda: cast.waiting() >= written, "the agent has read everything", limit=120)
        return Outage(resident(cast.node.program.pid), cast.waiting(), written)


@pytest.mark.play(of=outlast)
def test_an_outage_does_not_fill_the_memory(outcome: Outage) -> None:
    assert outcome.waiting >= outcome.written
    assert outcome.bytes < NODE_BYTES

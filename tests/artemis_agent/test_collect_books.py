"""The ledger's first equation over all that a log may hold: even where nothing is lost, and only there."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artemis_agent import collect, line_file, sift
from artemis_agent.collect import Collector
from artemis_agent.file_source import open_file_source
from artemis_agent.rollup import Limits
from artemis_agent.source import Kind
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import LedgerHour
from tests.artemis_agent.sources import Memory, copy_of, eve, hours, open_site_spool, reading, site_of, wazuh

STATS = b'{"event_type":"stats"}'
KINDS: Sequence[Kind] = ("suricata", "wazuh")
LINES = [
    *(eve(number, severity=number % 4) for number in range(4)),
    *(eve(7) for _ in range(4)),  # a flood
    wazuh(1),
    copy_of(1),
    STATS,
    b'{"event_type": "alert", "alert": {}}',  # spelled otherwise
    b'{"event_type":"flow","x":{"event_type":"alert"}}',  # found too much
    b'{"event_type":"alert"',
    b"no JSON",
    b"[]",
    b'"x": {',
    b"",
    b" \t\r",
    b"\0\0\0",
    b"\xff\xfe",
    b"x" * 3000,  # longer than a line may be here
]


async def books(kind: Kind, parts: Sequence[bytes]) -> tuple[list[LedgerHour], int]:
    """Return the ledger after all parts were written and read in turn, and how many lines were no blanks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.json"
        spool = open_site_spool(Path(folder) / "state")
        async with site_of(spool, Path(folder) / "state") as site:
            flooded = replace(
                site, rollup=Limits(burst=2, window_us=60_000_000), min_severity=Severity.SEVERITY_MEDIUM
            )
            collector = Collector(open_file_source(path, kind, "beginning", None), flooded)
            for part in parts:
                with path.open("ab") as file:
                    file.write(part)
                while (await collector.turn()).more:
                    pass
            await collector._save()
            found = await hours(spool)
            await collector.close()
        await spool.close()
    whole, _, _ = b"".join(parts).rpartition(b"\n")
    return found, sum(bool(line.strip(b" \t\r\0")) for line in whole.split(b"\n"))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 6),
    st.lists(st.lists(st.sampled_from(LINES), max_size=12), min_size=1, max_size=4),
    st.integers(0, 40),
)
def test_whatever_a_log_holds_its_books_balance(
    kind: Kind, sampled: int, turns: Sequence[Sequence[bytes]], torn: int
) -> None:
    """Each kind of line, found by a search or looked at, whole or in two parts."""
    parts = [b"".join(line + b"\n" for line in lines) for lines in turns]
    parts[0], parts[1:1] = parts[0][:-torn], [parts[0][-torn:]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sift, "_FIRST_LINES", sampled)
        patch.setattr(line_file, "LONGEST", 2000)
        found, lines = asyncio.run(books(kind, parts))

    assert [hour.unaccounted for hour in found] == [0] * len(found)
    read = sum(hour.read for hour in found)
    assert read == lines if kind == "wazuh" else read >= lines  # blanks that a search passed over


@pytest.mark.parametrize("step", ["portions", "examine", "sort", "waiting"])
async def test_an_alert_that_is_lost_on_its_way_to_the_spool_is_unaccounted_for(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever that is: each step's figures are counted by themselves."""
    monkeypatch.setattr(collect, step, losing(step, getattr(collect, step)))
    spool = open_site_spool(tmp_path)
    async with site_of(spool, tmp_path) as site:
        collector = Collector(Memory("suricata", [reading(eve(1), eve(2), STATS, eve(3))]), site)
        await collector.turn()
        await collector.close()
        (hour,) = await hours(spool)
    await spool.close()

    assert (hour.read, hour.spooled, hour.unaccounted) == (4, 2, 1)


def losing(step: str, real: Callable[..., object]) -> Callable[..., object]:
    """Return a step that loses the first thing that it is given."""
    lost: list[object] = []

    def examine(record: object, *rest: object) -> object:
        if lost:
            return real(record, *rest)
        lost.append(record)
        return ...  # neither an alert, nor unreadable, nor said to be none

    def first(items: Iterable[object], *rest: object, **named: object) -> object:
        return real(list(items)[1:], *rest, **named)

    return examine if step == "examine" else first

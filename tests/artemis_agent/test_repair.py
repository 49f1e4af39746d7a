"""What was set aside is taken back, and every alert of it stays accounted for."""

import os
import random
from pathlib import Path

import pytest

from artemis_agent import lock, reserve, salvage
from artemis_agent.progress import Progress, Waiting
from artemis_agent.repair import Repaired, repair, set_aside
from artemis_agent.salvage import FILE
from socme import batch
from socme.errors import OperatorError
from socme.journal import LOWEST
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane
from tests.artemis_agent.aside import put_aside

URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL


def opened(folder: Path) -> salvage.Opened:
    return salvage.opened(folder, schema="", clock=lambda: 0)


def filled(folder: Path, numbers: range, source: str = "eve.json") -> None:
    """Spool alerts of these numbers, every other one urgent."""
    spool = opened(folder)
    for number in numbers:
        payload = Alert(offset=number, raw=random.randbytes(900)).SerializeToString()
        alert = Waiting(payload, URGENT if number % 2 else NORMAL)
        spool.shelf.append(Progress(source, b"here", b"totals", [alert], {"read": 1}))
    spool.journal.close()


def repaired(folder: Path, file: Path | None = None) -> list[Repaired]:
    return list(repair(folder, file, schema="", clock=lambda: 0))


def held(folder: Path, lane: int) -> list[int]:
    """Return the numbers that wait in a lane, in order, having seen that the books balance."""
    spool = opened(folder)
    assert not spool.set_aside
    assert [hour.unaccounted for hour in spool.shelf.hours() if hour.unaccounted] == []
    entries = spool.journal.read_lane(lane, LOWEST, entries=1000, size=1 << 30)
    spool.journal.close()
    return [alert.offset for entry in entries for alert in batch.unpack(entry.packed)]


def test_all_that_were_set_aside_are_taken_back_behind_what_waits(tmp_path: Path) -> None:
    for begin in (0, 10):
        filled(tmp_path, range(begin, begin + 10))
        put_aside(tmp_path / FILE, begin * 10**9)
    filled(tmp_path, range(20, 30))

    done = repaired(tmp_path)

    assert [each.alerts for each in done] == [10, 10]
    assert [each.unreadable for each in done] == [[], []]
    assert held(tmp_path, NORMAL) == [*range(20, 30, 2), *range(0, 20, 2)]
    assert held(tmp_path, URGENT) == [*range(21, 30, 2), *range(1, 20, 2)]
    assert set_aside(tmp_path) == []
    assert all(each.file.exists() for each in done), "they are kept"
    assert repaired(tmp_path) == []


def test_where_a_source_stands_is_not_moved(tmp_path: Path) -> None:
    filled(tmp_path, range(4))
    put_aside(tmp_path / FILE, 0)
    spool = opened(tmp_path)
    spool.shelf.append(Progress("eve.json", b"further", b"more", []))
    spool.journal.close()

    repaired(tmp_path)

    spool = opened(tmp_path)
    assert spool.shelf.positions() == {"eve.json": b"further"}
    assert spool.journal.note("counters:eve.json") == b"more"
    spool.journal.close()


def test_the_one_in_use_is_looked_at_closely_first(tmp_path: Path) -> None:
    filled(tmp_path, range(300))
    file = tmp_path / FILE
    data = bytearray(file.read_bytes())
    data[-8 * 4096 : -6 * 4096] = random.randbytes(2 * 4096)
    file.write_bytes(data)

    (done,) = repaired(tmp_path)

    assert done.file.name.startswith("spool.db.partly-repaired-")
    assert done.unreadable
    assert 200 < done.alerts < 300
    assert len(held(tmp_path, NORMAL)) + len(held(tmp_path, URGENT)) == done.alerts


def test_a_file_from_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    filled(tmp_path, range(4))
    other = (tmp_path / FILE).rename(tmp_path / "copy.db")
    filled(tmp_path, range(0))

    assert repaired(tmp_path, other) == [Repaired(other, 4, [])]

    assert held(tmp_path, NORMAL) == [0, 2]


def test_not_while_the_agent_runs(tmp_path: Path) -> None:
    filled(tmp_path, range(1))
    handle = lock.take(tmp_path)

    with pytest.raises(OperatorError, match="another artemis runs"):
        repaired(tmp_path)

    os.close(handle)


def test_where_there_is_no_spool_none_is_made(tmp_path: Path) -> None:
    """A folder that was mistyped."""
    with pytest.raises(OperatorError, match="neither a spool in"):
        repaired(tmp_path / "typo")

    assert list(tmp_path.iterdir()) == []


def test_the_one_in_use_is_not_taken_back_into_itself(tmp_path: Path) -> None:
    filled(tmp_path, range(4))

    with pytest.raises(OperatorError, match="is the spool in use"):
        repaired(tmp_path, tmp_path / FILE)


def test_the_last_of_the_disk_is_left_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, range(4))
    aside = put_aside(tmp_path / FILE, 0)
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 1 << 60)

    with pytest.raises(OperatorError, match="of its disk are free") as told:
        repaired(tmp_path)

    assert aside in told.value.mend
    assert set_aside(tmp_path) == [Path(aside)]

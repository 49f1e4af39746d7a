"""What is found in a spool; what of it is printed stands in test_spool_commands.py."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from artemis_agent.collect import SCHEMA
from artemis_agent.soundness import inspect
from artemis_agent.spool import Progress, Waiting, open_spool
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane


async def spool_of(folder: Path) -> Path:
    """Return the file of a spool with an urgent alert and two others."""
    spool = open_spool(folder, max_bytes=1 << 30, schema=SCHEMA)
    payload = Alert(message="a").SerializeToString()
    alerts = [Waiting(payload), Waiting(payload, Lane.LANE_URGENT), Waiting(payload)]
    await spool.append(Progress("eve.json", b"p", b"c", alerts, tally={"read": 3}))
    await spool.close()
    return folder / "spool.db"


async def test_what_waits_is_told_by_lane(tmp_path: Path) -> None:
    found = inspect(await spool_of(tmp_path))

    assert (found.damage, found.lanes, found.wrong, found.rolling) == ("", {"urgent": 1, "normal": 2}, [], 0)


async def test_what_the_ledger_misses_is_told_by_hour(tmp_path: Path) -> None:
    file = await spool_of(tmp_path)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM entry WHERE lane = ?", [Lane.LANE_NORMAL])
    (hour,) = inspect(file).wrong

    assert (hour.source, hour.unaccounted) == ("eve.json", 2)


async def test_a_file_that_is_no_spool_is_damaged_and_none_is_an_error(tmp_path: Path) -> None:
    junk = tmp_path / "spool.db"
    junk.write_bytes(b"nothing of the kind" * 999)

    assert "damaged" in inspect(junk).damage
    with pytest.raises(OperatorError, match="there is no spool"):
        inspect(tmp_path / "nowhere")

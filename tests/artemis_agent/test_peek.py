"""What is seen of a spool from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from artemis_agent.peek import peek, size_of
from artemis_agent.salvage import FILE
from artemis_agent.shelf import ENTRY_BYTES
from artemis_agent.spool import Progress, Waiting, open_spool
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Alert


async def test_a_spool_in_use(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    alerts = [Waiting(Alert(message="a").SerializeToString())]
    await spool.append(Progress("eve.json", b"here", b"totals", alerts))
    seen = peek(tmp_path)
    await spool.close()

    assert seen is not None
    assert seen.depth.alerts == 1
    assert size_of(seen.depth) == seen.depth.bytes + ENTRY_BYTES
    assert seen.of_sources("position") == {"eve.json": b"here"}
    assert seen.of_sources("counters") == {"eve.json": b"totals"}
    assert seen.acknowledged == 0
    assert peek(tmp_path / "nowhere") is None


def test_a_damaged_spool(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database " * 1000)

    with pytest.raises(OperatorError, match="cannot read"):
        peek(tmp_path)


@pytest.mark.parametrize(("version", "words"), [(2, "older version"), (99, "newer version")])
async def test_a_spool_of_another_version_is_what_artemis_would_say_it_is(
    tmp_path: Path, version: int, words: str
) -> None:
    await open_spool(tmp_path, max_bytes=1 << 30).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute(f"PRAGMA user_version = {version}")

    with pytest.raises(OperatorError, match=words):
        peek(tmp_path)

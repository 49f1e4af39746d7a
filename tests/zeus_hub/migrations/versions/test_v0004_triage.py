"""A database of the schema before is upgraded in place, and what it holds is counted."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.zeus_hub.migrations.versions.test_v0002_delivery_guarantee import NUL, ROWS, migrate

QUARTER = 900_000_000


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Return the path of a database of the schema before with a client and some alerts."""
    path = tmp_path / "zeus.db"
    migrate(path, "0002")
    client, row = ROWS["client"], list(ROWS["alert"])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"INSERT INTO client VALUES ({','.join('?' * len(client))})", client)
        for number, (received, severity, count) in enumerate(
            [(5, 3, 2), (QUARTER - 1, 3, 1), (QUARTER, 1, 7)]
        ):
            row[0], row[1], row[5], row[6], row[9] = (
                number,
                NUL[:-1] + bytes([number]),
                received,
                severity,
                count,
            )
            db.execute(f"INSERT INTO alert VALUES ({','.join('?' * len(row))})", row)
    return path


def test_clients_get_no_short_name_and_alerts_are_counted_by_quarter_of_an_hour(before: Path) -> None:
    migrate(before, "0004")
    with closing(sqlite3.connect(before)) as db:
        (client,) = db.execute("SELECT * FROM client")
        slots = sorted(
            db.execute("SELECT severity, begin_us, client_id, alerts, acknowledged, closed FROM slot")
        )
        empty = [
            db.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("triage", "triage_change", "audit", "tactic")
        ]

    assert client == (*ROWS["client"], "")
    assert slots == [(1, QUARTER, 1, 7, 0, 0), (3, 0, 1, 3, 0, 0)]
    assert empty == [(0,)] * 4

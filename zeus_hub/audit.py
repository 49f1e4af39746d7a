"""The audit log: who did what, and when. It only grows.

A row is written in the transaction that it tells of, so that neither is there without the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from zeus_hub import schema
from zeus_hub.database import microseconds, moment, reading


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did."""

    number: int
    time: datetime
    actor: str
    """The login name."""
    action: str
    """As in "alert close"."""
    subject: str
    """What it was done to, for people."""
    details: Mapping[str, object]


def note(
    connection: Connection,
    action: str,
    subject: str,
    *,
    actor: str,
    now: datetime,
    details: Mapping[str, object],
) -> None:
    """Write down what somebody does, within a transaction."""
    row = {
        "time_us": microseconds(now),
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": json.dumps(details, ensure_ascii=False, separators=(",", ":")),
    }
    connection.execute(insert(schema.audit).values(row))


def entries(engine: Engine, *, limit: int | None = None) -> list[Entry]:
    """Return what was done, the newest first. Blocks on the database."""
    table = schema.audit
    with reading(engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.number.desc()).limit(limit)).all()
    return [
        Entry(row.number, moment(row.time_us), row.actor, row.action, row.subject, json.loads(row.details))
        for row in rows
    ]

"""What waits in a spool, whether all of it is sound, and whether the ledger agrees with it."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from artemis_agent import canary, held, ledger, scrutiny
from artemis_agent.remains import connect
from artemis_agent.scrutiny import DAMAGE
from socme.journal import Held
from socme.journal_file import refuse_other_versions
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import LedgerHour

_HELD = (
    "SELECT lane, origin, received_us / 3600000000, count(*), sum(alerts), sum(bytes) FROM entry"
    " GROUP BY lane, origin, received_us / 3600000000"
)


@dataclass(frozen=True, slots=True)
class Soundness:
    """What was found in a spool."""

    damage: str
    """What is wrong with the file or with what it holds; empty where it is sound."""
    lanes: dict[str, int]
    """Alerts that wait, by the lane's name; canaries left out."""
    wrong: list[LedgerHour]
    """Hours in which the ledger and the entries disagree."""
    rolling: int = 0
    """Lines that wait to be counted into a roll-up."""


def inspect(path: Path) -> Soundness:
    """Look through a spool; an agent that has it open is not disturbed. OperatorError where it cannot be."""
    with closing(connect(path)) as db:

        def query(sql: str, values: Iterable[object]) -> list[tuple[object, ...]]:
            return db.execute(sql, tuple(values)).fetchall()

        try:
            refuse_other_versions(db, path)
            told = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
            counted = [Held(*row) for row in db.execute("BEGIN").execute(_HELD)]
            hours, rolling = ledger.hours(query, counted), held.lines(query)
            fault = told if told != "ok" else next(scrutiny.faults(query), "")
        except (sqlite3.DatabaseError, *DAMAGE) as error:
            return Soundness(f"damaged: {error}", {}, [])
    lanes = Counter[int]()
    for each in counted:
        if not canary.is_log(each.origin, path.parent):
            lanes[each.lane] += each.alerts
    names = {Lane.LANE_URGENT: "urgent", Lane.LANE_NORMAL: "normal"}
    return Soundness(
        damage=f"damaged: {fault}" if fault else "",
        lanes={name: lanes[lane] for lane, name in names.items()},
        wrong=[hour for hour in hours if hour.unaccounted],
        rolling=rolling,
    )

"""`artemis spool`: what lies in a spool, whether it is sound, and its alerts for whoever needs them."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from artemis_agent import ledger
from artemis_agent.salvage import FILE
from socme import batch, commands, view
from socme.batch import BatchError, Packed
from socme.commands import ConfigOption
from socme.errors import OperatorError
from socme.journal import Held
from socme.v1.uplink_pb2 import Encoding, Lane
from socme.v1.vitals_pb2 import LedgerHour
from socme.v1.watch_pb2 import StoredAlert

PROGRAM = "artemis"
CONFIG = commands.config_path(PROGRAM)
app = typer.Typer(no_args_is_help=True, help="Look into the spool, or into one that was set aside.")

_MEND = "Run this as the user that artemis runs as, or as root."
_HELD = (
    "SELECT lane, origin, received_us / 3600000000, count(*), sum(alerts), sum(bytes) FROM entry"
    " GROUP BY lane, origin, received_us / 3600000000"
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in a spool."""

    damage: str
    """What SQLite says of the file; empty where it is sound."""
    lanes: dict[str, int]
    """Alerts that wait, by the lane's name."""
    wrong: list[LedgerHour]
    """Hours in which the ledger and the entries disagree."""


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Say what waits, whether the file is sound, and whether every alert is accounted for."""
    path = commands.state_dir(config, program=PROGRAM) / FILE
    found = examine(path)
    typer.echo(f"{path}: {found.damage or 'sound'}")
    for lane, alerts in found.lanes.items():
        typer.echo(f"{lane}: {alerts:,} alerts wait")
    for hour in found.wrong:
        began = f"{hour.hour.ToDatetime():%Y-%m-%d %H}:00 UTC"
        typer.echo(f"UNACCOUNTED: {hour.unaccounted:,} of {hour.source}, {began}")
    if found.damage or found.wrong:
        raise typer.Exit(commands.FAILED)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A spool that was set aside; else the one in use.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Print the alerts that wait in a spool, oldest first, one JSON object a line."""
    path = file or commands.state_dir(config, program=PROGRAM) / FILE
    skipped = 0
    for each in alerts_in(path):
        if isinstance(each, str):
            skipped += 1
            typer.echo(f"skipped: {each}", err=True)
        else:
            typer.echo(json.dumps(view.alert_view(each)))
    if skipped:
        raise typer.Exit(commands.FAILED)


def examine(path: Path) -> Examined:
    """Look through a spool; an agent that has it open is not disturbed. OperatorError where it cannot be."""
    with closing(_open(path)) as db:
        try:
            told = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
            held = [Held(*row) for row in db.execute("BEGIN").execute(_HELD)]
            hours = ledger.hours(lambda sql, values: db.execute(sql, tuple(values)).fetchall(), held)
        except sqlite3.DatabaseError as error:
            return Examined(f"damaged: {error}", {}, [])
    lanes = Counter[int]()
    for each in held:
        lanes[each.lane] += each.alerts
    names = {Lane.LANE_URGENT: "urgent", Lane.LANE_NORMAL: "normal"}
    return Examined(
        damage="" if told == "ok" else f"damaged: {told}",
        lanes={name: lanes[lane] for lane, name in names.items()},
        wrong=[hour for hour in hours if hour.unaccounted],
    )


def alerts_in(path: Path) -> Iterator[StoredAlert | str]:
    """Yield the alerts of a spool; for what cannot be read, why."""
    with closing(_open(path)) as db:
        try:
            rows = db.execute(
                "SELECT position, payload, encoding, alerts, decoded_bytes FROM entry WHERE encoding = ?"
                " ORDER BY received_us, position",
                (int(Encoding.ENCODING_ZSTD),),
            )
            for position, *packed in rows:
                try:
                    yield from (StoredAlert(alert=alert) for alert in batch.unpack(Packed(*packed)))
                except BatchError as error:
                    yield f"the entry at {position} {error}"
        except sqlite3.DatabaseError as error:
            yield f"the rest of {path}: {error}"


def _open(path: Path) -> sqlite3.Connection:
    try:
        if not path.is_file():
            raise OperatorError(
                f"there is no spool {path}", "Name the file that was set aside, or start artemis."
            )
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(f"cannot read {path}: {error}", _MEND) from error

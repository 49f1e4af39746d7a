"""`artemis spool`: what lies in a spool, whether it is sound, and its alerts, to be read or to be sent."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from artemis_agent import canary, held, ledger, scrutiny
from artemis_agent.remains import connect, remains
from artemis_agent.salvage import FILE
from artemis_agent.scrutiny import DAMAGE
from socme import commands, view
from socme.commands import ConfigOption
from socme.journal import Held
from socme.journal_file import refuse_other_versions
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import LedgerHour
from socme.v1.watch_pb2 import StoredAlert

PROGRAM = "artemis"
CONFIG = commands.config_path(PROGRAM)
app = typer.Typer(no_args_is_help=True, help="Look into the spool, or into one that was set aside.")

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A spool that was set aside; else the one in use.")
]
_HELD = (
    "SELECT lane, origin, received_us / 3600000000, count(*), sum(alerts), sum(bytes) FROM entry"
    " GROUP BY lane, origin, received_us / 3600000000"
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in a spool."""

    damage: str
    """What is wrong with the file or with what it holds; empty where it is sound."""
    lanes: dict[str, int]
    """Alerts that wait, by the lane's name; canaries left out."""
    wrong: list[LedgerHour]
    """Hours in which the ledger and the entries disagree."""
    rolling: int = 0
    """Lines that wait to be counted into a roll-up."""


@app.command()
def check(file: FileArgument = None, config: ConfigOption = CONFIG) -> None:
    """Say what waits, whether all of it is sound, and whether every alert is accounted for."""
    path = file or commands.state_dir(config, program=PROGRAM) / FILE
    found = examine(path)
    typer.echo(f"{path}: {found.damage or 'sound'}")
    for lane, alerts in found.lanes.items():
        typer.echo(f"{lane}: {alerts:,} alerts wait")
    if found.rolling:
        typer.echo(f"held: {found.rolling:,} lines wait for their roll-up")
    for hour in found.wrong:
        began = f"{hour.hour.ToDatetime():%Y-%m-%d %H}:00 UTC"
        typer.echo(f"UNACCOUNTED: {hour.unaccounted:,} of {hour.source}, {began}")
    if found.damage or found.wrong:
        raise typer.Exit(commands.FAILED)


@app.command()
def export(
    file: FileArgument = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Print the alerts that wait in a spool, oldest first, one JSON object a line; canaries are none."""
    path = file or commands.state_dir(config, program=PROGRAM) / FILE
    skipped = 0
    for each in remains(path):
        if isinstance(each, str):
            skipped += 1
            typer.echo(f"skipped: {each}", err=True)
        else:
            for alert in (one for one in each.alerts if not one.HasField("canary")):
                typer.echo(json.dumps(view.alert_view(StoredAlert(alert=alert))))
    if skipped:
        raise typer.Exit(commands.FAILED)


@app.command()
def repair(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A spool that was set aside; else all in the state folder."),
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Take the alerts of spools that were set aside back into the one in use; artemis must not run.

    They are sent again; the hub knows those that it has. A roll-up (count above 1) may be counted twice: its
    lines were read again since, and were rolled up otherwise. The file is kept under another name.
    """
    from artemis_agent import repair as repairing  # noqa: PLC0415
    from artemis_agent.collect import SCHEMA  # noqa: PLC0415

    state_dir = commands.state_dir(config, program=PROGRAM)
    commands.refuse_for_another(state_dir, program=PROGRAM)
    found = unreadable = 0
    for done in repairing.repair(state_dir, file, schema=SCHEMA):
        found += 1
        typer.echo(
            f"{done.file}: {done.alerts:,} alerts taken back, {len(done.unreadable):,} places not readable"
        )
        for why in done.unreadable:
            typer.echo(f"skipped: {why}", err=True)
        unreadable += len(done.unreadable)
    if not found:
        typer.echo(f"{state_dir / FILE}: sound, and none was set aside")
    if unreadable:
        typer.echo(
            "what is not readable was read again from the logs, as far as they were still there", err=True
        )
        raise typer.Exit(commands.FAILED)


def examine(path: Path) -> Examined:
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
            return Examined(f"damaged: {error}", {}, [])
    lanes = Counter[int]()
    for each in counted:
        if not canary.is_log(each.origin, path.parent):
            lanes[each.lane] += each.alerts
    names = {Lane.LANE_URGENT: "urgent", Lane.LANE_NORMAL: "normal"}
    return Examined(
        damage=f"damaged: {fault}" if fault else "",
        lanes={name: lanes[lane] for lane, name in names.items()},
        wrong=[hour for hour in hours if hour.unaccounted],
        rolling=rolling,
    )

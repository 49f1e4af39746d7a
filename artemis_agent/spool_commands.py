"""`artemis spool`: what lies in a spool, whether it is sound, and its alerts, to be read or to be sent.

What takes long to import is imported by the command that needs it.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from socme import commands
from socme.commands import ConfigOption
from socme.launch import FAILED

PROGRAM = "artemis"
CONFIG = commands.config_path(PROGRAM)
app = typer.Typer(no_args_is_help=True, help="Look into the spool, or into one that was set aside.")

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A spool that was set aside; else the one in use.")
]


@app.command()
def check(file: FileArgument = None, config: ConfigOption = CONFIG) -> None:
    """Say what waits, whether all of it is sound, and whether every alert is accounted for."""
    from artemis_agent.salvage import FILE  # noqa: PLC0415
    from artemis_agent.soundness import inspect  # noqa: PLC0415

    path = file or commands.state_dir(config, program=PROGRAM) / FILE
    found = inspect(path)
    typer.echo(f"{path}: {found.damage or 'sound'}")
    for lane, alerts in found.lanes.items():
        typer.echo(f"{lane}: {alerts:,} alerts wait")
    if found.rolling:
        typer.echo(f"held: {found.rolling:,} lines wait for their roll-up")
    for hour in found.wrong:
        began = f"{hour.hour.ToDatetime():%Y-%m-%d %H}:00 UTC"
        typer.echo(f"UNACCOUNTED: {hour.unaccounted:,} of {hour.source}, {began}")
    if found.damage or found.wrong:
        raise typer.Exit(FAILED)


@app.command()
def export(
    file: FileArgument = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Print the alerts that wait in a spool, oldest first, one JSON object a line; canaries are none."""
    from artemis_agent.remains import remains  # noqa: PLC0415
    from artemis_agent.salvage import FILE  # noqa: PLC0415
    from socme import view  # noqa: PLC0415
    from socme.v1.watch_pb2 import StoredAlert  # noqa: PLC0415

    path = file or commands.state_dir(config, program=PROGRAM) / FILE
    skipped = 0
    for each in remains(path):
        if isinstance(each, str):
            skipped += 1
            typer.echo(f"skipped: {each}", err=True)
        else:
            for alert in (one for one in each.alerts if not one.HasField("canary")):
                alert.message = alert.message or alert.rule.name  # as the hub does
                typer.echo(json.dumps(view.alert_view(StoredAlert(alert=alert))))
    if skipped:
        raise typer.Exit(FAILED)


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
    from artemis_agent.salvage import FILE  # noqa: PLC0415

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
        raise typer.Exit(FAILED)

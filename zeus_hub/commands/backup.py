"""`zeus backup` and `zeus restore`: a copy of the whole hub, and back."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, hint, suggest

if TYPE_CHECKING:
    from zeus_hub.backup import Place
    from zeus_hub.plan import Plan

_CLEAR = "\r\x1b[K"  # begins the line of a terminal anew
_MIB = 1024 * 1024


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the backup.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Copy the journal, the database, the CA, the operator's identity and the settings; the hub may run.

    A database on a server is left to pg_dump, which must be run after this. Whoever has the copy can be this
    hub: keep it as you keep the CA's key.
    """
    from zeus_hub import backup  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import bare  # noqa: PLC0415

    plan = state.read_plan(config)
    with state.usable(plan):
        state.refuse_for_another(plan)
        watched = sys.stderr.isatty()
        tell = _say_progress if watched else _say_nothing
        place = _place(plan, config)
        made = backup.back_up(place, folder.absolute(), now=utc_now(), tell=tell)
    if watched:
        typer.echo(_CLEAR, err=True, nl=False)
    size = sum(file.size for file in made.files.values())
    typer.echo(f"{folder}: {len(made.files)} files, {size // _MIB} MiB")
    if place.server:
        hint(
            "The database is not in it. Dump it now, and keep the dump beside it: pg_dump --format=custom"
            f" --file={shlex.quote(f'{folder}.dump')} {shlex.quote(bare(place.server))}"
        )
    suggest("To put it back", f"zeus restore {folder}", config)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `zeus backup` made.")],
    *,
    config: ConfigOption = CONFIG,
    force: Annotated[
        bool, typer.Option("--force", help="Move the hub that is there aside; nothing is deleted.")
    ] = False,
) -> None:
    """Put a backup in this hub's place; the hub must not run.

    A database on a server must have been restored before, by pg_restore.
    """
    from zeus_hub import restore  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    settings = _settings(folder, config)
    with state.usable(settings):
        state.refuse_for_another(settings)
    done = restore.restore(folder.absolute(), _place(settings, config), force=force, now=utc_now())
    typer.echo(f"restored what the hub in {settings.state_dir} was at {done.manifest.made}")
    if done.aside:
        typer.echo(f"what was there has now names that end in {done.aside}")
    hint(
        "What changed since is not known to it. Enrolment tokens that were not used are void. Add and enrol"
        " again what has come since, and revoke again what has been revoked since (see zeus node list). What"
        " nodes had delivered since shows as missing in zeus ledger."
    )
    suggest("Look at it, then start it", "zeus check --deep", config)


def _settings(folder: Path, config: Path) -> "Plan":
    """Return the settings: those that are there, else those of the backup, as if they were."""
    from zeus_hub import config as configs  # noqa: PLC0415
    from zeus_hub.backup import SETTINGS, read_manifest  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    if config.exists() or SETTINGS not in read_manifest(folder).files:
        return state.read_plan(config)
    return configs.plan(config, file=folder / SETTINGS)


def _place(settings: "Plan", config: Path) -> "Place":
    from zeus_hub.backup import DATABASE, Place  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    state_dir, file = settings.state_dir.absolute(), state.database_file(settings)
    if file is None:
        return Place(state_dir, state_dir / DATABASE, config.absolute(), settings.database)
    return Place(state_dir, file.absolute(), config.absolute())


def _say_progress(name: str, done: int, of: int) -> None:
    typer.echo(f"{_CLEAR}{name}: {done // _MIB} of {of // _MIB} MiB", err=True, nl=False)


def _say_nothing(_name: str, _done: int, _of: int) -> None:
    """Keep quiet where nobody watches."""

"""`zeus migrate`: everything that a hub keeps in SQLite, to PostgreSQL."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, hint, print_json, suggest

if TYPE_CHECKING:
    from zeus_hub.move import Moved
    from zeus_hub.plan import Plan
    from zeus_hub.proof import Comparison

_CLEAR = "\r\x1b[K"  # begins the line of a terminal anew
_SHOWN = 16  # digits of a checksum, for people


def _server(url: str) -> str:
    """Read where to move; what was typed is not repeated, for there may be a password in it."""
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        backend = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        backend = ""
    if backend != "postgresql":
        raise typer.BadParameter('Write it as "postgresql://USER@HOST/NAME".')
    return url


def migrate(
    to: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="An empty PostgreSQL database.", callback=_server),
    ],
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Copy everything that the hub keeps in its SQLite file to PostgreSQL, and prove that it is the same.

    The hub must not run. Run it again where it was cut off: it goes on where it was. The file stays.
    """
    from zeus_hub import move  # noqa: PLC0415
    from zeus_hub.alone import alone  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    plan = state.read_plan(config)
    _refuse_server(plan)
    with state.usable(plan):
        state.refuse_for_another(plan)
        with state.opened(plan) as source, alone(plan.state_dir):
            watched = sys.stderr.isatty() and not json
            tell = _say_progress if watched else _say_nothing
            proved = _say_nothing if json else partial(_say_proved, watched)
            moved = move.move(source, to, plan.state_dir, utc_now, tell, proved)
    _conclude(moved, to, plan, json=json)
    suggest("Then look at it, and start it", "zeus check --deep", config)


def _refuse_server(settings: "Plan") -> None:
    from socme.errors import OperatorError  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    if state.database_file(settings) is None:
        raise OperatorError(
            "this hub's database is on a server already: store.url",
            "Only what is in SQLite is moved; PostgreSQL's own tools move from server to server.",
        )


def _conclude(moved: "Moved", to: str, settings: "Plan", *, json: bool) -> None:
    """Say what was done, and what to do now."""
    from json import dumps  # noqa: PLC0415

    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import bare  # noqa: PLC0415

    where, rows = bare(to), sum(proof.rows for proof in moved.proofs.values())
    if json:
        tables = {name: {"rows": proof.rows, "sha256": proof.sha256} for name, proof in moved.proofs.items()}
        before = moved.before.isoformat() if moved.before else None
        print_json({"to": where, "moved_before": before, "rows": rows, "tables": tables})
    elif moved.before:
        typer.echo(f"all of it was moved at {moved.before:%Y-%m-%d %H:%M} UTC, and nothing has changed since")
    else:
        typer.echo(f"{rows:,} rows in {len(moved.proofs)} tables, the same on both sides")
    hint(f"{state.database_file(settings)} is left as it is; do not start a hub with it any more.")
    hint(f"Write in the settings:\n\n[store]\nurl = {dumps(where, ensure_ascii=False)}\n")
    if where != to:
        hint("The password is not shown. Better than in the URL it stands in a file: see docs/postgresql.md.")


def _say_proved(watched: bool, table: str, found: "Comparison") -> None:  # noqa: FBT001
    if watched:
        typer.echo(_CLEAR, err=True, nl=False)
    if found.difference:
        typer.echo(
            f"{table}: {found.ours.rows:,} rows in the file, {found.theirs.rows:,} there: NOT THE SAME"
        )
    else:
        typer.echo(f"{table}: {found.ours.rows:,} rows, sha256 {found.ours.sha256[:_SHOWN]}")


def _say_progress(doing: str, table: str, done: int, of: int) -> None:
    typer.echo(f"{_CLEAR}{table}: {done:,} of {of:,} rows {doing}", err=True, nl=False)


def _say_nothing(*_: object) -> None:
    """Keep quiet where nobody watches."""

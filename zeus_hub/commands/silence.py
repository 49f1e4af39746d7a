"""`zeus silence`: what people are not to be told of for a while."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption, person
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, ahead, plain, print_json

if TYPE_CHECKING:
    from zeus_hub.silences import Asked

ByOption = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", parser=plain, help="Who does it. [default: the login name]"),
]
_COLUMNS = ["NUMBER", "CLIENT", "UNTIL (UTC)", "WHO", "WHY", "ALERTS"]

app = typer.Typer(help="Hold back what people would be told, for a while.", no_args_is_help=True)


@app.command("add")
def add(
    *,
    client: Annotated[str, typer.Option(metavar="NAME", parser=plain, help="Whose alerts.")],
    why: Annotated[str, typer.Option(metavar="TEXT", parser=plain, help="The reason, for others.")],
    match: Annotated[
        str,
        typer.Option(metavar="EXPRESSION", parser=plain, help="Which of them, as in the rules; all without."),
    ] = "",
    until: Annotated[
        datetime,
        typer.Option(metavar="TIME", parser=ahead, help="In 30m, 24h, 3d, or 2026-12-31T08:00 (UTC)."),
    ],
    by: ByOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Tell nobody of some alerts of a client for a while; they are stored and shown all the same."""
    from zeus_hub import silences  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    wish = silences.Wish(client=client, match=match, until=until, why=why)
    with state.opened(state.read_plan(config)) as engine:
        made = silences.add(engine, wish, who=by or person(), now=utc_now())
    typer.echo(f"silence {made.number} until {made.until:%Y-%m-%d %H:%M:%S} UTC")


@app.command("list")
def list_(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
) -> None:
    """List silences, the newest first."""
    from zeus_hub import silences  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        found = silences.asked(engine, utc_now(), all_of_them=everything)
    if json:
        for each in found:
            print_json(_view(each))
        return
    from socme.table import show_table  # noqa: PLC0415

    rows = [
        [each.number, each.client, f"{each.until:%Y-%m-%d %H:%M:%S}", each.who, each.why, each.match or "all"]
        for each in found
    ]
    show_table(_COLUMNS, rows)


@app.command("end")
def end(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `zeus silence list` tells it.")],
    *,
    by: ByOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """End a silence now; what is still open is told."""
    from zeus_hub import silences  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    now = utc_now()
    with state.opened(state.read_plan(config)) as engine:
        found = silences.end(engine, number, who=by or person(), now=now)
    if found.until <= now:
        typer.echo(f"silence {number} has ended already, at {found.until:%Y-%m-%d %H:%M:%S} UTC")
    else:
        typer.echo(f"silence {number} ended")


def _view(asked: "Asked") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    return {
        "number": asked.number,
        "client": asked.client,
        "match": asked.match,
        "made": stamp(asked.made),
        "until": stamp(asked.until),
        "who": asked.who,
        "why": asked.why,
    }

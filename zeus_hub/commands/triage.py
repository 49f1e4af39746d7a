"""`zeus alert ack`, `assign`, `close`, `reopen`, `comment`: what people do about alerts.

Of one alert, of several by their ids, of all that the filters of `zeus alert list` leave, or of a group that
people were told of.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption, person
from socme.identity import utc_now
from zeus_hub.commands.filters import digits, filtered, named
from zeus_hub.commands.options import CONFIG, hint, plain, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from zeus_hub.alerts import Filters
    from zeus_hub.triage import Chosen, Outcome

    Deed = Callable[[Engine, Chosen, str], Outcome]  # with who does it

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", parser=digits, help="Ids, or their first digits: as many as tell them apart."
    ),
]
GroupOption = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="ID",
        parser=digits,
        help="All open alerts of a group, as a message names it: its id, or the first 6 or more digits.",
    ),
]
ByOption = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", parser=plain, help="Who does it. [default: the login name]"),
]


def verdict(text: str) -> int:
    """Read the name of a verdict."""
    from socme.triage import VERDICTS  # noqa: PLC0415 - --help must be quick

    numbers = {name: number for number, name in VERDICTS.items()}
    if text.strip().lower() not in numbers:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(numbers)}")
    return numbers[text.strip().lower()]


@filtered
def acknowledge(
    ids: IdsArgument = None,
    *,
    filters: "Filters",
    group: GroupOption = None,
    by: ByOption = None,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Say that somebody looks after alerts: you, where they have no owner yet."""
    from zeus_hub import triage  # noqa: PLC0415

    def do(engine: "Engine", chosen: "Chosen", actor: str) -> "Outcome":
        return triage.acknowledge(engine, chosen, by=actor, now=utc_now())

    _tell("acknowledged", _run(config, ids, filters, by, do, group=group), json=json)


@filtered
def assign(  # noqa: PLR0913 - as of close
    ids: IdsArgument = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="NAME", parser=plain, help="Who is to look after them.")],
    filters: "Filters",
    group: GroupOption = None,
    by: ByOption = None,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Give alerts to somebody."""
    from zeus_hub import triage  # noqa: PLC0415

    def do(engine: "Engine", chosen: "Chosen", actor: str) -> "Outcome":
        return triage.assign(engine, chosen, to, by=actor, now=utc_now())

    _tell("assigned", _run(config, ids, filters, by, do, group=group), json=json)


@filtered
def close(  # noqa: PLR0913 - its options are its parameters
    ids: IdsArgument = None,
    *,
    said: Annotated[
        int,
        typer.Option(
            "--verdict",
            metavar="true-positive|false-positive|benign|duplicate",
            parser=verdict,
            help="What they turned out to be.",
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="WORDS", help="Why.")],
    filters: "Filters",
    group: GroupOption = None,
    by: ByOption = None,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Be done with alerts; by filters, with those that are open, unless --status says otherwise."""
    from zeus_hub import triage  # noqa: PLC0415

    def do(engine: "Engine", chosen: "Chosen", actor: str) -> "Outcome":
        return triage.close(engine, chosen, said, reason, by=actor, now=utc_now())

    _tell("closed", _run(config, ids, filters, by, do, group=group), json=json)


@filtered
def reopen(
    ids: IdsArgument = None,
    *,
    filters: "Filters",
    by: ByOption = None,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Make alerts that were closed new again."""
    from zeus_hub import triage  # noqa: PLC0415

    def do(engine: "Engine", chosen: "Chosen", actor: str) -> "Outcome":
        return triage.reopen(engine, chosen, by=actor, now=utc_now())

    _tell("reopened", _run(config, ids, filters, by, do), json=json)


@filtered
def comment(  # noqa: PLR0913 - as of close
    ids: IdsArgument = None,
    *,
    message: Annotated[str, typer.Option("--message", metavar="WORDS", help="What to say.")],
    filters: "Filters",
    group: GroupOption = None,
    by: ByOption = None,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Say something about alerts."""
    from zeus_hub import triage  # noqa: PLC0415

    def do(engine: "Engine", chosen: "Chosen", actor: str) -> "Outcome":
        return triage.comment(engine, chosen, message, by=actor, now=utc_now())

    _tell("commented on", _run(config, ids, filters, by, do, group=group), json=json)


def _run(
    config: Path,
    ids: list[str] | None,
    filters: "Filters",
    by: str | None,
    do: "Deed",
    *,
    group: str | None = None,
) -> "Outcome":
    """Do something to the alerts that are meant: by ids, filters or a group; never to all."""
    from zeus_hub import grouped  # noqa: PLC0415
    from zeus_hub.alerts import Filters  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.triage import Ref  # noqa: PLC0415

    if [bool(ids), filters != Filters(), group is not None].count(True) != 1:
        raise typer.BadParameter("name alerts by their ids or by filters or by a group, one of these")
    with state.opened(state.read_plan(config)) as engine:
        chosen: Chosen = filters
        if ids:
            chosen = [Ref(one.client, one.node, one.alert.id) for one in named(engine, ids)]
        elif group is not None:
            chosen = grouped.named(engine, group)
        return do(engine, chosen, by or person())


def _tell(done: str, outcome: "Outcome", *, json: bool) -> None:
    if json:
        print_json({"found": outcome.found, "changed": outcome.changed})
        return
    typer.echo(f"{outcome.changed} alert{'' if outcome.changed == 1 else 's'} {done}")
    if outcome.changed < outcome.found:
        hint(f"Nothing was to be done about {outcome.found - outcome.changed} more.")

"""`zeus report`: what is told of a client's day or month, before it is sent."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from socme.commands import ConfigOption
from socme.errors import OperatorError
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, plain

if TYPE_CHECKING:
    from zeus_hub.periods import Kind, Period
    from zeus_hub.plan import Plan
    from zeus_hub.reports import Draft
    from zeus_hub.routes.rules import Report, Rules

UTC = ZoneInfo("UTC")

app = typer.Typer(help="Show what is told of a client's day or month; nothing is sent.", no_args_is_help=True)


def day(text: str) -> date:
    """Read a date, or a month as its first day."""
    try:
        return date.fromisoformat(f"{text.strip()}-01" if text.strip().count("-") == 1 else text.strip())
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write 2026-07-01, or 2026-07") from error


ClientOption = Annotated[
    str, typer.Option("--client", metavar="NAME", parser=plain, help="The client's name.")
]
ForOption = Annotated[
    date | None,
    typer.Option(
        "--for", metavar="DATE", parser=day, help="A day of it. [default: the last one that is over]"
    ),
]
HtmlOption = Annotated[bool, typer.Option("--html", help="Print the page of HTML instead of the text.")]


@app.command("day")
def show_day(
    *, client: ClientOption, on: ForOption = None, html: HtmlOption = False, config: ConfigOption = CONFIG
) -> None:
    """Print the daily digest of a client.

    Zone, language and templates are those of the first [[report]] of it in the rules; UTC and English where
    there is none.
    """
    _show("day", client, on, config, html=html)


@app.command("month")
def show_month(
    *, client: ClientOption, on: ForOption = None, html: HtmlOption = False, config: ConfigOption = CONFIG
) -> None:
    """Print the monthly page of a client.

    Zone, language and templates are those of the first [[report]] of it in the rules; UTC and English where
    there is none.
    """
    _show("month", client, on, config, html=html)


def _show(kind: "Kind", client: str, on: date | None, config: Path, *, html: bool) -> None:
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.digest import Digests  # noqa: PLC0415
    from zeus_hub.receivers import kinds  # noqa: PLC0415
    from zeus_hub.reporter import worded  # noqa: PLC0415
    from zeus_hub.routes.reading import load  # noqa: PLC0415

    plan, now = state.read_plan(config), utc_now()
    rules = load(plan.routes_dir)
    agreed = _agreed(rules, kind, client)
    zone = UTC if agreed is None else agreed.zone
    described = None if agreed is None else rules.receivers[agreed.receivers[0]]
    options = {} if described is None else described.options
    beside = plan.routes_dir if described is None else described.place.file.parent
    draft = _draft(plan, client, _period(kind, on, zone, now), zone, now)
    words = worded(Digests(kinds.templates(options, beside, zone)), draft)
    for warning in words.warnings:
        typer.echo(warning, err=True)
    typer.echo(words.html if html else f"{words.subject}\n\n{words.text}")


def _agreed(rules: "Rules", kind: "Kind", client: str) -> "Report | None":
    mine = (each for each in rules.reports if each.clients is None or client in each.clients)
    return next((each for each in mine if each.kind == kind), None)


def _period(kind: "Kind", on: date | None, zone: ZoneInfo, now: datetime) -> "Period":
    """Return the period that is asked for; one that is not over yet ends now."""
    from zeus_hub import periods  # noqa: PLC0415

    if on is None:
        return periods.before(kind, now.astimezone(zone).date(), zone)
    period = periods.of(kind, on, zone)
    if period.start >= now:
        raise OperatorError(f"{period.name} has not begun", "Name a time that is over, or goes on.")
    return replace(period, end=min(period.end, now))


def _draft(settings: "Plan", client: str, period: "Period", zone: ZoneInfo, now: datetime) -> "Draft":
    from zeus_hub import recount, registry  # noqa: PLC0415
    from zeus_hub.commands import standing, state  # noqa: PLC0415
    from zeus_hub.reports import Draft  # noqa: PLC0415

    with state.opened(settings) as engine:
        known = registry.get_client(engine, client)
        standings = standing.load(engine, settings, now)
        nodes = registry.list_nodes(engine, client=client, with_vitals=False)
        gone = None if standings.is_live or standings.pulse is None else standings.pulse.time
        content = recount.report(
            engine,
            known,
            period,
            [replace(node, health=standings.node(node).health) for node in nodes],
            now=now,
            away=gone,
        )
    return Draft(name="", kind=period.kind, period=period.name, zone=zone, content=content)

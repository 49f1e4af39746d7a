"""`zeus ledger`: what became of every line and every alert, and whether anything is unaccounted for."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import FAILED, ConfigOption, JsonOption
from zeus_hub.commands.options import CONFIG, SinceOption, hint, plain, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from zeus_hub.ledger import Balance, Hour

LATEST = 6  # hours of each source that a person is shown unless told otherwise
LONGEST_SOURCE = 60  # characters of a source's name
LONGEST_LINE = 500  # characters; nodes choose the names of reasons
# What stayed on the site is one column here; --json has every reason.
_COLUMNS = ["HOUR (UTC)", "READ", "STAYED", "SPOOLED", "ACKED", "PENDING", "DROPPED", "UNACCOUNTED"]

Node = tuple[str, str]  # client and name


def _node(text: str) -> Node:
    client, slash, name = plain(text).strip().partition("/")
    if not (client and slash and name) or "/" in name:
        raise typer.BadParameter(f"{text!r} is no node; write CLIENT/NODE, as in acme/acme-1")
    return client, name


def ledger(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    node: Annotated[
        # Typer takes a tuple for two values; a parser gives one.
        str | None,
        typer.Option("--node", metavar="CLIENT/NODE", parser=_node, help="Only this node."),
    ] = None,
    since: SinceOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Hours of each source. [default: 6; as JSON, all]"),
    ] = None,
) -> None:
    """Show, for each node, source and hour, where every line and every alert went.

    Ends with exit code 1 where anything is unaccounted for or missing, in an hour that is not shown too.
    """
    hours, balances = _read(config, node, since)  # type: ignore[arg-type]
    lost = sum(one.unaccounted + one.account.missing for one in balances)
    lost += sum(hour.unaccounted for hour in hours)
    shown = list(_latest(hours, limit if json or limit else LATEST))
    if json:
        for hour in shown:
            print_json(_hour_view(hour))
        for balance in balances:
            print_json(_balance_view(balance))
    else:
        _show(shown, balances, hidden=len(hours) - len(shown))
        hint(f"{lost} unaccounted for or missing." if lost else "Everything is accounted for.")
    if lost:
        raise typer.Exit(FAILED)


def _read(config: "Path", node: Node | None, since: datetime | None) -> "tuple[list[Hour], list[Balance]]":
    from zeus_hub import ledger, registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.commit import explained  # noqa: PLC0415

    settings = state.read_settings(config)
    journal = settings.state_dir / "journal.db"
    with state.opened(settings) as engine, explained(journal):
        if node is not None:
            registry.get_node(engine, *node)
        hours = [hour for hour in ledger.hours(engine, since=since) if _is_wanted(hour, node)]
        return hours, [one for one in ledger.balances(engine, journal) if _is_wanted(one, node)]


def _is_wanted(one: "Hour | Balance", node: Node | None) -> bool:
    return node is None or node == (one.client, one.node)


def _source(hour: "Hour") -> tuple[str, str, str]:
    return hour.client, hour.node, hour.told.source


def _latest(hours: "Iterable[Hour]", limit: int | None) -> "Iterator[Hour]":
    """Yield the newest hours of each source, and every one that does not balance."""
    for _, of_source in groupby(hours, _source):
        for number, hour in enumerate(of_source):
            if limit is None or number < limit or hour.unaccounted:
                yield hour


def _show(hours: "list[Hour]", balances: "list[Balance]", *, hidden: int) -> None:
    from socme.table import show_table  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415

    told = {(one.client, one.node): one for one in balances}
    read = {key: list(of_node) for key, of_node in groupby(hours, lambda hour: (hour.client, hour.node))}
    for client, name in sorted({*told, *read}):
        typer.echo(clean(f"{client}/{name}", LONGEST_LINE))
        if (client, name) in told:
            for line in _equation(told[client, name]):
                typer.echo(f"  {line}")
        for (*_, source), of_source in groupby(read.get((client, name), []), _source):
            typer.echo(f"\n  {clean(source, LONGEST_SOURCE)}")
            show_table(_COLUMNS, [_row(hour) for hour in of_source])
        typer.echo("")
    if hidden:
        hint(f"{hidden} older hours are not shown; --limit N shows more.")


def _equation(balance: "Balance") -> Iterator[str]:
    """Yield what the hub did, in lines that fit a narrow terminal."""
    account = balance.account
    yield f"{account.taken} taken + {account.own} of the hub's own"
    yield (
        f"= {balance.stored} stored + {balance.repeated} there already + {balance.canaries} canaries"
        f" + {balance.unreadable} unreadable"
    )
    yield f"+ {balance.waiting} waiting; missing {account.missing}, unaccounted {balance.unaccounted}"
    if account.given_up:
        from socme.text import clean  # noqa: PLC0415

        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(account.given_up.items()))
        yield clean(f"given up by the node: {reasons}", LONGEST_LINE)


def _row(hour: "Hour") -> list[object]:
    told = hour.told
    stayed = told.not_alert + sum(told.filtered.values()) + told.rolled_up + told.undecodable
    return [
        _beginning(hour)[5:16].replace("T", " "),  # without the year: hours are kept for a month
        told.read,
        stayed,
        told.spooled,
        told.acknowledged,
        told.pending,
        sum(told.dropped.values()),
        hour.unaccounted,
    ]


def _beginning(hour: "Hour") -> str:
    from socme.view import moment, stamp  # noqa: PLC0415

    time = moment(hour.told.hour)
    return stamp(time) if time else ""


def _hour_view(hour: "Hour") -> dict[str, object]:
    from socme.view import ledger_view  # noqa: PLC0415

    names = {"client": hour.client, "node": hour.node}
    return {**names, **ledger_view(hour.told), "unaccounted": hour.unaccounted}


def _balance_view(balance: "Balance") -> dict[str, object]:
    account = balance.account
    return {
        "client": balance.client,
        "node": balance.node,
        "hub": {
            "taken": account.taken,
            "own": account.own,
            "stored": balance.stored,
            "repeated": balance.repeated,
            "canaries": balance.canaries,
            "unreadable": balance.unreadable,
            "waiting": balance.waiting,
            "given_up": dict(sorted(account.given_up.items())),
            "missing": account.missing,
        },
        "unaccounted": balance.unaccounted,
    }

"""`zeus ledger`: what became of every line and every alert, and whether anything is unaccounted for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption, person
from socme.identity import utc_now
from socme.launch import FAILED
from zeus_hub.commands.options import CONFIG, SinceOption, hint, plain, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from zeus_hub.ledger import Balance, Hour
    from zeus_hub.settle import Amounts, Settled

LATEST = 6  # hours of each source that a person is shown unless told otherwise
LONGEST_SOURCE = 60  # characters of a source's name
LONGEST_LINE = 500  # characters; nodes choose the names of reasons
# What stayed on the site is one column here; --json has every reason.
_COLUMNS = ["HOUR (UTC)", "READ", "STAYED", "SPOOLED", "ACKED", "PENDING", "DROPPED", "UNACCOUNTED"]

Node = tuple[str, str]  # client and name

app = typer.Typer(invoke_without_command=True)


@dataclass(frozen=True, slots=True)
class _Books:
    """All that is known, of all nodes or of one."""

    hours: "list[Hour]"
    balances: "list[Balance]"
    amounts: "Mapping[Node, Amounts]"
    """What is not where it should be, as of now."""
    settled: "Mapping[Node, Settled]"
    refused: Mapping[Node, int] = field(default_factory=dict)
    """Hours that could not be kept."""

    def lost(self) -> int:
        """Return how many alerts are missing or unaccounted for beyond what was settled."""
        from zeus_hub.settle import Settled  # noqa: PLC0415

        beyond = [one.beyond(self.settled.get(node, Settled()).amounts) for node, one in self.amounts.items()]
        of_hours = sum(hour.unaccounted - hour.settled for hour in self.hours)
        return of_hours + sum(one.missing + one.unstored + one.rows for one in beyond)


def _node(text: str) -> Node:
    client, slash, name = plain(text).strip().partition("/")
    if not (client and slash and name) or "/" in name:
        raise typer.BadParameter(f"{text!r} is no node; write CLIENT/NODE, as in acme/acme-1")
    return client, name


@app.callback(invoke_without_command=True)
def ledger(
    context: typer.Context,
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

    Ends with exit code 1 where anything is unaccounted for or missing that was not settled, also in an hour
    that is not shown.
    """
    if context.invoked_subcommand is not None:
        return
    books = _read(config, node, since)  # type: ignore[arg-type]
    lost, hours = books.lost(), books.hours
    shown = list(_latest(hours, limit if json or limit else LATEST))
    if json:
        for hour in shown:
            print_json(_hour_view(hour))
        for balance in books.balances:
            print_json(_balance_view(balance, books))
    else:
        _show(shown, books, hidden=len(hours) - len(shown))
        hint(f"{lost} unaccounted for or missing." if lost else "Everything is accounted for.")
    if lost:
        raise typer.Exit(FAILED)


@app.command("settle")
def settle(
    node: Annotated[
        str, typer.Argument(metavar="CLIENT/NODE", parser=_node, help="The node, as in acme/acme-1.")
    ],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Take all that is missing of a node now as seen: from now on, only what exceeds it counts.

    Nothing is deleted: `zeus ledger` goes on to show it, with who settled it and when.
    """
    from zeus_hub import registry, settle  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    key: Node = node  # type: ignore[assignment]
    books = _read(config, key, None)
    with state.opened(state.read_plan(config)) as engine:
        amounts = books.amounts.get(key, settle.Amounts(told=_told(registry.get_node(engine, *key).vitals)))
        done = settle.settle(engine, key, amounts, by=person(), now=utc_now())
    typer.echo(f"{'/'.join(key)}: {_words(done)}")


def _read(config: "Path", node: Node | None, since: datetime | None) -> _Books:
    from zeus_hub import ledger, registry, settle  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.commit import explained  # noqa: PLC0415

    plan = state.read_plan(config)
    journal = plan.state_dir / "journal.db"
    with state.opened(plan) as engine, explained(journal):
        if node is not None:
            registry.get_node(engine, *node)
        balances = [one for one in ledger.balances(engine, journal) if _is_wanted(one, node)]
        return _Books(
            hours=[hour for hour in ledger.hours(engine, since=since) if _is_wanted(hour, node)],
            balances=balances,
            amounts=_amounts(engine, balances),
            settled=settle.settled(engine),
            refused={key: count for key, count in ledger.refused(engine).items() if node in (None, key)},
        )


def _amounts(engine: "Engine", balances: "Iterable[Balance]") -> "dict[Node, Amounts]":
    """Return what is not where it should be."""
    from zeus_hub import ledger, registry  # noqa: PLC0415
    from zeus_hub.settle import Amounts  # noqa: PLC0415

    rows = {key: abs(expected - there) for key, expected, there in ledger.rows(engine)}
    told = {(one.client, one.name): _told(one.vitals) for one in registry.list_nodes(engine)}
    return {
        key: Amounts(one.account.missing, one.unaccounted, rows.get(key, 0), told.get(key, 0))
        for key, one in (((one.client, one.node), one) for one in balances)
    }


def _told(vitals: bytes | None) -> int:
    """Return by how much a node's books fail by its own word, as of its last vitals."""
    from socme.v1.vitals_pb2 import Vitals  # noqa: PLC0415
    from zeus_hub.hours import MOST_FAILING  # noqa: PLC0415

    return min(Vitals.FromString(vitals or b"").spool.unaccounted, MOST_FAILING)


def _is_wanted(one: "Hour | Balance", node: Node | None) -> bool:
    return node is None or node == (one.client, one.node)


def _source(hour: "Hour") -> tuple[str, str, str]:
    return hour.client, hour.node, hour.told.source


def _latest(hours: "Iterable[Hour]", limit: int | None) -> "Iterator[Hour]":
    """Yield the newest hours of each source, and every one that does not balance and was not settled."""
    for _, of_source in groupby(hours, _source):
        for number, hour in enumerate(of_source):
            if limit is None or number < limit or hour.unaccounted > hour.settled:
                yield hour


def _show(hours: "list[Hour]", books: _Books, *, hidden: int) -> None:
    from socme.table import show_table  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415

    told = {(one.client, one.node): one for one in books.balances}
    read = {key: list(of_node) for key, of_node in groupby(hours, lambda hour: (hour.client, hour.node))}
    for client, name in sorted({*told, *read, *books.refused}):
        typer.echo(clean(f"{client}/{name}", LONGEST_LINE))
        if (client, name) in told:
            for line in _equation(told[client, name], books.amounts[client, name].rows):
                typer.echo(f"  {line}")
        for line in _remarks((client, name), books):
            typer.echo(f"  {line}")
        for (*_, source), of_source in groupby(read.get((client, name), []), _source):
            typer.echo(f"\n  {clean(source, LONGEST_SOURCE)}")
            show_table(_COLUMNS, [_row(hour) for hour in of_source])
        typer.echo("")
    if hidden:
        hint(f"{hidden} older hours are not shown; --limit N shows more.")


def _remarks(node: Node, books: _Books) -> Iterator[str]:
    """Yield what else is to be said of a node's books."""
    from socme.text import clean  # noqa: PLC0415

    if node in books.settled:
        yield clean(_words(books.settled[node]), LONGEST_LINE)
    if node in books.refused:
        yield (
            f"{books.refused[node]} times an hour could not be kept: check that its clock is right, and that"
        )
        yield "it does not have too many sources"


def _words(settled: "Settled") -> str:
    amounts = settled.amounts
    when = f"{settled.time:%Y-%m-%d %H:%M} UTC" if settled.time else ""
    lost = amounts.missing + amounts.unstored + amounts.rows + settled.hours
    return f"settled by {settled.by}, {when}: {lost} alerts"


def _equation(balance: "Balance", rows: int) -> Iterator[str]:
    """Yield what the hub did, in lines that fit a narrow terminal."""
    account = balance.account
    yield f"{account.taken} taken + {account.own} of the hub's own"
    yield (
        f"= {balance.stored} stored + {balance.repeated} there already + {balance.canaries} canaries"
        f" + {balance.unreadable} unreadable"
    )
    yield f"+ {balance.waiting} waiting; missing {account.missing}, unaccounted {balance.unaccounted}"
    if rows:
        yield f"{rows} rows fewer or more in the store than were put there: zeus check --deep"
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
    return {**names, **ledger_view(hour.told), "unaccounted": hour.unaccounted, "settled": hour.settled}


def _balance_view(balance: "Balance", books: _Books) -> dict[str, object]:
    from zeus_hub.settle import Settled  # noqa: PLC0415

    account, node = balance.account, (balance.client, balance.node)
    amounts, settled = books.amounts[node], books.settled.get(node, Settled())
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
        "rows_off": amounts.rows,
        "settled": {
            "missing": settled.amounts.missing,
            "unaccounted": settled.amounts.unstored,
            "rows_off": settled.amounts.rows,
            "hours": settled.hours,
            "by": settled.by,
        },
        "hours_refused": books.refused.get(node, 0),
    }

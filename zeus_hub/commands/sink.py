"""`zeus sink`: where alerts go from the store: how it stands with each receiver, and what it refused."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption, person
from socme.errors import OperatorError
from socme.identity import utc_now
from socme.launch import FAILED
from zeus_hub.commands.options import CONFIG, hint, moment, plain, print_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from zeus_hub import reports
    from zeus_hub.letters import Standing
    from zeus_hub.outbox import Letter
    from zeus_hub.plan import Plan
    from zeus_hub.routes.rules import Rules

_COLUMNS = ["SINK", "KIND", "WAITING", "SINCE (UTC)", "REFUSED", "TOLD", "TROUBLE"]
_REFUSED = ["NUMBER", "CLIENT", "ROUTE OR REPORT", "ALERTS", "REFUSED BECAUSE"]
LONGEST_TEST = 120.0  # seconds
LONGEST_LINE = 1000  # characters

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", parser=plain, help="The receiver's name, as in the rules.")
]

app = typer.Typer(help="Look after the places that alerts go to.", no_args_is_help=True)


@app.command("list")
def list_(*, config: ConfigOption = CONFIG, json: JsonOption = False) -> None:
    """List the store and all receivers: what waits, since when and why, what was refused and what told.

    What was told is counted for 30 days. Of the store, what was refused are batches that could not be read.
    """
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import reading  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules_or_hint(plan)
    receivers = {} if rules is None else rules.receivers
    with state.opened(plan) as engine, reading(engine) as connection:
        standings = _standings(connection)
    standings["store"] = _store(plan)
    names = ["store", *sorted({*receivers, *standings} - {"store"})]
    kinds = {"store": "store", **{name: each.kind for name, each in receivers.items()}}
    missing = "not known" if rules is None else "not in the rules"
    if json:
        for name in names:
            print_json(_view(name, kinds.get(name), standings.get(name)))
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_COLUMNS, [_row(name, kinds.get(name, missing), standings.get(name)) for name in names])


@app.command("refused")
def refused(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The receiver's name; all of them without.")
    ] = None,
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """List what receivers refused for good, the oldest first, and why."""
    from zeus_hub import outbox, reports  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import reading  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules_or_hint(plan)
    with state.opened(plan) as engine, reading(engine) as connection:
        if name is not None:
            _check_name(rules, set(_standings(connection)), name)
        letters = list(outbox.set_aside(connection, name))
        pages = list(reports.set_aside(connection, name))
    if json:
        for view in (*map(_letter_view, letters), *map(_page_view, pages)):
            print_json(view)
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_REFUSED, [*map(_letter_row, letters), *map(_page_row, pages)])


@app.command("retry")
def retry(
    name: NameArgument,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="NUMBER", help="Only these, as `zeus sink refused` tells them; no reports then."
        ),
    ] = None,
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Try again at once what waits, and what was refused."""
    from zeus_hub import recall, reports  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import writing  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules_or_hint(plan)
    with state.opened(plan) as engine, writing(engine) as connection:
        _check_name(rules, set(_standings(connection)), name)
        _check_rules(rules, name)
        _check_numbers(connection, name, numbers or ())
        tried = recall.again(connection, name, utc_now(), numbers or ())
        if not numbers:
            tried += reports.again(connection, name, utc_now())
        _note(connection, "sink retry", name, tried)
    typer.echo(f"{tried} to be told to {name}; the hub tries within 5 seconds")


@app.command("drop")
def drop(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Give up what waits for a receiver: it is set aside as if refused, and `retry` brings it back."""
    from zeus_hub import recall  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import writing  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules_or_hint(plan)
    with state.opened(plan) as engine, writing(engine) as connection:
        _check_name(rules, set(_standings(connection)), name)
        why, now = f"given up by {person()}", utc_now()
        count = recall.drop(connection, name, why, now)
        _note(connection, "sink drop", name, count)
    typer.echo(f"{count} will not be told to {name}; `zeus sink refused {name}` shows them for a year")


@app.command("replay")
def replay(
    name: NameArgument,
    since: Annotated[
        datetime,
        typer.Option(
            metavar="TIME", parser=moment, help="What was told since: 2h, 3d, or 2026-07-01T12:00 (UTC)."
        ),
    ],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Tell a receiver again of every group of which it was told since a time, each once, as a whole."""
    from zeus_hub import outbox, recall  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import writing  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules_or_hint(plan)
    with state.opened(plan) as engine, writing(engine) as connection:
        _check_name(rules, {each.receiver for each in outbox.standings(connection)}, name)
        _check_rules(rules, name)
        count = recall.replay(connection, name, since, utc_now())
        _note(connection, "sink replay", name, count)
    typer.echo(f"{count} groups to be told to {name} again")


@app.command("test")
def try_(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Send a receiver a test message, or look whether sending would work; say what is in the way."""
    import asyncio  # noqa: PLC0415

    from socme.text import clean  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.fitness import build  # noqa: PLC0415
    from zeus_hub.receivers.contract import DownError, RefusedError  # noqa: PLC0415

    plan = state.read_plan(config)
    rules = _rules(plan)
    _check_name(rules, set(), name)

    async def ask() -> str:
        receiver = build(rules.receivers[name]).receiver
        try:
            async with asyncio.timeout(LONGEST_TEST):
                return await receiver.test()
        finally:
            await receiver.close()

    try:
        typer.echo(f"ok  {clean(asyncio.run(ask()), LONGEST_LINE)}")
    except (DownError, RefusedError) as error:
        raise OperatorError(f"receiver {name}: {error}", "Mend that, and test again.") from error
    except TimeoutError:
        typer.echo(f"receiver {name}: no answer within {LONGEST_TEST:g} s", err=True)
        raise typer.Exit(FAILED) from None


def _store(settings: "Plan") -> "Standing":
    """Return how it stands with the store, which reads the journal itself."""
    from contextlib import closing  # noqa: PLC0415

    from socme.journal import Journal  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import reading  # noqa: PLC0415
    from zeus_hub.letters import Standing  # noqa: PLC0415
    from zeus_hub.sinks import store  # noqa: PLC0415

    with state.opened(settings) as engine, reading(engine) as connection:
        position, refused = store.position(connection), store.refused(connection)
    path = settings.state_dir / "journal.db"
    if not path.exists():
        return Standing("store", 0, refused, 0, None, "")
    with closing(Journal(path)) as journal:
        return Standing("store", journal.depth(position).alerts, refused, 0, None, "")


def _standings(connection: "Connection") -> dict[str, "Standing"]:
    """Return how it stands with each receiver, notices and reports together."""
    from zeus_hub import letters, outbox, reports  # noqa: PLC0415

    found = {each.receiver: each for each in outbox.standings(connection)}
    for other in reports.standings(connection):
        one = found.get(other.receiver)
        found[other.receiver] = other if one is None else letters.joined(one, other)
    return found


def _rules(settings: "Plan") -> "Rules":
    from zeus_hub.routes.reading import load  # noqa: PLC0415

    return load(settings.routes_dir)


def _rules_or_hint(settings: "Plan") -> "Rules | None":
    """Return the rules; None, and say so, where they are wrong: what waits must be seen then, too."""
    from zeus_hub.routes.reading import RulesError  # noqa: PLC0415

    try:
        return _rules(settings)
    except RulesError as error:
        hint(str(error))
        return None


def _check_name(rules: "Rules | None", known: set[str], name: str) -> None:
    """Raise OperatorError for what is no receiver, of the rules or of those that are `known` otherwise."""
    if rules is not None and name in rules.rotas and name not in known:
        people = sorted(rules.rotas[name].everybody)
        raise OperatorError(
            f"{name} is a rota, of the receivers {', '.join(people)}", "Name one of those: each has its own."
        )
    if name == "store":
        raise OperatorError("the store is no receiver", "The hub tries it by itself until it takes all.")
    names = known if rules is None else known | rules.receivers.keys()
    if name not in names:
        told = f"There are {', '.join(sorted(names))}." if names else "There are none."
        raise OperatorError(f"there is no receiver {name!r}", told)


def _check_rules(rules: "Rules | None", name: str) -> None:
    """Raise OperatorError where nobody would tell a receiver; wrong rules say nothing of that."""
    if rules is not None and name not in rules.receivers:
        raise OperatorError(
            f"{name} is in no rule any more: what it was not told would wait in vain",
            f"Put [receiver.{name}] back first.",
        )


def _check_numbers(connection: "Connection", name: str, numbers: "Collection[int]") -> None:
    """Raise OperatorError for numbers of notices that a receiver has not refused."""
    from zeus_hub import outbox  # noqa: PLC0415

    if strange := sorted(set(numbers) - {letter.number for letter in outbox.set_aside(connection, name)}):
        raise OperatorError(
            f"{name} has refused no notice {', '.join(map(str, strange))}",
            f"`zeus sink refused {name}` shows those that it has.",
        )


def _note(connection: "Connection", action: str, name: str, count: int) -> None:
    from zeus_hub import audit  # noqa: PLC0415

    audit.note(connection, action, name, actor=person(), now=utc_now(), details={"changed": count})


def _view(name: str, kind: str | None, standing: "Standing | None") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    return {
        "name": name,
        "kind": kind,
        "waiting": standing.waiting if standing else 0,
        "since": stamp(standing.oldest) if standing and standing.oldest else None,
        "refused": standing.refused if standing else 0,
        "told": standing.told if standing else 0,
        "trouble": standing.reason if standing else "",
    }


def _row(name: str, kind: str, standing: "Standing | None") -> list[object]:
    if standing is None:
        return [name, kind, 0, "", 0, 0, ""]
    since = f"{standing.oldest:%Y-%m-%d %H:%M:%S}" if standing.oldest else ""
    return [name, kind, standing.waiting, since, standing.refused, standing.told, standing.reason]


def _letter_view(letter: "Letter") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    notice = letter.notice
    return {
        "number": letter.number,
        "receiver": letter.receiver,
        "group": notice.group,
        "client": notice.client,
        "route": notice.route,
        "count": notice.count,
        "first": stamp(notice.first),
        "last": stamp(notice.last),
        "reason": letter.reason,
    }


def _page_view(page: "reports.Letter") -> dict[str, object]:
    draft = page.draft
    return {
        "number": None,
        "receiver": page.receiver,
        "client": draft.content.client,
        "report": draft.name,
        "period": draft.period,
        "reason": page.reason,
    }


def _letter_row(letter: "Letter") -> list[object]:
    notice = letter.notice
    return [letter.number, notice.client, notice.route, notice.count, f"{letter.receiver}: {letter.reason}"]


def _page_row(page: "reports.Letter") -> list[object]:
    return ["-", page.draft.content.client, page.about, "", f"{page.receiver}: {page.reason}"]

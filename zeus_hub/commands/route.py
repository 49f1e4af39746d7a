"""`zeus route`: what the rules say, what they would have done, and why one alert went where it did."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError
from socme.identity import utc_now
from zeus_hub.commands.filters import digits, filtered, named
from zeus_hub.commands.options import CONFIG, hint, print_json

if TYPE_CHECKING:
    from socme.v1.watch_pb2 import StoredAlert
    from zeus_hub.alerts import Filters
    from zeus_hub.rehearsal import Rehearsed
    from zeus_hub.routes.explain import Explanation, Trial
    from zeus_hub.routes.rules import Route, Rules

_COLUMNS = ["ROUTE", "CLIENTS", "RECEIVERS", "GROUPED BY", "MATCH"]
_BY_NODE = ("break-glass", "its node told the client itself: only receivers that keep records are told")
_TOLD = ["TIME (UTC)", "CLIENT", "ROUTE", "WHY", "ALERTS", "TO", "GROUP"]

FolderOption = Annotated[
    Path | None,
    typer.Option("--routes", metavar="DIR", help="Rules to try. [default: those of the settings]"),
]

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        allow_dash=True,
        help="Alerts to try them on, as `zeus alert export` writes them; - for standard input."
        " [default: stored ones]",
    ),
]

app = typer.Typer(
    help="Look at the rules of who is told of which alerts, and try them.", no_args_is_help=True
)


@app.command("list")
def list_(*, config: ConfigOption = CONFIG, json: JsonOption = False, routes: FolderOption = None) -> None:
    """Check the rules as the hub does, and list them, in the order in which they are tried."""
    from zeus_hub import fitness  # noqa: PLC0415

    rules = _rules(config, routes)
    fitness.make(rules, rules.receivers.values())
    for warning in fitness.odd(rules, _clients(config)):
        hint(f"odd: {warning}")
    if json:
        for route in rules.routes:
            print_json(_view(route))
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_COLUMNS, [_row(route) for route in rules.routes])


@app.command("test")
@filtered
def rehearse(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    routes: FolderOption = None,
    file: FileOption = None,
    filters: "Filters",
) -> None:
    """Say what would have gone to whom, had alerts come under these rules; nothing is sent.

    The alerts are stored ones, or those of a file, for which no hub is needed. Time is that of the
    alerts; what people did about them since counts for nothing.
    """
    from zeus_hub import alerts, rehearsal  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    rules = _rules(config, routes)
    if file is not None:
        if filters != alerts.Filters():
            raise OperatorError("filters are for stored alerts", "Leave out --file, or the filters.")
        with _alerts(file) as given:
            found = list(rehearsal.rehearse(rules, given))
    else:
        with state.opened(state.read_plan(config)) as engine:
            alerts.check_names(engine, filters)
            found = list(rehearsal.rehearse(rules, alerts.find(engine, filters, newest_first=False)))
    if json:
        for each in found:
            print_json(_told_view(each))
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_TOLD, [_told_row(each) for each in found])
    alone = sum(each.telling is None for each in found)
    if alone:
        hint(f"{alone} alerts go nowhere.")


@app.command("explain")
def explain(
    alert_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", parser=digits, help="Its id, or its first digits: as many as tell it apart."
        ),
    ],
    *,
    config: ConfigOption = CONFIG,
    routes: FolderOption = None,
) -> None:
    """Say of each route whether it takes an alert and why, and what holds it back now."""
    from socme.table import show_facts  # noqa: PLC0415
    from zeus_hub import groups, silences  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import reading  # noqa: PLC0415
    from zeus_hub.routes.explain import explain as explained  # noqa: PLC0415

    rules, now = _rules(config, routes), utc_now()
    with state.opened(state.read_plan(config), wanted=f"alert {alert_id}") as engine:
        found = list(named(engine, [alert_id]))
        with reading(engine) as connection:
            holding, is_held = silences.active(connection, now), groups.inhibited(connection, now)
            told = [groups.is_told_by_node(connection, stored) for stored in found]
    for stored, by_node in zip(found, told, strict=True):
        facts = list(_said(explained(rules, stored, now, silences=holding, is_held=is_held), stored))
        show_facts([*facts, *([_BY_NODE] if by_node else [])])


def _rules(config: Path, folder: Path | None) -> "Rules":
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.routes.reading import load  # noqa: PLC0415

    if folder is not None and not folder.is_dir():
        raise OperatorError(f"{folder} is no folder", "Name the one with the *.toml files.")
    return load(folder or state.read_plan(config).routes_dir)


def _clients(config: Path) -> set[str] | None:
    """Return the clients that there are; None where there is no hub, or none that can be asked."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import NoDatabaseError  # noqa: PLC0415

    try:
        with state.opened(state.read_plan(config)) as engine:
            return {client.name for client in registry.list_clients(engine)}
    except NoDatabaseError:
        return None
    except OperatorError as error:
        hint(f"whether there are such clients is not known: {error.args[0]}")
        return None


@contextmanager
def _alerts(path: Path) -> "Iterator[Iterator[StoredAlert]]":
    """Give the alerts of a file, - for standard input."""
    from zeus_hub import exported  # noqa: PLC0415

    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            yield exported.read(file)
    except exported.LineError as error:
        how = "A line is an alert as `zeus alert export` writes it; client and time must be there."
        raise OperatorError(f"{path}:{error}", how) from error
    except OSError as error:
        raise OperatorError(
            f"cannot read {path}: {error.strerror}", "Name a file, or - for input."
        ) from error


def _said(explanation: "Explanation", stored: "StoredAlert") -> Iterator[tuple[str, object]]:
    alert = stored.alert
    yield "alert", f"{alert.id.hex()}  {alert.rule.name or alert.message}"
    yield "of", f"{stored.client}/{stored.node}"
    for trial in explanation.trials:
        yield f"route {trial.route.name}", _verdict(trial)
        for part in trial.parts:
            yield f"  {'holds' if part.holds else 'fails'}", part.text
        if trial.takes:
            yield "  grouped by", ", ".join(f"{name}={value}" for name, value in trial.labels)
            yield "  told to", ", ".join(trial.route.receivers)
    for holding in explanation.holdings:
        if holding.is_source:
            yield "inhibition", f"is a source of {holding.inhibition.place}"
        if holding.is_target:
            verb = "is" if holding.holds else "may be"
            yield "inhibition", f"{verb} held back by {holding.inhibition.place}"
    for silence in explanation.silences:
        yield (
            f"silence {silence.id}",
            f"until {silence.until:%Y-%m-%d %H:%M} UTC, {silence.who}: {silence.why}",
        )


def _verdict(trial: "Trial") -> str:
    place = trial.route.place
    if not trial.tried:
        return f"not tried: a route above has taken it ({place})"
    if not trial.for_client:
        return f"not for this client ({place})"
    if not trial.matches:
        return f"does not match ({place})"
    return f"takes it{', muted now' if trial.muted else ''} ({place})"


def _view(route: "Route") -> dict[str, object]:
    return {
        "name": route.name,
        "place": str(route.place),
        "clients": None if route.clients is None else sorted(route.clients),
        "match": route.match.text if route.match else "",
        "group_by": list(route.group_by),
        "receivers": list(route.receivers),
    }


def _row(route: "Route") -> list[object]:
    clients = "all" if route.clients is None else ", ".join(sorted(route.clients))
    receivers, by = ", ".join(route.receivers), ", ".join(route.group_by)
    return [route.name, clients, receivers, by, route.match.text if route.match else "everything"]


def _told_view(each: "Rehearsed") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    view: dict[str, object] = {"time": stamp(each.time), "client": each.client}
    if each.telling is None:
        return {**view, "alert": each.alert, "route": None}
    telling = each.telling
    return {
        **view,
        "route": each.route,
        "reason": telling.reason,
        "number": telling.number,
        "count": each.count,
        "fresh": telling.fresh,
        "receivers": list(telling.receivers),
        "group": each.group,
        "labels": dict(each.labels),
    }


def _told_row(each: "Rehearsed") -> list[object]:
    time = _clock(each.time)
    if each.telling is None:
        return [time, each.client, "-", "no route", 1, "", each.alert]
    labels = ", ".join(f"{name}={value}" for name, value in each.labels)
    to = ", ".join(each.telling.receivers)
    return [time, each.client, each.route, each.telling.reason, each.count, to, labels]


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"

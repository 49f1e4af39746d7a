"""`zeus alert`: what the nodes have sent."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from zeus_hub.commands.filters import digits, filtered, named
from zeus_hub.commands.options import (
    CONFIG,
    AllLimitOption,
    LimitOption,
    facts,
    hint,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from socme.v1.watch_pb2 import StoredAlert
    from zeus_hub.aftermath import Told
    from zeus_hub.alerts import Filters
    from zeus_hub.triage import Change

LATEST = 50  # alerts that a list shows a person unless told otherwise
SHOWN_DIGITS = 12  # of an id in a table: the second, and three bytes that tell apart what happened in it
LONGEST_RAW = 20_000  # characters that are shown to a person
LONGEST_NAME = 60  # characters in a table, which has something to tell behind it
LEAST_NAME = 24  # characters that are left of it before a column has to go
SHORTEST_NAME = 8  # characters of it where no other column can go
# In the order in which a narrow terminal does without them, from the last on, down to the alert itself.
_COLUMNS = [
    "TIME (UTC)",
    "SEVERITY",
    "NODE",
    "ID",
    "ALERT",
    "STATUS",
    "FROM",
    "TO",
    "COUNT",
    "SENSOR",
    "RULE",
]
_NAME = _COLUMNS.index("ALERT")
STATUS = _COLUMNS.index("STATUS")
_HISTORY = ["TIME (UTC)", "BY", "DONE", "WORDS"]
_GAP = 2  # between two columns

FormatOption = Annotated[
    str, typer.Option("--format", metavar="jsonl|csv|parquet", help="How they are written.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", metavar="FILE", help="Into this file, which is there once it is whole; else printed."
    ),
]

app = typer.Typer(help="Search stored alerts, and look after them.", no_args_is_help=True)


@app.command("list")
@filtered
def list_(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    limit: LimitOption = None,
    filters: "Filters",
) -> None:
    """List alerts, the newest first."""
    if json:  # a script must not be given a part unasked
        _print_all(_find(config, filters, newest_first=True, limit=limit))
        return
    shown = limit or LATEST
    rows = [row(stored) for stored in _find(config, filters, newest_first=True, limit=shown)]
    _show_all(rows)
    if len(rows) == shown:
        hint(f"The newest {shown}; --limit N shows more.")


@app.command("export")
@filtered
def export(
    *,
    config: ConfigOption = CONFIG,
    form: FormatOption = "jsonl",
    output: OutputOption = None,
    json: Annotated[
        bool, typer.Option("--json", show_default=False, help="The same as --format jsonl, the default.")
    ] = False,
    limit: AllLimitOption = None,
    filters: "Filters",
) -> None:
    """Write alerts, the oldest first; all of them unless --limit says otherwise."""
    from zeus_hub.export.form import Form, to_file, to_stream  # noqa: PLC0415 - --help must be quick

    if form not in list(Form):
        raise typer.BadParameter(f"{form!r} is none of {', '.join(Form)}", param_hint="--format")
    wanted = Form(form)
    if json and wanted is not Form.JSONL:
        raise typer.BadParameter(f"--json and --format {form} contradict each other")
    found = _find(config, filters, newest_first=False, limit=limit)
    if output is not None:
        count = to_file(output, wanted, found)
        hint(f"{count} alerts are in {output}.")
    elif wanted is Form.PARQUET:
        raise typer.BadParameter("Parquet is no text: say which file, with --output", param_hint="--output")
    else:
        to_stream(typer.get_binary_stream("stdout"), wanted, found)


@app.command("show")
def show(
    alert_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", parser=digits, help="Its id, or its first digits: as many as tell it apart."
        ),
    ],
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Show everything about one alert, what people have done about it, and what came of it elsewhere."""
    from zeus_hub import aftermath, triage  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config), wanted=f"alert {alert_id}") as engine:
        found = list(named(engine, [alert_id]))
        refs = [triage.Ref(stored.client, stored.node, stored.alert.id) for stored in found]
        deeds = [(triage.history(engine, ref), aftermath.of(engine, ref)) for ref in refs]
    for stored, (history, told) in zip(found, deeds, strict=True):  # several where nodes sent the same id
        if json:
            _print_whole(stored, history, told)
        else:
            _show(stored, history, told)


def _find(
    config: Path, filters: "Filters", *, newest_first: bool, limit: int | None
) -> "Iterator[StoredAlert]":
    from zeus_hub import alerts  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        alerts.check_names(engine, filters)
        yield from alerts.find(engine, filters, newest_first=newest_first, limit=limit)


def _print_whole(stored: "StoredAlert", history: "Sequence[Change]", told: "Sequence[Told]") -> None:
    from socme.view import alert_view  # noqa: PLC0415
    from zeus_hub.commands import aftermath  # noqa: PLC0415

    view = alert_view(stored)
    if history:
        view["history"] = [_change_view(change) for change in history]
    if told:
        view["groups"] = aftermath.view(told)
    print_json(view)


def _change_view(change: "Change") -> dict[str, object]:
    from socme import triage  # noqa: PLC0415

    view = triage.view(change.after)
    said = {"comment": change.text} if change.text else {}
    return {
        "time": view.pop("changed"),
        "by": view.pop("changed_by"),
        "action": change.action,
        **view,
        **said,
    }


def _print_all(found: "Iterator[StoredAlert] | list[StoredAlert]") -> None:
    from socme.view import alert_view  # noqa: PLC0415

    for stored in found:
        print_json(alert_view(stored))


def row(stored: "StoredAlert") -> list[object]:
    """Return an alert's cells in a table for people."""
    from socme.text import clean  # noqa: PLC0415
    from socme.triage import NEW, status_name  # noqa: PLC0415
    from socme.view import alert_view, source_name  # noqa: PLC0415

    alert = stored.alert
    view = alert_view(stored, raw=False)
    return [
        str(view["time"])[:19].replace("T", " "),
        view["severity"],
        f"{stored.client}/{stored.node}",
        alert.id.hex()[:SHOWN_DIGITS],
        clean(alert.rule.name or alert.message, LONGEST_NAME),
        f"{status_name(stored.triage.status or NEW)} {stored.triage.owner}".rstrip(),
        alert.source_endpoint.ip,
        alert.destination_endpoint.ip,
        view["count"],
        source_name(alert.source),
        alert.rule.id,
    ]


def _show_all(rows: list[list[object]]) -> None:
    from socme.table import console, show_table  # noqa: PLC0415

    out, columns = console(), len(_COLUMNS)
    if out.is_terminal:
        columns, rows = fitted(rows, out.width)
    show_table(_COLUMNS[:columns], rows)
    if columns < len(_COLUMNS):
        hint(f"A wider terminal shows {', '.join(_COLUMNS[columns:])}; `zeus alert show ID` everything.")


def fitted(rows: "Sequence[Sequence[object]]", width: int) -> tuple[int, list[list[object]]]:
    """Return how many columns a terminal of some width has room for, and the rows in as many.

    A column is there whole or not at all; only the alert's name gives way before one has to go.
    """
    from socme.table import cell  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415

    widths = [max(cell(value).cell_len for value in column) for column in zip(_COLUMNS, *rows, strict=True)]
    least = min(widths[_NAME], LEAST_NAME)
    columns = len(_COLUMNS)
    while columns > _NAME + 1 and _taken(widths[:columns]) - widths[_NAME] + least > width:
        columns -= 1
    room = max(SHORTEST_NAME, width - (_taken(widths[:columns]) - widths[_NAME]))
    kept = [list(values[:columns]) for values in rows]
    for values in kept:
        values[_NAME] = clean(str(values[_NAME]), room)
    return columns, kept


def _taken(widths: "Sequence[int]") -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _history_row(change: "Change") -> list[object]:
    """Return what was done to an alert in a table for people."""
    view = _change_view(change)
    told = {
        "assign": view.get("owner"),
        "close": f"{view.get('verdict', '')}: {view.get('reason', '')}",
        "comment": change.text,
    }
    time = str(view["time"])[:19].replace("T", " ")
    return [time, change.actor, change.action, told.get(change.action, "")]


def _show(stored: "StoredAlert", history: "Sequence[Change]", told: "Sequence[Told]") -> None:
    from socme.table import show_facts, show_table  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415
    from socme.view import alert_view  # noqa: PLC0415
    from zeus_hub.commands import aftermath  # noqa: PLC0415

    show_facts(facts(alert_view(stored, raw=False)))
    if history:
        typer.echo("")
        show_table(_HISTORY, [_history_row(change) for change in history])
    if told:
        typer.echo("")
        show_table(aftermath.COLUMNS, [aftermath.row(each) for each in told])
    text = stored.alert.raw.decode(errors="replace")
    typer.echo(f"\n{clean(text, LONGEST_RAW)}\n")
    if len(text) > LONGEST_RAW:
        hint("The line is longer than what is shown; --json has all of it.")

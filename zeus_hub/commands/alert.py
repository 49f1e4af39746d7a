"""`zeus alert`: what the nodes have sent."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError
from zeus_hub.commands.options import (
    CONFIG,
    AllLimitOption,
    ClientOption,
    IpOption,
    LimitOption,
    MinSeverityOption,
    NodeOption,
    RuleOption,
    SeverityOption,
    SinceOption,
    SourceOption,
    TechniqueOption,
    TextOption,
    UntilOption,
    facts,
    hint,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from socme.v1.watch_pb2 import StoredAlert
    from zeus_hub.alerts import Filters

LATEST = 50  # alerts that a list shows a person unless told otherwise
SHOWN_DIGITS = 12  # of an id in a table: enough to tell a billion alerts apart
LONGEST_RAW = 20_000  # characters that are shown to a person
_ID = re.compile(r"[0-9a-f]{6,32}")
LONGEST_NAME = 60  # characters in a table, which has something to tell behind it
LEAST_NAME = 24  # characters that are left of it before a column has to go
SHORTEST_NAME = 8  # characters of it where no other column can go
# In the order in which a narrow terminal does without them, from the last on, down to the alert itself.
_COLUMNS = ["TIME (UTC)", "SEVERITY", "NODE", "ID", "ALERT", "FROM", "TO", "COUNT", "SENSOR", "RULE"]
_NAME = _COLUMNS.index("ALERT")
_GAP = 2  # between two columns

app = typer.Typer(help="Search stored alerts.", no_args_is_help=True)


def _digits(text: str) -> str:
    digits = text.strip().lower()
    if _ID.fullmatch(digits) is None:
        raise typer.BadParameter(f"{text!r} is no id: give 6 to 32 hexadecimal digits of one")
    return digits


@app.command("list")
def list_(  # noqa: PLR0913 - its options are its parameters
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    limit: LimitOption = None,
    client: ClientOption = None,
    node: NodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    severity: SeverityOption = None,
    min_severity: MinSeverityOption = None,
    source: SourceOption = None,
    rule: RuleOption = None,
    ip: IpOption = None,
    technique: TechniqueOption = None,
    text: TextOption = None,
) -> None:
    """List alerts, the newest first."""
    from zeus_hub.alerts import Filters  # noqa: PLC0415

    filters = Filters(client, node, since, until, severity, min_severity, source, rule, ip, technique, text)
    if json:  # a script must not be given a part unasked
        _print_all(_find(config, filters, newest_first=True, limit=limit))
        return
    shown = limit or LATEST
    rows = [row(stored) for stored in _find(config, filters, newest_first=True, limit=shown)]
    _show_all(rows)
    if len(rows) == shown:
        hint(f"The newest {shown}; --limit N shows more.")


@app.command("export")
def export(  # noqa: PLR0913 - its options are its parameters
    *,
    config: ConfigOption = CONFIG,
    json: Annotated[
        bool, typer.Option("--json", show_default=False, help="As in `alert list`; JSON is all there is.")
    ] = True,
    limit: AllLimitOption = None,
    client: ClientOption = None,
    node: NodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    severity: SeverityOption = None,
    min_severity: MinSeverityOption = None,
    source: SourceOption = None,
    rule: RuleOption = None,
    ip: IpOption = None,
    technique: TechniqueOption = None,
    text: TextOption = None,
) -> None:
    """Print alerts as JSON, one a line, the oldest first; all of them unless --limit says otherwise."""
    del json
    from zeus_hub.alerts import Filters  # noqa: PLC0415

    filters = Filters(client, node, since, until, severity, min_severity, source, rule, ip, technique, text)
    _print_all(_find(config, filters, newest_first=False, limit=limit))


@app.command("show")
def show(
    digits: Annotated[
        str,
        typer.Argument(metavar="ID", parser=_digits, help="Its id, or the first 6 or more digits of it."),
    ],
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
) -> None:
    """Show everything about one alert."""
    from zeus_hub import alerts  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config), wanted=f"alert {digits}") as engine:
        found = alerts.with_id(engine, digits)
    if not found:
        raise OperatorError(f"there is no alert {digits}", "`zeus alert list` shows the ids.")
    ids = {stored.alert.id.hex() for stored in found}
    if len(ids) > 1:
        raise OperatorError(
            f"several alerts begin with {digits}: {', '.join(sorted(ids))}", "Give more digits."
        )
    for stored in found:  # several where nodes sent the same id
        if json:
            _print_all([stored])
        else:
            _show(stored)


def _find(
    config: "Path", filters: "Filters", *, newest_first: bool, limit: int | None
) -> "Iterator[StoredAlert]":
    from zeus_hub import alerts  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config)) as engine:
        alerts.check_names(engine, filters)
        yield from alerts.find(engine, filters, newest_first=newest_first, limit=limit)


def _print_all(found: "Iterator[StoredAlert] | list[StoredAlert]") -> None:
    from socme.view import alert_view  # noqa: PLC0415

    for stored in found:
        print_json(alert_view(stored))


def row(stored: "StoredAlert") -> list[object]:
    """Return an alert's cells in a table for people."""
    from socme.text import clean  # noqa: PLC0415
    from socme.view import alert_view, source_name  # noqa: PLC0415

    alert = stored.alert
    view = alert_view(stored, raw=False)
    return [
        str(view["time"])[:19].replace("T", " "),
        view["severity"],
        f"{stored.client}/{stored.node}",
        alert.id.hex()[:SHOWN_DIGITS],
        clean(alert.rule.name or alert.message, LONGEST_NAME),
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


def _show(stored: "StoredAlert") -> None:
    from socme.table import show_facts  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415
    from socme.view import alert_view  # noqa: PLC0415

    show_facts(facts(alert_view(stored, raw=False)))
    text = stored.alert.raw.decode(errors="replace")
    typer.echo(f"\n{clean(text, LONGEST_RAW)}\n")
    if len(text) > LONGEST_RAW:
        hint("The line is longer than what is shown; --json has all of it.")

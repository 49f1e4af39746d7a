"""`zeus node`: how the nodes are, and who is shut out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, AllLimitOption, ClientOption, print_json, suggest

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import NodeStatus

_COLUMNS = ["NODE", "STATE", "HEALTH", "LAST SEEN", "AGENT", "SPOOL", "LAG", "DISK", "REASON"]
DAY = "CPU, LAST 24 H"
DAY_WIDTH = 140  # columns of a terminal from which on there is room for a day's bars beside the reasons
LONGEST_VERSION = 12  # characters
LONGEST_NAME = 20  # characters of a fact's name

app = typer.Typer(help="List, show and revoke nodes.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A node's full name."""

    client: str
    node: str

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.client}/{self.node}"


def _place(text: str) -> Place:
    client, slash, node = text.strip().partition("/")
    if not (client and slash and node) or "/" in node:
        raise typer.BadParameter(f"{text!r} is no node; write CLIENT/NODE, as in acme/acme-1")
    return Place(client, node)


PlaceArgument = Annotated[
    Place, typer.Argument(metavar="CLIENT/NODE", parser=_place, help="As in acme/acme-1.")
]


@app.command("list")
def list_(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    limit: AllLimitOption = None,
    client: ClientOption = None,
) -> None:
    """List nodes: state, what can be relied on, what is not here yet, and their fullest disks."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import past, standing, state  # noqa: PLC0415

    now = utc_now()
    plan = state.read_plan(config)
    with state.opened(plan) as engine:
        nodes = [
            node for node in registry.list_nodes(engine, client=client) if node.client != registry.HUB[0]
        ]
        standings = standing.load(engine, plan, now)
        days = {} if json else past.processors(engine, now, [client] if client else ())
    statuses = [standings.node(node) for node in nodes[:limit]]
    from socme.table import show_table  # noqa: PLC0415
    from socme.view import node_view  # noqa: PLC0415

    if json:
        for status in statuses:
            print_json(node_view(status))
        return
    columns, rows = _COLUMNS, [_row(status, now) for status in statuses]
    if _has_room():
        columns = [*columns[:-1], DAY, columns[-1]]
        rows = [
            [*row[:-1], days.get((status.client, status.node)), row[-1]]
            for row, status in zip(rows, statuses, strict=True)
        ]
    show_table(columns, rows)


@app.command("show")
def show(place: PlaceArgument, *, config: ConfigOption = CONFIG, json: JsonOption = False) -> None:
    """Show a node, its vital signs and how they were in the last 24 hours, and how far its canaries come.

    As JSON: the last 24 hours in full, and the last 31 days by the hour.
    """
    from socme.view import node_view  # noqa: PLC0415
    from zeus_hub import history, registry  # noqa: PLC0415
    from zeus_hub.commands import past, standing, state  # noqa: PLC0415

    plan, now = state.read_plan(config), utc_now()
    with state.opened(plan, wanted=f"node {place}") as engine:
        node = registry.get_node(engine, place.client, place.node)
        standings = standing.load(engine, plan, now)
        samples = history.day(engine, place.client, place.node, now)
        month = history.month(engine, place.client, place.node, now) if json else []
    status, canaries = standings.node(node), standings.canaries(node)
    if json:
        day = [past.sample_view(sample) for sample in samples]
        told = {"day": day, "month": [past.view(point) for point in month]}
        print_json({**node_view(status), "canaries": list(canaries), "history": told})
        return
    from socme.machine import vitals_rows  # noqa: PLC0415
    from socme.table import show_facts  # noqa: PLC0415

    show_facts(
        [
            *_facts(status, now),
            *_short(vitals_rows(status.vitals) if status.HasField("vitals") else ()),
            *_canaries(canaries),
            *past.rows(samples, now),
        ]
    )


@app.command("revoke")
def revoke(place: PlaceArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take nothing more from a node; its stream ends within two seconds."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config), wanted=f"node {place}") as engine:
        registry.revoke_node(engine, place.client, place.node, now=utc_now())
    typer.echo(f"node {place} revoked")
    suggest("To let it in again", f"zeus token create --client {place.client} --node {place.node}", config)


def _has_room() -> bool:
    """Tell whether a line of bars for each node leaves room for the rest; in a pipe nothing is cut."""
    from socme.table import console  # noqa: PLC0415

    out = console()
    return not out.is_terminal or out.width >= DAY_WIDTH


def _facts(status: "NodeStatus", now: datetime) -> Iterator[tuple[str, object]]:
    """Yield what the hub itself knows of a node, for a person."""
    from socme.show import age  # noqa: PLC0415
    from socme.view import health_name, moment, state_name  # noqa: PLC0415

    yield "node", f"{status.client}/{status.node}"
    yield "state", state_name(status.state)
    yield "health", health_name(status.health)
    for number, reason in enumerate(status.reasons):
        yield "" if number else "because", reason
    for name in ("enrolled", "last_seen"):
        found = moment(getattr(status, name)) if status.HasField(name) else None
        told = "never" if found is None else f"{found:%Y-%m-%d %H:%M:%S} UTC, {age(now - found)} ago"
        yield name.replace("_", " "), told
    taken = moment(status.vitals.time) if status.vitals.HasField("time") else None
    if taken is not None:
        yield "vitals of", f"{taken:%Y-%m-%d %H:%M:%S} UTC, {age(now - taken)} ago"


def _short(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield rows; a name that is long, as a source's path, has a line of its own."""
    for name, value in rows:
        if len(name) <= LONGEST_NAME:
            yield name, value
        else:
            yield "source", name
            yield "", value


def _canaries(canaries: Sequence[Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield how far the canaries of each source came, for a person."""
    for one in canaries:
        stages = one.get("stages")
        reached = [_reached(*stage) for stage in stages.items()] if isinstance(stages, Mapping) else []
        yield "canaries of", str(one.get("source"))
        yield "", ", ".join(reached)


def _reached(stage: str, reached: Mapping[str, object]) -> str:
    seconds = reached.get("seconds")
    return f"{stage} {reached.get('number')}" + ("" if seconds is None else f" ({seconds} s)")


def _row(status: "NodeStatus", now: datetime) -> list[object]:
    from socme.show import age, size  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415
    from socme.view import health_name, lag_bytes, moment, state_name  # noqa: PLC0415
    from zeus_hub.samples import WHOLE, fullest  # noqa: PLC0415

    seen = moment(status.last_seen) if status.HasField("last_seen") else None
    vitals = status.vitals
    known = status.HasField("vitals")
    return [
        f"{status.client}/{status.node}",
        state_name(status.state),
        health_name(status.health),
        f"{age(now - seen)} ago" if seen is not None else "never",
        clean(vitals.agent_version, LONGEST_VERSION),
        vitals.spool.alerts if known else None,
        size(lag_bytes(vitals)) if known else None,
        None if (disk := fullest(vitals)) is None else f"{disk / WHOLE:.0%}",
        "; ".join(status.reasons),
    ]

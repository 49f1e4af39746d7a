"""`zeus node`: how the nodes are, and who is shut out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, AllLimitOption, ClientOption, facts, print_json, suggest

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import NodeStatus

_COLUMNS = ["NODE", "STATE", "HEALTH", "LAST SEEN", "SPOOLED", "LAG", "HOST", "AGENT", "REASON"]
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_KIB = 1024

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
    """List nodes with their state, what can be relied on, and how much of what they have is not here yet."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import standing, state  # noqa: PLC0415

    now = utc_now()
    settings = state.read_settings(config)
    with state.opened(settings) as engine:
        nodes = [
            node for node in registry.list_nodes(engine, client=client) if node.client != registry.HUB[0]
        ]
        standings = standing.load(engine, settings, now)
    statuses = [standings.node(node) for node in nodes[:limit]]
    from socme.table import show_table  # noqa: PLC0415
    from socme.view import node_view  # noqa: PLC0415

    if json:
        for status in statuses:
            print_json(node_view(status))
    else:
        show_table(_COLUMNS, [_row(status, now) for status in statuses])


@app.command("show")
def show(place: PlaceArgument, *, config: ConfigOption = CONFIG, json: JsonOption = False) -> None:
    """Show a node, its last vitals, and how far the canaries of its sources come."""
    from socme.view import node_view  # noqa: PLC0415
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import standing, state  # noqa: PLC0415

    settings = state.read_settings(config)
    with state.opened(settings, wanted=f"node {place}") as engine:
        node = registry.get_node(engine, place.client, place.node)
        standings = standing.load(engine, settings, utc_now())
    view = {**node_view(standings.node(node)), "canaries": list(standings.canaries(node))}
    if json:
        print_json(view)
        return
    from socme.table import show_facts  # noqa: PLC0415

    show_facts(facts(view))


@app.command("revoke")
def revoke(place: PlaceArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take nothing more from a node; its stream ends within two seconds."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config), wanted=f"node {place}") as engine:
        registry.revoke_node(engine, place.client, place.node, now=utc_now())
    typer.echo(f"node {place} revoked")
    suggest("To let it in again", f"zeus token create --client {place.client} --node {place.node}", config)


def age(since: datetime, now: datetime) -> str:
    """Return how long ago something was, in its largest unit."""
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def size(count: float) -> str:
    """Return a number of bytes in its largest unit."""
    for unit in ("B", "KiB", "MiB"):
        if count < _KIB:
            return f"{count:.4g} {unit}"
        count /= _KIB
    return f"{count:.1f} GiB"


def _row(status: "NodeStatus", now: datetime) -> list[object]:
    from socme.view import health_name, lag_bytes, moment, state_name  # noqa: PLC0415

    seen = moment(status.last_seen) if status.HasField("last_seen") else None
    vitals = status.vitals
    known = status.HasField("vitals")
    return [
        f"{status.client}/{status.node}",
        state_name(status.state),
        health_name(status.health),
        age(seen, now) if seen is not None else "never",
        vitals.spool.alerts if known else None,
        size(lag_bytes(vitals)) if known else None,
        vitals.hostname,
        vitals.agent_version,
        "; ".join(status.reasons),
    ]

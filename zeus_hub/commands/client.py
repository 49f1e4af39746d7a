"""`zeus client`: whose nodes the hub takes alerts from."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, AllLimitOption, print_json, suggest

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import ClientStatus
    from zeus_hub.registry import Client

_COLUMNS = ["NAME", "HEALTH", "SINCE", "SEEING 24 H", "ENABLED", "TITLE", "REASON"]

_SHORT = "Its name on screens, at most 14 letters."

app = typer.Typer(help="Add, list, show, change, disable and enable clients.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The client's name, as in acme.")]


@app.command("add")
def add(
    name: NameArgument,
    title: Annotated[str, typer.Option("--title", help="Its name for people, as in 'Acme Ltd'.")] = "",
    *,
    short_name: Annotated[str, typer.Option("--short-name", help=_SHORT)] = "",
    config: ConfigOption = CONFIG,
) -> None:
    """Add a client."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config), create=True) as engine:
        client = registry.add_client(engine, name, title=title, short_name=short_name, now=utc_now())
    typer.echo(f"client {client.name} added")
    suggest("Next, for each of its nodes", f"zeus token create --client {client.name} --node NAME", config)


@app.command("set")
def set_(
    name: NameArgument,
    *,
    short_name: Annotated[str, typer.Option("--short-name", help=f"{_SHORT} '' for none.")],
    config: ConfigOption = CONFIG,
) -> None:
    """Change what a client is called on screens."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        registry.set_short_name(engine, name, short_name)
    typer.echo(f"client {name} changed")


@app.command("list")
def list_(*, config: ConfigOption = CONFIG, json: JsonOption = False, limit: AllLimitOption = None) -> None:
    """List clients by name, with what can be relied on, and why."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import standing, state  # noqa: PLC0415

    plan = state.read_plan(config)
    with state.opened(plan) as engine:
        clients = [one for one in registry.list_clients(engine) if one.name != registry.HUB[0]][:limit]
        nodes = registry.list_nodes(engine, with_vitals=False)
        standings = standing.load(engine, plan, utc_now())
    views = []
    for client in clients:
        mine = [node for node in nodes if node.client == client.name]
        views.append(_view(client, standings.client(client, mine)))
    if json:
        for view in views:
            print_json(view)
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_COLUMNS, [_row(view) for view in views])


@app.command("show")
def show(name: NameArgument, *, config: ConfigOption = CONFIG, json: JsonOption = False) -> None:
    """Show a client, what can be relied on, and the names of its nodes."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import standing, state  # noqa: PLC0415

    plan = state.read_plan(config)
    with state.opened(plan) as engine:
        client = registry.get_client(engine, name)
        nodes = registry.list_nodes(engine, client=name, with_vitals=False)
        standings = standing.load(engine, plan, utc_now())
    view = _view(client, standings.client(client, nodes))
    names = [node.name for node in nodes]
    if json:
        print_json({**view, "nodes": names})
        return
    from socme.table import show_facts  # noqa: PLC0415

    reasons = "; ".join(cast("list[str]", view["reasons"]))
    seeing = _percent(view["seeing"])
    show_facts([*{**view, "reasons": reasons, "seeing": seeing}.items(), ("nodes", ", ".join(names))])


@app.command("disable")
def disable(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take nothing more from a client's nodes until it is enabled again."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        registry.disable_client(engine, name)
    typer.echo(f"client {name} disabled")


@app.command("enable")
def enable(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take a client's alerts again."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        registry.enable_client(engine, name)
    typer.echo(f"client {name} enabled")


def _view(client: "Client", status: "ClientStatus") -> dict[str, object]:
    from socme.view import client_view, stamp  # noqa: PLC0415

    standing = client_view(status)
    del standing["client"]
    return {
        "name": client.name,
        "title": client.title,
        "short_name": client.short_name,
        "enabled": client.enabled,
        "created": stamp(client.created),
        **standing,
    }


def _row(view: dict[str, object]) -> list[object]:
    reasons = cast("list[str]", view["reasons"])
    enabled = "yes" if view["enabled"] else "no"
    seeing = _percent(view["seeing"])
    return [
        view["name"],
        view["health"],
        view["since"],
        seeing,
        enabled,
        view["title"],
        "; ".join(reasons),
    ]


def _percent(share: object) -> str:
    """Return the share of the last 24 hours in which a client could see, for people."""
    return f"{cast('float', share):.1%}"

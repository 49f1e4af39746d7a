"""`zeus client`: whose nodes the hub takes alerts from."""

from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, AllLimitOption, print_json, suggest

if TYPE_CHECKING:
    from zeus_hub.registry import Client

app = typer.Typer(help="Add, list, show, disable and enable clients.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The client's name, as in acme.")]


@app.command("add")
def add(
    name: NameArgument,
    title: Annotated[str, typer.Option("--title", help="Its name for people, as in 'Acme Ltd'.")] = "",
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Add a client."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config), create=True) as engine:
        client = registry.add_client(engine, name, title=title, now=utc_now())
    typer.echo(f"client {client.name} added")
    suggest("Next, for each of its nodes", f"zeus token create --client {client.name} --node NAME", config)


@app.command("list")
def list_(*, config: ConfigOption = CONFIG, json: JsonOption = False, limit: AllLimitOption = None) -> None:
    """List clients by name."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config)) as engine:
        views = [_view(client) for client in registry.list_clients(engine)[:limit]]
    if json:
        for view in views:
            print_json(view)
        return
    from socme.table import show_table  # noqa: PLC0415

    rows = [
        [view["name"], "yes" if view["enabled"] else "no", view["created"], view["title"]] for view in views
    ]
    show_table(["NAME", "ENABLED", "CREATED", "TITLE"], rows)


@app.command("show")
def show(name: NameArgument, *, config: ConfigOption = CONFIG, json: JsonOption = False) -> None:
    """Show a client and the names of its nodes."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config)) as engine:
        client = registry.get_client(engine, name)
        nodes = [node.name for node in registry.list_nodes(engine, client=name)]
    if json:
        print_json({**_view(client), "nodes": nodes})
        return
    from socme.table import show_facts  # noqa: PLC0415

    show_facts([*_view(client).items(), ("nodes", ", ".join(nodes))])


@app.command("disable")
def disable(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take nothing more from a client's nodes until it is enabled again."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config)) as engine:
        registry.disable_client(engine, name)
    typer.echo(f"client {name} disabled")


@app.command("enable")
def enable(name: NameArgument, *, config: ConfigOption = CONFIG) -> None:
    """Take a client's alerts again."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_settings(config)) as engine:
        registry.enable_client(engine, name)
    typer.echo(f"client {name} enabled")


def _view(client: "Client") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    return {
        "name": client.name,
        "title": client.title,
        "enabled": client.enabled,
        "created": stamp(client.created),
    }

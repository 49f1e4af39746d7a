"""`zeus display`: which screens there are, and which is shut out."""

from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, AllLimitOption, print_json, suggest

if TYPE_CHECKING:
    from zeus_hub.registry import Watcher

_COLUMNS = ["DISPLAY", "STATE", "ENROLLED", "GOOD UNTIL", "REDACTED", "CLIENTS"]

app = typer.Typer(help="List and revoke screens.", no_args_is_help=True)


@app.command("list")
def list_(*, config: ConfigOption = CONFIG, json: JsonOption = False, limit: AllLimitOption = None) -> None:
    """List screens by name, with the clients that each may see, and whether it is sent hosts and users."""
    from socme.spiffe import Role  # noqa: PLC0415
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        displays = [one for one in registry.list_watchers(engine) if one.role is Role.DISPLAY][:limit]
    if json:
        for display in displays:
            print_json(_view(display))
        return
    from socme.table import show_table  # noqa: PLC0415

    show_table(_COLUMNS, [_row(display) for display in displays])


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The screen's name, as in lobby.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Show nothing more to a screen; its streams end within two seconds."""
    from socme.spiffe import Role  # noqa: PLC0415
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config), wanted=f"display {name}") as engine:
        registry.revoke_watcher(engine, Role.DISPLAY, name, now=utc_now())
        redacted = any(
            one.redacted
            for one in registry.list_watchers(engine)
            if (one.role, one.name) == (Role.DISPLAY, name)
        )
    typer.echo(f"display {name} revoked")
    again = f"zeus token create --display {name}" + (" --redact" if redacted else "")
    suggest("To let it in again", again, config)


def _view(display: "Watcher") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    return {
        "name": display.name,
        "state": _state(display),
        "enrolled": stamp(display.enrolled),
        "expires": stamp(display.expires),
        "clients": None if display.clients is None else sorted(display.clients),
        "redacted": display.redacted,
    }


def _row(display: "Watcher") -> list[object]:
    clients = "all" if display.clients is None else ", ".join(sorted(display.clients))
    return [
        display.name,
        _state(display),
        f"{display.enrolled:%Y-%m-%d %H:%M}",
        f"{display.expires:%Y-%m-%d}",
        "yes" if display.redacted else "no",
        clients,
    ]


def _state(display: "Watcher") -> str:
    return "revoked" if display.revoked is not None else "enrolled"

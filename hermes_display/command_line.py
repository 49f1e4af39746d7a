"""The commands of Hermes: enroll, run, tail, check. What runs the wall is in __main__."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme import commands, logs
from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError

if TYPE_CHECKING:
    from hermes_display.plan import Plan

# What a command needs beyond this is imported inside it, so that --help is quick.

PROGRAM = "hermes"
CONFIG = commands.config_path(PROGRAM)

app = commands.application(PROGRAM, "Hermes, the wall screen: shows the hub's alerts live.")


@app.command()
def enroll(
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="The line that `zeus token create --display NAME` printed.")
    ],
    config: ConfigOption = CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace a certificate that is still good.")] = False,
) -> None:
    """Trade a one-time token for this screen's certificate."""
    from socme import enrol, identity, spiffe  # noqa: PLC0415

    logs.set_up()
    place = commands.state_dir(config, program=PROGRAM)
    made = enrol.enrol(
        token,
        role=spiffe.Role.DISPLAY,
        state_dir=place,
        program=PROGRAM,
        force=force,
        now=identity.utc_now(),
    )
    typer.echo(f"enrolled as {made.name} at the hub {made.hub_address}, until {made.expires:%Y-%m-%d}")


@app.command()
def run(context: typer.Context, config: ConfigOption = CONFIG) -> None:
    """Show the wall in a browser on this machine until stopped."""
    commands.hand_on(context, _read(config))


@app.command()
def tail(
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    client: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this client; may be given again.")
    ] = None,
    min_severity: Annotated[
        str, typer.Option(metavar="low|medium|high|critical", help="This severity or worse, or unknown.")
    ] = "low",
) -> None:
    """Print the latest alerts, then every new one and what becomes of nodes, until interrupted."""
    logs.set_up()
    from socme import severity  # noqa: PLC0415

    if min_severity not in severity.NAMES:
        raise typer.BadParameter(f"it is one of {', '.join(severity.NAMES)}", param_hint="'--min-severity'")
    plan = _plan(config)

    from hermes_display import display  # noqa: PLC0415
    from hermes_display.tail import Tail  # noqa: PLC0415

    wanted = display.tail_wanted(tuple(client or plan.clients), min_severity, with_raw=json)
    connect = display.connecting(plan)
    asyncio.run(display.run_tail(wanted, connect, Tail(as_json=json)))


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Say whether the settings, the certificate and the hub are as they should be."""
    logs.set_up()
    plan = _plan(config)
    typer.echo(f"ok  settings: {config}")

    from hermes_display import display, downlink  # noqa: PLC0415

    identity = display.own_identity(plan)
    address = plan.hub_address or identity.hub_address
    typer.echo(f"ok  certificate: {identity.name}, good until {identity.expires:%Y-%m-%d %H:%M} UTC")
    found = asyncio.run(downlink.probe(display.connector(identity, address)))
    if isinstance(found, downlink.Lost) and found.refused:
        raise OperatorError(
            f"the hub {address} refuses this screen: {found.reason}",
            f"Ask the hub's operator for a new token and run: {display.ENROLL}",
        )
    if isinstance(found, downlink.Lost):
        raise OperatorError(
            f"cannot reach the hub at {address}: {found.reason}",
            "Is it running, and does no firewall stand between? `hub_address` sets another address.",
        )
    typer.echo(f"ok  hub: {address}")
    if found.redacted:
        typer.echo("ok  redacted: the hub sends this screen no hosts, users and addresses")


def _plan(config: Path) -> "Plan":
    """Read the settings; call it before anything that has threads."""
    from socme.apart import apart  # noqa: PLC0415

    return apart(lambda: _read(config))


def _read(config: Path) -> "Plan":
    from hermes_display import config as configs  # noqa: PLC0415

    return configs.plan(config)

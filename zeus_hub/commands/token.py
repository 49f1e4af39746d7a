"""`zeus token`: lets new nodes and screens in."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError
from socme.identity import utc_now
from zeus_hub.commands.options import CONFIG, duration, hint, plain, print_json

if TYPE_CHECKING:
    from socme.v1.enrollment_pb2 import EnrollmentToken
    from zeus_hub.local import Addresses
    from zeus_hub.tokens import Grant

VALID = timedelta(hours=24)  # long enough to reach whoever is to paste it

app = typer.Typer(help="Make enrolment tokens.", no_args_is_help=True)


@app.callback()
def tokens() -> None:
    """Make enrolment tokens."""


ClientsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--client",
        metavar="NAME",
        parser=plain,
        help="The node's client; or one that the screen may see (all unless given), may be given again.",
    ),
]
NodeOption = Annotated[
    str | None, typer.Option("--node", metavar="NAME", parser=plain, help="A token for this node.")
]
DisplayOption = Annotated[
    str | None, typer.Option("--display", metavar="NAME", parser=plain, help="A token for this screen.")
]
RedactOption = Annotated[
    bool, typer.Option("--redact", help="Send the screen no hosts, users and addresses: for a lobby.")
]
ValidOption = Annotated[
    timedelta | None,
    typer.Option("--valid", metavar="TIME", parser=duration, help="How long: 30m, 24h, 7d. [default: 24h]"),
]


@app.command("create")
def create(  # noqa: PLR0913 - its options
    *,
    client: ClientsOption = None,
    node: NodeOption = None,
    display: DisplayOption = None,
    redact: RedactOption = False,
    valid: ValidOption = None,
    json: JsonOption = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Print a token that one node or screen can trade for a certificate, once."""
    from socme.token import encode  # noqa: PLC0415

    grant = _grant(client or [], node, display, redact=redact)
    token = _make(config, grant, valid or VALID)
    line = encode(token)
    program = "artemis" if node is not None else "hermes"
    if json:
        print_json(_view(line, token, grant))
    else:
        typer.echo(line)
    hint(
        f"On {grant.name} run, before {token.expires.ToDatetime():%Y-%m-%d %H:%M} UTC: {program} enroll TOKEN"
    )
    hint(f"It will look for this hub at {token.hub_address}, and to enrol at {token.enrollment_address}.")


def _grant(clients: list[str], node: str | None, display: str | None, *, redact: bool) -> "Grant":
    from socme.spiffe import Role  # noqa: PLC0415
    from zeus_hub.tokens import Grant  # noqa: PLC0415

    if (node is None) == (display is None):
        raise typer.BadParameter("give either --client NAME --node NAME, or --display NAME")
    if node is None:
        seen = frozenset(clients) if clients else None
        return Grant(Role.DISPLAY, str(display), clients=seen, redacted=redact)
    if redact:
        raise typer.BadParameter("it is for screens: give it with --display", param_hint="'--redact'")
    if len(clients) != 1:
        raise typer.BadParameter("--node takes exactly one --client")
    return Grant(Role.NODE, node, client=clients[0])


def _make(config: Path, grant: "Grant", valid: timedelta) -> "EnrollmentToken":
    from socme.spiffe import Role  # noqa: PLC0415
    from socme.v1 import enrollment_pb2  # noqa: PLC0415
    from zeus_hub import ca, local, tokens  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    plan = state.read_plan(config)
    now = utc_now()
    with state.opened(plan, create=True) as engine:
        addresses = local.public(plan)
        _check(addresses)
        authority = ca.open_authority(plan.state_dir, now=now)
        secret, expires = tokens.create_token(engine, grant, lifetime=valid, now=now)
    is_node = grant.role is Role.NODE
    token = enrollment_pb2.EnrollmentToken(
        enrollment_address=addresses.enrolment,
        hub_address=addresses.hub,
        ca_sha256=authority.fingerprint,
        secret=secret,
        role=enrollment_pb2.ROLE_NODE if is_node else enrollment_pb2.ROLE_DISPLAY,
    )
    token.expires.FromDatetime(expires)
    return token


def _check(addresses: "Addresses") -> None:
    for address in (addresses.hub, addresses.enrolment):
        if address.endswith(":0"):
            raise OperatorError(
                f"nobody knows yet which port the hub will have: the settings say {address}",
                "Start `zeus serve` first, or set a port in `listen` and `enroll_listen`.",
            )


def _view(line: str, token: "EnrollmentToken", grant: "Grant") -> dict[str, object]:
    from socme.view import moment, stamp  # noqa: PLC0415

    expires = moment(token.expires)
    clients = [grant.client] if grant.client else sorted(grant.clients or ())
    return {
        "token": line,
        "role": grant.role.value,
        "name": grant.name,
        "clients": clients,  # of a screen: none means all
        "redacted": grant.redacted,
        "expires": None if expires is None else stamp(expires),
        "hub_address": token.hub_address,
        "enrollment_address": token.enrollment_address,
        "ca_sha256": token.ca_sha256.hex(),
    }

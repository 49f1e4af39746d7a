"""`zeus watch`: alerts as they arrive, from the running hub.

After a break the stream goes on where it was; only a hub that does not answer at all is an error.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socme import logs
from socme.backoff import delays
from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError
from socme.text import clean
from zeus_hub.commands.alert import STATUS, row
from zeus_hub.commands.options import CONFIG, MinSeverityOption, plain, print_json

if TYPE_CHECKING:
    import grpc

    from socme.v1.watch_pb2 import FleetEvent, FleetRequest, StoredAlert, WatchEvent, WatchRequest
    from socme.v1.watch_pb2_grpc import WatchAsyncStub

LOG = logging.getLogger("zeus.watch")

LONGEST_PAUSE = 5.0  # seconds between attempts; a person waits
SILENCE = 15.0  # seconds without any event after which a connection counts as dead; the hub speaks every 2
LONGEST_REASON = 300  # characters
WIDTHS = (
    19,
    8,
    20,
    12,
    60,
    15,
    15,
    5,
    8,
)  # of row()'s columns but the status; they cannot wait for the longest

Connect = Callable[[], "grpc.aio.Channel"]
Show = Callable[["StoredAlert"], None]
Take = Callable[["WatchEvent | FleetEvent"], None]


class LostError(Exception):
    """A connection ended; the message says why. `refused`: the hub is there and does not want us."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


def watch(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", parser=plain, help="Only this client; may be given again."),
    ] = None,
    min_severity: MinSeverityOption = None,
) -> None:
    """Print every new alert as it arrives, until interrupted."""
    logs.set_up()
    from socme.v1.watch_pb2 import WatchRequest  # noqa: PLC0415

    connect, address = way_in(config, client or [])
    request = WatchRequest(clients=client or [], with_raw=json)
    request.min_severity = min_severity or 0  # type: ignore[assignment]  # any number goes on the wire
    asyncio.run(follow(connect, address, request, _as_json if json else _as_line()))


async def follow(connect: Connect, address: str, request: "WatchRequest", show: Show) -> None:
    """Show new alerts for ever; raise OperatorError where the hub refuses, or never answered."""
    from socme.v1.watch_pb2 import WatchEvent  # noqa: PLC0415

    met, up = False, False
    pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311 - spreads attempts, guards nothing

    def take(event: "WatchEvent | FleetEvent") -> None:
        nonlocal met, up, pauses
        if not up:
            logs.event(LOG, logging.INFO, "connected", hub=address)
            pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311
        met = up = True
        if isinstance(event, WatchEvent):
            request.cursor = event.cursor or request.cursor
            _tell(event, show)

    while True:
        try:
            await session(connect, request, take)
        except LostError as error:
            if error.refused or not met:
                raise unreachable(address, error) from error
            if up:
                logs.event(LOG, logging.WARNING, "no contact with the hub, trying again", reason=error)
            up = False
        await asyncio.sleep(next(pauses))


async def session(connect: Connect, request: "WatchRequest | FleetRequest", take: Take) -> None:
    """Take events of alerts or of the fleet over one connection; always ends with LostError."""
    import grpc  # noqa: PLC0415

    from socme import tls  # noqa: PLC0415
    from socme.v1.watch_pb2 import FleetEvent, FleetRequest, WatchEvent  # noqa: PLC0415
    from socme.v1.watch_pb2_grpc import WatchStub  # noqa: PLC0415

    try:
        async with connect() as channel:
            stub: WatchAsyncStub = WatchStub(channel)
            call = stub.Fleet(request) if isinstance(request, FleetRequest) else stub.Alerts(request)
            while True:
                async with asyncio.timeout(SILENCE):
                    event = await call.read()
                if not isinstance(event, WatchEvent | FleetEvent):  # EOF
                    raise LostError("the hub ended the stream")
                take(event)
    except TimeoutError:
        raise LostError(f"no sign of life for {SILENCE:g} s") from None
    except grpc.aio.AioRpcError as error:
        refusals = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
        reason = clean(tls.explain(error.details()), LONGEST_REASON)
        raise LostError(reason, refused=error.code() in refusals) from error


def _tell(event: "WatchEvent", show: Show) -> None:
    kind = event.WhichOneof("event")
    if kind == "alerts":
        for stored in event.alerts.alerts:
            show(stored)
    elif kind == "lagged":
        # The snapshot that follows carries no alerts: none were asked for.
        logs.event(LOG, logging.WARNING, "missed alerts, see zeus alert list", reason=event.lagged.reason)


def unreachable(address: str, error: LostError) -> OperatorError:
    """Return what to tell a person who cannot watch."""
    if error.refused:
        return OperatorError(f"the hub at {address} refuses: {error}", "Restart `zeus serve` and try again.")
    return OperatorError(
        f"no hub answers at {address}: {error}", "Is `zeus serve` running with this --config?"
    )


def way_in(config: Path, clients: list[str]) -> tuple[Connect, str]:
    """Return how to connect as this machine's operator, and to where."""
    import grpc  # noqa: PLC0415

    from socme import identity, tls  # noqa: PLC0415
    from zeus_hub import ca, local, registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    plan = state.read_plan(config)
    now = identity.utc_now()
    with state.opened(plan) as engine:
        for name in clients:
            registry.get_client(engine, name)
        address = local.loopback(plan).hub
        authority = ca.open_authority(plan.state_dir, now=now)
        me = local.operator(plan.state_dir, engine, authority, address, now=now)
    credentials = tls.channel_credentials(key=me.key, chain=me.chain, ca=me.ca)
    return lambda: grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS), address


def _as_json(stored: "StoredAlert") -> None:
    from socme.view import alert_view  # noqa: PLC0415

    print_json(alert_view(stored))


def _as_line() -> Show:
    from socme.table import cell, console, show_line  # noqa: PLC0415

    out = console()

    def show(stored: "StoredAlert") -> None:
        values = row(stored)
        del values[STATUS]  # it has only come
        show_line(out, [cell(value) for value in values], WIDTHS)

    return show

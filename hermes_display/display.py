"""Wire Hermes together: what comes from the hub, folded into a board, on the wall or in a terminal."""

import asyncio
import errno
from collections.abc import Callable

import grpc

from hermes_display import pages, wall
from hermes_display.board import MOST_ALERTS, Board, Event, Link, Tick, fold
from hermes_display.downlink import Connect, Downlink, Wanted
from hermes_display.pages import Pages
from hermes_display.plan import Plan
from hermes_display.tail import LATEST, Tail
from socme import identity as identities
from socme import tls
from socme.identity import Identity, utc_now
from socme.service import Notifier
from socme.severity import named

ENROLL = "hermes enroll TOKEN"
TICK = 1.0  # seconds
FRESH_AFTER = 300.0  # seconds; the counts of the last day on the wall are at most this far behind its end


def own_identity(plan: Plan) -> Identity:
    """Return this screen's identity, or say how to get one."""
    return identities.load(plan.state_dir, now=utc_now(), command=ENROLL)


def connecting(plan: Plan) -> Connect:
    """Return what opens a channel to the hub of this screen."""
    own = own_identity(plan)
    return connector(own, plan.hub_address or own.hub_address)


def connector(identity: Identity, address: str) -> Connect:
    """Return what opens a channel to the hub with this screen's certificate."""
    credentials = tls.channel_credentials(key=identity.key, chain=identity.chain, ca=identity.ca)
    return lambda: grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS)


async def run_wall(plan: Plan, connect: Connect, notifier: Notifier) -> None:
    """Show the wall until cancelled."""
    least = named(plan.min_severity)
    wanted = Wanted(
        clients=plan.clients,
        min_severity=least,
        latest=MOST_ALERTS,
        fleet=True,
        fresh_after=FRESH_AFTER,
    )
    with wall.bind(plan.listen) as listener:
        link = Link(up=False, since=utc_now(), reason="not connected yet")
        shown = wall.Wall(Board(link, least, pages=Pages(most=pages.most(plan.looks.scale))))

        def deliver(event: Event | Tick) -> None:
            shown.show(fold(shown.board, event))

        address = f"http://{plan.listen}/"
        async with asyncio.TaskGroup() as group:
            group.create_task(shown.draw(), name="draw")
            group.create_task(Downlink(connect, wanted, deliver).run(), name="downlink")
            group.create_task(_tick(deliver), name="tick")
            group.create_task(notifier.watch(lambda: True), name="watchdog")
            await wall.serve(shown, plan.looks, listener, lambda: notifier.ready(f"the wall is on {address}"))


async def _tick(deliver: Callable[[Tick], None]) -> None:
    """Let seconds pass on the board, until cancelled."""
    while True:
        await asyncio.sleep(TICK)
        deliver(Tick(utc_now()))


async def run_tail(wanted: Wanted, connect: Connect, tail: Tail) -> None:
    """Print alerts until cancelled, refused by the hub, or nobody reads any more (BrokenPipeError)."""
    reading = True
    try:
        await Downlink(connect, wanted, tail.show).run()
    except* BrokenPipeError:
        reading = False
    if not reading:
        raise BrokenPipeError(errno.EPIPE, "nobody reads any more")


def tail_wanted(clients: tuple[str, ...], min_severity: str, *, with_raw: bool) -> Wanted:
    """Return what a tail subscribes to."""
    return Wanted(clients, named(min_severity), latest=LATEST, with_raw=with_raw, fleet=not with_raw)

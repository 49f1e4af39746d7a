"""Keep a connection to the hub, for ever: the only place on a node that tries again towards it.

`serve` decides nothing about one connection (that is Stream's), and a Stream nothing about the next one.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from artemis_agent import wire
from artemis_agent.link import Link
from artemis_agent.outcome import LONGEST_REASON, Dismissed, Outcome, Refused, Rejected, Renewed
from artemis_agent.redial import Redial
from artemis_agent.stream import Cargo, Stream
from artemis_agent.wire import Wire
from socme import logs, service
from socme.errors import OperatorError
from socme.identity import Identity
from socme.text import clean

LOG = logging.getLogger("artemis.uplink")

RELOAD_SECONDS = 2.0  # between two looks at the identity while the hub refuses the one that there is

Credentials: TypeAlias = tuple[tuple[str, ...], Identity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink(Cargo):
    """What the uplink needs."""

    credentials: Callable[[], Awaitable[Credentials]]
    """Return the hub's addresses, one at least, and the identity as they are now; asked before each
    attempt, so that an agent takes up a new certificate without a restart. May raise OperatorError."""
    dial: Callable[[str, Identity], AbstractAsyncContextManager[Wire]] = wire.dial
    """Open a stream to one address."""


async def serve(uplink: Uplink, rng: random.Random) -> None:
    """Keep a connection to the hub, for ever."""
    redial = Redial(rng)
    while True:
        found = await _ask(uplink)
        outcome = found if isinstance(found, Refused) else await _attempt(uplink, found, redial)
        service.raise_if_cancelled()
        uplink.link.turned_away = isinstance(outcome, Refused) and not isinstance(found, Refused)
        seconds = redial.pause(outcome, 1 if isinstance(found, Refused) else len(found[0]))
        _report(uplink.link, outcome, seconds)
        if isinstance(outcome, Refused):
            await _wait_for_another(uplink, found, seconds)
        else:
            await asyncio.sleep(seconds)


async def _attempt(uplink: Uplink, found: Credentials, redial: Redial) -> Outcome:
    """Connect once and stay until it ends."""
    addresses, identity = found
    uplink.link.hub = redial.address(addresses)
    async with uplink.dial(uplink.link.hub, identity) as opened:
        return await Stream(uplink, opened).run()


async def _ask(uplink: Uplink) -> Credentials | Refused:
    try:
        return await uplink.credentials()
    except OperatorError as error:
        return Refused(clean(" ".join(str(error).split()), LONGEST_REASON))


async def _wait_for_another(uplink: Uplink, known: Credentials | Refused, seconds: float) -> None:
    """Wait, but no longer than until there are other credentials: a person may have mended it."""
    while seconds > 0:
        pause = min(seconds, RELOAD_SECONDS)
        await asyncio.sleep(pause)
        seconds -= pause
        if await _ask(uplink) != known:
            return


def _report(link: Link, outcome: Outcome, seconds: float) -> None:
    """Log how a connection ended, once per reason, and keep it for the status."""
    state, message = "waiting", "no connection to the hub"
    match outcome:
        case Refused():
            state, message = "refused", "the hub refuses this node"
        case Dismissed():
            message = "the hub went away"
        case Rejected():
            message = "the hub refuses a batch"
        case Renewed():
            message = "connecting anew"
    new = outcome.reason != link.last_error or link.state == "connected"
    level = logging.WARNING if new else logging.DEBUG
    logs.event(LOG, level, message, hub=link.hub, reason=outcome.reason, again_in=f"{seconds:.1f}s")
    link.become(state, error=outcome.reason)

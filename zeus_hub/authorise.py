"""Who is calling: decided by the presented certificate and the registry, never by a message.

Every stream is watched for as long as it lives: once its certificate is revoked, replaced or expired, or
its client disabled, it ends within POLL_SECONDS.
"""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
from cryptography import x509
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs, spiffe
from socme.errors import first
from socme.spiffe import Peer, Role
from zeus_hub.registry import Holder, is_good
from zeus_hub.roll import Roll, find_holder

LOG = logging.getLogger("zeus.authorise")

POLL_SECONDS = 1.0  # how long a stream may outlive a revocation, about
MOST_STREAMS = 4096  # at one time; each costs about 100 KiB
MOST_OF_ONE = 64  # of them with one certificate, so that nobody takes all
LEAVING = "the hub is about to stop"
AGAIN = "enrol this machine again with a new token (`zeus token create` on the hub)"

# cryptography has an exception of its own for each way in which a certificate is none.
_UNREADABLE = (
    ValueError,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

Context = grpc.aio.ServicerContext[Any, Any]


class EndedError(Exception):
    """A call must end; the message tells the caller why and what to do."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Bell:
    """What one task may wait for: an asyncio.Event has a queue of waiters, 600 bytes in every stream."""

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Tell whether it was rung since it was cleared."""
        return self._rung

    def set(self) -> None:
        """Ring it."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Have it rung anew before anybody goes on."""
        self._rung = False

    async def wait(self) -> None:
        """Wait until it is rung."""
        while not self._rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class Stream:
    """One call that was let in."""

    def __init__(self, holder: Holder, *, polite: bool) -> None:
        self.holder = holder
        self.polite = polite
        """Whether it ends by itself once `leaving` is set."""
        self.leaving = False
        """Whether the hub is about to stop."""
        self.wake = Bell()
        """Set when there is something to do; its owner clears it."""
        self._error: EndedError | None = None
        self._group: asyncio.TaskGroup | None = None
        self._ending: asyncio.Task[None] | None = None

    def end(self, error: EndedError) -> None:
        """Make the call end with an error."""
        self._error = self._error or error
        if self._group is not None and self._ending is None:
            self._ending = self._group.create_task(_fail(self._error))

    def do(self, work: Callable[[], None]) -> None:
        """Do something of the call's from outside it; what that raises ends the call."""
        if self._group is not None and self._ending is None:
            self._group.create_task(_done(work))

    async def work(self, group: asyncio.TaskGroup, done: Awaitable[None]) -> None:
        """Wait for what the call does, in a group that fails as soon as `end` is called.

        Nothing waits for that meanwhile: a task in each stream would be two megabytes in a thousand.
        """
        self._group = group
        if self._error is not None:
            self.end(self._error)
        try:
            await done
        finally:
            self._group = None
        if self._ending is not None:
            self._ending.cancel()


class Guard:
    """Lets callers in, and out again once they are no longer welcome."""

    def __init__(self, engine: Engine, trust_domain: str, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._trust_domain = trust_domain
        self._clock = clock
        self._streams: set[Stream] = set()
        self._roll = Roll(engine)
        self._known: Mapping[bytes, Holder] = {}  # by which all streams were looked at last
        self._unseen = False  # whether a stream has come since
        self._soonest = datetime.max.replace(tzinfo=UTC)  # when the first of their certificates expires
        self._thread = ThreadPoolExecutor(1, "registry")
        self._empty = asyncio.Event()
        self._leaving = False

    async def admit(self, context: Context, roles: Collection[Role]) -> Holder:
        """Return who calls; raise EndedError where the caller may not."""
        certificate = _certificate(context.auth_context())
        peer = _peer(certificate)
        fingerprint = hashlib.sha256(certificate).digest()
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, find_holder, self._engine, fingerprint)
        except SQLAlchemyError as error:
            reason = f"the hub cannot read its registry: {error}"
            raise EndedError(grpc.StatusCode.UNAVAILABLE, reason) from error
        reason = objection(found, peer, self._trust_domain, roles, self._clock())
        if found is None or reason:
            logs.event(LOG, logging.WARNING, "refused", peer=context.peer(), reason=reason)
            raise EndedError(grpc.StatusCode.PERMISSION_DENIED, reason)
        return found

    async def check(self, context: Context, roles: Collection[Role]) -> Holder:
        """Return who makes a call with one answer; abort it where the caller may not."""
        try:
            return await self.admit(context, roles)
        except EndedError as error:
            await context.abort(error.code, str(error))

    async def serve(
        self,
        context: Context,
        roles: Collection[Role],
        work: Callable[[Stream], Awaitable[None]],
        *,
        polite: bool = False,
    ) -> None:
        """Do the work of a stream until it is done, raises EndedError, or the caller is shut out.

        With `polite`, the work ends by itself once `leaving` is set; otherwise it is ended then.
        """
        refused: EndedError | None = None
        try:
            stream = await self._enter(context, roles, polite=polite)
        except EndedError as error:
            await context.abort(error.code, str(error))
        try:
            async with asyncio.TaskGroup() as group:
                await stream.work(group, work(stream))
        except* EndedError as errors:
            refused = first(errors)
        except* grpc.aio.InternalError:
            # The caller has gone: a write that is under way hears of it before this task is cancelled.
            logs.event(LOG, logging.DEBUG, "a caller went away", peer=context.peer())
        finally:
            self._streams.discard(stream)
            if not self._streams:
                self._empty.set()
        if refused is not None:
            await context.abort(refused.code, str(refused))

    async def run(self) -> None:
        """Keep looking for streams that must end."""
        blind = False
        try:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                try:
                    await self.sweep()
                    blind = False
                except SQLAlchemyError as error:
                    if not blind:
                        logs.event(LOG, logging.ERROR, "the registry cannot be read", reason=error)
                    blind = True
        finally:
            self._thread.shutdown(wait=True)

    async def sweep(self) -> None:
        """End the streams of those who are no longer welcome."""
        if not self._streams:
            return
        known = await asyncio.get_running_loop().run_in_executor(self._thread, self._roll.read)
        now = self._clock()
        if known is self._known and not self._unseen and now < self._soonest:
            return
        self._known, self._unseen, self._soonest = known, False, datetime.max.replace(tzinfo=UTC)
        for stream in self._streams:
            holder = known.get(stream.holder.fingerprint)
            reason = shut_out(holder, now)
            if holder is None or reason:
                stream.end(EndedError(grpc.StatusCode.PERMISSION_DENIED, reason))
            else:
                self._soonest = min(self._soonest, holder.expires)

    def leave(self) -> None:
        """Let nobody in any more, and tell all streams that the hub is about to stop."""
        self._leaving = True
        for stream in self._streams:
            stream.leaving = True
            stream.wake.set()
            if not stream.polite:
                stream.end(EndedError(grpc.StatusCode.UNAVAILABLE, LEAVING))

    async def gone(self, seconds: float) -> None:
        """Wait until all streams have ended, but not longer than `seconds`."""
        if not self._streams:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return

    async def _enter(self, context: Context, roles: Collection[Role], *, polite: bool) -> Stream:
        stream = Stream(await self.admit(context, roles), polite=polite)
        if self._leaving:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, LEAVING)
        if len(self._streams) >= MOST_STREAMS:
            raise EndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "the hub has too many streams open")
        fingerprint = stream.holder.fingerprint
        if sum(other.holder.fingerprint == fingerprint for other in self._streams) >= MOST_OF_ONE:
            reason = f"this certificate has {MOST_OF_ONE} streams open already"
            raise EndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        self._streams.add(stream)
        self._unseen = True
        self._empty.clear()
        return stream


async def _fail(error: EndedError) -> None:
    raise error


async def _done(work: Callable[[], None]) -> None:
    work()


def objection(
    holder: Holder | None, peer: Peer | None, trust_domain: str, roles: Collection[Role], now: datetime
) -> str:
    """Return why a caller may not, for the person there; empty where it may."""
    if peer is None or peer.trust_domain != trust_domain:
        return "this certificate names nobody of this hub"
    if holder is None:
        return shut_out(holder, now)
    registered, named = (holder.role, holder.client, holder.name), (peer.role, peer.client, peer.name)
    objections = (
        (registered != named, "this certificate is registered for somebody else"),
        (holder.role not in roles, f"a {holder.role.value} may not call this"),
    )
    return next((reason for wrong, reason in objections if wrong), shut_out(holder, now))


def shut_out(holder: Holder | None, now: datetime) -> str:
    """Return why whoever holds a certificate may do nothing at all (any more); empty where it may."""
    if holder is None:
        return f"this certificate is not known here, or was replaced by a newer one: {AGAIN}"
    reasons = (
        (holder.revoked, f"this certificate was revoked: {AGAIN}"),
        (not holder.client_enabled, f"the client {holder.client} is disabled at the hub"),
        (not is_good(holder, now), f"this certificate has expired: {AGAIN}"),
    )
    return next((reason for wrong, reason in reasons if wrong), "")


def _certificate(auth: Mapping[str, Iterable[bytes]]) -> bytes:
    """Return the caller's certificate in DER."""
    found = list(auth.get("x509_pem_cert", ()))
    if len(found) != 1:
        raise EndedError(grpc.StatusCode.UNAUTHENTICATED, "there is no certificate")
    return ssl.PEM_cert_to_DER_cert(found[0].decode("ascii"))


def _peer(certificate: bytes) -> Peer | None:
    """Return whom a certificate names: the one URI that it must have."""
    try:
        names = (
            x509.load_der_x509_certificate(certificate)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value
        )
    except _UNREADABLE:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return spiffe.parse(uris[0]) if len(uris) == 1 else None

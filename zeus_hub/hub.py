"""Wires the hub: the only file that sees all its parts.

Uplink ─▶ commit ─▶ journal ─▶ deliver ─▶ store ─▶ fan-out: routes ─▶ receivers
            ▲          └─────▶ live ─▶ Watch
            └─ vigil: what is wrong, and what is over
"""

import asyncio
import fcntl
import logging
import resource
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from sqlalchemy import Engine

from socme import logs, tls
from socme.address import join, split
from socme.errors import OperatorError, first
from socme.identity import utc_now
from socme.journal import Entry
from socme.service import Notifier
from socme.spiffe import Role
from socme.v1.enrollment_pb2_grpc import add_EnrollmentServicer_to_server
from socme.v1.uplink_pb2_grpc import add_UplinkServicer_to_server
from socme.v1.watch_pb2 import StoredAlert
from socme.v1.watch_pb2_grpc import add_WatchServicer_to_server
from zeus_hub import ballast, commit, local, opened
from zeus_hub.authorise import Context, Guard
from zeus_hub.backfill import Backfill
from zeus_hub.ca import HUB_LIFETIME, Authority, certify_hub, open_authority
from zeus_hub.canary import Tracker
from zeus_hub.clocks import Clocks
from zeus_hub.commit import Committer
from zeus_hub.database import explained, open_database
from zeus_hub.deliver import Canaries, Delivery
from zeus_hub.dormant import Dormant
from zeus_hub.echo import Echo
from zeus_hub.enrol import Enrol
from zeus_hub.fleet import Fleet
from zeus_hub.ingest import Ingest
from zeus_hub.live import Live
from zeus_hub.local import Addresses
from zeus_hub.lookout import Lookout, SinkState, Sources
from zeus_hub.over import IsOpen
from zeus_hub.plan import Plan
from zeus_hub.purge import Purge
from zeus_hub.raising import Key
from zeus_hub.readable import Readable
from zeus_hub.repeats import Repeats
from zeus_hub.serialised import Serialised
from zeus_hub.sinks.store import Store
from zeus_hub.vigil import Vigil
from zeus_hub.watch import Watch

LOG = logging.getLogger("zeus.hub")

GOODBYE_SECONDS = 0.5  # for nodes to hear that the hub goes away
GRACE_SECONDS = 1.0  # for calls to end, after that
ENROLMENTS_AT_ONCE = 128  # anybody may call: a bound on what that can cost
ENROLMENTS_OF_ONE = 2  # over one connection
ENROLMENT_SECONDS = 10  # that a connection is good for, and the same again to end: nobody can block the rest
LARGEST_ENROLMENT = 64 * 1024  # bytes
HEALTH_SECONDS = 1.0  # between two looks at the journal
# How long the journal's thread may be at one piece of work, and the vigil without a look at everything,
# before systemd is no longer told that the hub works. Far more than a slow disk takes.
STUCK_SECONDS = 60.0
REAL = Clocks()
EVERYBODY = (Role.NODE, Role.DISPLAY, Role.OPERATOR)
# Of two options of the same name the first one counts.
_ENROLMENT_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", LARGEST_ENROLMENT),
    ("grpc.max_connection_age_ms", ENROLMENT_SECONDS * 1000),
    ("grpc.max_connection_age_grace_ms", ENROLMENT_SECONDS * 1000),
    ("grpc.max_concurrent_streams", ENROLMENTS_OF_ONE),
    *tls.SERVER_OPTIONS,
]


@dataclass(frozen=True, slots=True)
class Running:
    """What a hub says of itself once it is up."""

    listening: Addresses
    """With the ports that were really given."""
    ca_sha256: bytes
    """Fingerprint of the CA."""


class Health(health.aio.HealthServicer):  # type: ignore[misc]  # grpc_health has no types
    """The health service, for those that the hub knows."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> object:  # noqa: N802
        """Answer once."""
        await self._guard.check(context, EVERYBODY)
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        """Answer now and at each change."""
        follow = super().Watch
        await self._guard.serve(context, EVERYBODY, lambda _: follow(request, context))


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of alerts through the hub."""

    committer: Committer
    delivery: Delivery
    live: Live


@dataclass(frozen=True, slots=True)
class _Parts:
    """All of a hub, not running yet."""

    engine: Engine
    authority: Authority
    guard: Guard
    fleet: Fleet
    committer: Committer
    delivery: Delivery
    live: Live
    fanout: Dormant
    echo: Echo
    ingest: Ingest
    vigil: Vigil
    watch: Watch
    enrol: Enrol
    health: Health
    purge: Purge


async def serve(
    settings: Plan,
    notifier: Notifier,
    announce: Callable[[Running], None],
    clocks: Clocks = REAL,
) -> None:
    """Run a hub until it is cancelled; `announce` is called once it takes calls."""
    _allow_files()
    with _alone(settings.state_dir):
        ballast.drop_where_needed(settings.state_dir)
        authority = open_authority(settings.state_dir, now=utc_now())
        engine = open_database(settings.database, settings.state_dir)
        try:
            with explained(engine), commit.explained(settings.state_dir / "journal.db"):
                parts = _build(settings, authority, engine, clocks)
            await _run(parts, settings, notifier, announce)
        finally:
            engine.dispose()


def _build(settings: Plan, authority: Authority, engine: Engine, clocks: Clocks) -> _Parts:
    guard = Guard(engine, authority.trust_domain, clocks.wall)
    fleet = Fleet(engine, clocks.wall, clocks.monotonic)

    def sunk(sink: str, position: int, canaries: Sequence[StoredAlert]) -> None:
        echo.sunk(sink, position, canaries)

    def is_open(key: Key, since: datetime) -> bool:
        return vigil.holds(key, since)

    way = _lay(settings, engine, sunk, is_open)
    fanout = Dormant(engine, settings.routes_dir, clocks.wall, fleet.nodes)
    ingest = Ingest(guard, way.committer, fleet, clocks)
    sources = _sources(way, fanout, fleet, ingest, authority, clocks.wall())
    lookout = Lookout(sources, Tracker([way.delivery.name]), settings.limits, clocks)
    echo = Echo(lookout, way.live)
    notes = opened.read(way.committer.notes(opened.PREFIX))
    vigil = Vigil(engine, settings.state_dir, lookout, way.committer.announce, notes)
    return _Parts(
        engine=engine,
        authority=authority,
        guard=guard,
        fleet=fleet,
        committer=way.committer,
        delivery=way.delivery,
        live=way.live,
        fanout=fanout,
        echo=echo,
        ingest=ingest,
        vigil=vigil,
        watch=Watch(engine, guard, way.live, fleet, clocks.wall),
        enrol=Enrol(engine, authority, clocks.wall),
        health=Health(guard),
        purge=Purge(engine, settings.retention, clocks.wall),
    )


def _lay(settings: Plan, engine: Engine, canaries: Canaries, is_open: IsOpen) -> _Way:
    """Lay the way from the journal on; `canaries` is told of those that a sink has taken."""
    path = settings.state_dir / "journal.db"

    def committed(entries: Sequence[Entry], new: Collection[int]) -> None:
        live.publish(entries, new)
        delivery.wake()

    committer = Committer(path, settings.keep_bytes, needed=lambda: delivery.position, committed=committed)
    repeats = Repeats(engine, path)
    live = Live(path, identity=committer.identity, last=committer.last(), repeats=repeats.among)
    store = Store(engine, committer.identity, committer.last(), is_open)
    delivery = Delivery(store, path, canaries)
    return _Way(committer, delivery, live)


def _sources(
    way: _Way, fanout: Dormant, fleet: Fleet, ingest: Ingest, authority: Authority, now: datetime
) -> Sources:
    """Say where the vigil finds out what it judges."""
    committer, delivery = way.committer, way.delivery

    def sinks() -> list[SinkState]:
        store = SinkState(delivery.name, delivery.position, delivery.problem)
        others = fanout.problems().items()
        return [store, *(_state(name, problem, way.live.last) for name, problem in others)]

    return Sources(
        fleet=fleet,
        accounts=committer.accounts,
        clones=ingest.clones,
        sinks=sinks,
        last=lambda: way.live.last,
        journal_problem=lambda: committer.problem,
        authority_ends=authority.certificate.not_valid_after_utc,
        certificate_ends=min(now + HUB_LIFETIME, authority.certificate.not_valid_after_utc),
    )


def _state(name: str, problem: str, last: int) -> SinkState:
    """Return how something is that reads no journal: it stands still while it has a problem."""
    return SinkState(name, 0 if problem else last, problem)


async def _run(
    parts: _Parts, settings: Plan, notifier: Notifier, announce: Callable[[Running], None]
) -> None:
    state_dir = settings.state_dir

    def working() -> bool:
        return works(journal_seconds=parts.committer.busy_seconds, vigil_seconds=parts.vigil.idle_seconds)

    failure: OperatorError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            _begin(parts, group)
            group.create_task(ballast.keep(state_dir), name="ballast")
            group.create_task(notifier.watch(working), name="watchdog")
            async with _listening(parts, settings) as addresses:
                with suppress(OSError):  # said, and tried again, below
                    local.write_addresses(state_dir, addresses)
                group.create_task(local.tell_addresses(state_dir, addresses), name="addresses")
                with explained(parts.engine):
                    local.operator(state_dir, parts.engine, parts.authority, addresses.hub, now=utc_now())
                announce(Running(addresses, parts.authority.fingerprint))
                notifier.ready(f"listening on {addresses.hub}")
                await asyncio.Event().wait()
    except* OperatorError as errors:
        failure = first(errors)
    finally:
        for part in (parts.live, parts.watch, parts.enrol):
            part.close()
    if failure is not None:
        raise failure


def _begin(parts: _Parts, group: asyncio.TaskGroup) -> None:
    """Let every part that works for itself begin."""
    group.create_task(parts.committer.run(), name="commit")
    group.create_task(parts.delivery.run(), name="deliver")
    group.create_task(parts.fanout.run(), name="fan-out")
    group.create_task(parts.guard.run(), name="authorise")
    group.create_task(parts.fleet.run(), name="fleet")
    group.create_task(parts.echo.run(), name="canaries")
    group.create_task(parts.vigil.run(), name="vigil")
    group.create_task(parts.watch.run(), name="watch")
    group.create_task(parts.purge.run(), name="purge")
    group.create_task(Backfill(parts.engine).run(), name="backfill")
    group.create_task(_judge(parts), name="health")


@asynccontextmanager
async def _listening(parts: _Parts, settings: Plan) -> AsyncIterator[Addresses]:
    """Take calls for as long as the context lasts, then say goodbye."""
    key, chain = certify_hub(parts.authority, now=utc_now())
    nodes = grpc.aio.server(options=tls.SERVER_OPTIONS, interceptors=[Readable(), Serialised()])
    add_UplinkServicer_to_server(parts.ingest, nodes)
    add_WatchServicer_to_server(parts.watch, nodes)
    health_pb2_grpc.add_HealthServicer_to_server(parts.health, nodes)
    newcomers = grpc.aio.server(
        options=_ENROLMENT_OPTIONS, interceptors=[Readable()], maximum_concurrent_rpcs=ENROLMENTS_AT_ONCE
    )
    add_EnrollmentServicer_to_server(parts.enrol, newcomers)

    mutual = tls.mutual_server_credentials(key=key, chain=chain, ca=parts.authority.pem)
    addresses = Addresses(
        hub=_bind(nodes, "listen", settings.listen, mutual),
        enrolment=_bind(
            newcomers,
            "enroll_listen",
            local.enroll_listen(settings),
            tls.enrolment_server_credentials(key=key, chain=chain),
        ),
    )
    await nodes.start()
    await newcomers.start()
    try:
        yield addresses
    finally:
        parts.guard.leave()
        await newcomers.stop(0)
        await parts.guard.gone(GOODBYE_SECONDS)
        await nodes.stop(GRACE_SECONDS)


def _bind(server: grpc.aio.Server, key: str, address: str, credentials: grpc.ServerCredentials) -> str:
    """Return the address with the port that was really given."""
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:  # gRPC does not say why
        local.probe(key, address)
        raise OperatorError(f"cannot listen on {address}: {error}", f"Set another `{key}`.") from error
    return join(split(address)[0], port)


def _allow_files() -> None:
    """Let this process have as many files and connections as it may; 1024 are soon taken by strangers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Hold the state folder for this process alone."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state_dir / "hub.lock").open("w")
    except OSError as error:
        raise OperatorError(
            f"cannot write to the state folder {state_dir}: {error.strerror}",
            "Set `state_dir` to a folder that this user may write to.",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"another `zeus serve` runs with the state folder {state_dir}",
                "Stop it first, or give this one a `state_dir` of its own.",
            ) from error
        yield


async def _judge(parts: _Parts) -> None:
    """Keep the health service honest: a hub that cannot write takes no alerts."""
    states = health_pb2.HealthCheckResponse
    while True:
        state = states.NOT_SERVING if parts.committer.problem else states.SERVING
        for name in ("", "socme.v1.Uplink"):
            await parts.health.set(name, state)
        await parts.health.set("socme.v1.Watch", states.SERVING)
        await asyncio.sleep(HEALTH_SECONDS)


def works(*, journal_seconds: float, vigil_seconds: float) -> bool:
    """Tell whether the hub does its work, so that systemd may let it go on.

    `journal_seconds` is how long the journal's thread has been at one piece of work, `vigil_seconds` how
    long ago all nodes were looked at. That the event loop runs is plain: it is the one that asks.
    """
    for part, seconds in (("journal", journal_seconds), ("vigil", vigil_seconds)):
        if seconds > STUCK_SECONDS:
            logs.event(LOG, logging.ERROR, "stuck: the watchdog will end it", part=part, seconds=seconds)
            return False
    return True

"""A real hub on loopback for tests, and those who call it: nodes, screens, operators."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine, select

from socme import tls
from socme.batch import Packed, pack
from socme.identity import Identity, load, utc_now
from socme.service import Notifier
from socme.spiffe import Role
from socme.v1 import enrollment_pb2
from socme.v1.alert_pb2 import Alert, AlertSource, Severity
from socme.v1.enrollment_pb2 import EnrollRequest, EnrollResponse
from socme.v1.enrollment_pb2_grpc import EnrollmentStub
from socme.v1.uplink_pb2 import AlertBatch, Encoding, Hello, HubMessage, Lane, NodeMessage, Welcome
from socme.v1.uplink_pb2_grpc import UplinkStub
from socme.v1.vitals_pb2 import Vitals
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub import engines
from zeus_hub import database, registry
from zeus_hub.ca import private_pem
from zeus_hub.clocks import Clocks
from zeus_hub.config import (
    ConditionSettings,
    JournalSettings,
    StoreSettings,
    ZeusSettings,
    limits_of,
    plan_of,
)
from zeus_hub.database import reading
from zeus_hub.hub import REAL, Running, serve
from zeus_hub.plan import Limits, Plan
from zeus_hub.tokens import Grant, create_token

LIMIT = 30.0  # seconds that anything may take; far more than it does on a machine that is not busy
EPOCH = b"e" * 16
SHIPPED = limits_of(ConditionSettings())


@dataclass(frozen=True)
class Machine:
    """Something with a certificate."""

    key: bytes
    chain: bytes
    ca: bytes
    name: str = ""

    @property
    def fingerprint(self) -> bytes:
        return x509.load_pem_x509_certificates(self.chain)[0].fingerprint(hashes.SHA256())


@dataclass(frozen=True)
class Hub:
    """A running hub."""

    settings: Plan
    running: Running
    engine: Engine

    @property
    def address(self) -> str:
        return self.running.listening.hub

    @property
    def ca(self) -> bytes:
        return (self.settings.state_dir / "ca" / "certificate.pem").read_bytes()

    @property
    def journal(self) -> Path:
        return self.settings.state_dir / "journal.db"

    def stored(self) -> list[bytes]:
        """Return the ids of all stored alerts, in the store's order."""
        table = database.alert
        with reading(self.engine) as connection:
            return list(connection.execute(select(table.c.id).order_by(table.c.number)).scalars())

    async def enrol(self, grant: Grant) -> Machine:
        """Let something in the way that everything gets in."""
        now = utc_now()
        secret, _ = create_token(self.engine, grant, lifetime=timedelta(hours=1), now=now)
        role = enrollment_pb2.ROLE_NODE if grant.role is Role.NODE else enrollment_pb2.ROLE_DISPLAY
        key = ec.generate_private_key(ec.SECP256R1())
        answer = await self.ask(EnrollRequest(secret=secret, csr=csr(key), role=role))
        return Machine(private_pem(key), answer.certificate_chain, answer.ca_certificate, answer.name)

    async def ask(self, request: EnrollRequest) -> EnrollResponse:
        """Call Enroll."""
        credentials = tls.enrolment_channel_credentials(ca=self.ca)
        address = self.running.listening.enrolment
        async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
            return await EnrollmentStub(channel).Enroll(request, timeout=LIMIT)

    async def node(self, client: str = "acme", name: str = "acme-1") -> Machine:
        """Enrol a node; its client is added where it is missing."""
        if client not in {known.name for known in registry.list_clients(self.engine)}:
            registry.add_client(self.engine, client, now=utc_now())
        return await self.enrol(Grant(Role.NODE, name, client=client))

    async def display(self, name: str = "wall", clients: frozenset[str] | None = None) -> Machine:
        return await self.enrol(Grant(Role.DISPLAY, name, clients=clients))

    def operator(self) -> Machine:
        found: Identity = load(self.settings.state_dir / "operator", now=utc_now(), command="")
        return Machine(found.key, found.chain, found.ca)


def csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a signing request whose names nobody should believe."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "admin")])
    uri = x509.UniformResourceIdentifier("spiffe://socme-00000000/client/other/node/other-1")
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = request.add_extension(x509.SubjectAlternativeName([uri]), critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def limits(**changes: float) -> Limits:
    """Return those that are shipped, some of them changed."""
    return limits_of(ConditionSettings(**changes))  # type: ignore[arg-type]


def settings(state_dir: Path, conditions: Limits = SHIPPED, **changes: object) -> Plan:
    chosen = ZeusSettings(
        state_dir=state_dir,
        routes_dir=state_dir / "routes.d",
        listen="127.0.0.1:0",
        store=StoreSettings(url=engines.url(state_dir)),
        journal=JournalSettings(**changes),  # type: ignore[arg-type]
    )
    return replace(plan_of(chosen, state_dir / "zeus.toml"), limits=conditions)


@asynccontextmanager
async def hub(
    state_dir: Path,
    *,
    clocks: Clocks = REAL,
    conditions: Limits = SHIPPED,
    **changes: object,
) -> AsyncIterator[Hub]:
    """Run a hub for as long as the context lasts."""
    chosen = settings(state_dir, conditions, **changes)
    up: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(chosen, Notifier(), up.set_result, clocks))
        async with asyncio.timeout(LIMIT):
            running = await up
        try:
            yield Hub(chosen, running, engines.opened(state_dir))
        finally:
            task.cancel()


@asynccontextmanager
async def connect(address: str, machine: Machine) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel as some machine."""
    credentials = tls.channel_credentials(key=machine.key, chain=machine.chain, ca=machine.ca)
    async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        yield channel


class Link:
    """A node's stream, driven by hand."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call = UplinkStub(channel).Connect()
        self.welcome = Welcome()
        self.acked: dict[int, int] = {}

    async def greet(self, epoch: bytes = EPOCH, interval: int = 10, instance: bytes = b"") -> Welcome:
        hello = Hello(agent_version="0", epoch=epoch, vitals_interval_seconds=interval, instance=instance)
        hello.time.FromDatetime(utc_now())
        await self.send(NodeMessage(hello=hello))
        self.welcome = (await self.read()).welcome
        return self.welcome

    async def send(self, message: NodeMessage) -> None:
        async with asyncio.timeout(LIMIT):
            await self.call.write(message)

    async def batch(self, sequence: int, alerts: Sequence[Alert], lane: int = Lane.LANE_NORMAL) -> None:
        packed = pack([alert.SerializeToString() for alert in alerts])
        await self.send(NodeMessage(batch=message(sequence, packed, lane)))

    async def vitals(self, vitals: Vitals) -> None:
        await self.send(NodeMessage(vitals=vitals))

    async def read(self) -> HubMessage:
        async with asyncio.timeout(LIMIT):
            found = await self.call.read()
        assert isinstance(found, HubMessage), found
        return found

    async def until_acked(self, sequence: int, lane: int = Lane.LANE_NORMAL) -> None:
        while self.acked.get(lane, 0) < sequence:
            told = await self.read()
            if told.HasField("pace"):  # a hub that is busy says so
                continue
            ack = told.ack
            assert ack.sequence > self.acked.get(ack.lane, 0), "acks grow"
            self.acked[ack.lane] = ack.sequence

    async def failure(self) -> grpc.aio.AioRpcError:
        """Return how the stream ends."""
        try:
            async with asyncio.timeout(LIMIT):
                while await self.call.read() is not grpc.aio.EOF:
                    pass
                code = await self.call.code()
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError(f"the stream ended with {code}")


@asynccontextmanager
async def linked(address: str, machine: Machine, epoch: bytes = EPOCH) -> AsyncIterator[Link]:
    """Connect a node and greet the hub."""
    async with connect(address, machine) as channel:
        link = Link(channel)
        await link.greet(epoch)
        yield link
        link.call.cancel()


async def give(zeus: Hub, machine: Machine, alerts: Sequence[Alert], epoch: bytes = EPOCH) -> None:
    """Let a node connect, have its first batch acknowledged, and leave."""
    async with linked(zeus.address, machine, epoch) as link:
        await link.batch(1, alerts)
        await link.until_acked(1)


def message(sequence: int, packed: Packed, lane: int = Lane.LANE_NORMAL) -> AlertBatch:
    return AlertBatch(
        lane=lane,  # type: ignore[arg-type]
        sequence=sequence,
        encoding=Encoding.ENCODING_ZSTD,
        payload=packed.payload,
        alerts=packed.alerts,
        decoded_bytes=packed.decoded_bytes,
    )


def alert(number: int, severity: int = Severity.SEVERITY_LOW, **fields: object) -> Alert:
    """Return an alert that is told from others by its number."""
    made = Alert(
        id=hashlib.blake2b(str(number).encode(), digest_size=16).digest(),
        source=AlertSource.ALERT_SOURCE_SURICATA,
        severity=severity,  # type: ignore[arg-type]
        count=1,
        raw=f'{{"event_type":"alert","number":{number}}}'.encode(),
        **{"message": f"alert {number}"} | fields,  # type: ignore[arg-type]
    )
    made.rule.id = str(number)
    made.time.FromDatetime(utc_now())
    return made


def ids(alerts: Sequence[Alert]) -> list[bytes]:
    return [made.id for made in alerts]


def watching(channel: grpc.aio.Channel) -> WatchStub:
    return WatchStub(channel)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail where it takes too long."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what it asks has no event: other threads, files
            await asyncio.sleep(0.01)

"""How commands on the hub's own machine reach it: where it listens, and an operator's identity for them."""

import asyncio
import errno
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine

from socme import identity, logs
from socme.address import join, split
from socme.errors import OperatorError
from socme.identity import Identity
from socme.spiffe import Peer, Role
from zeus_hub.ca import Authority, certify, private_pem
from zeus_hub.database import writing
from zeus_hub.plan import Plan
from zeus_hub.registry import Watcher, is_good, put_watcher
from zeus_hub.roll import find_holder

LOG = logging.getLogger("zeus.local")

NAME = "local"  # of the operator
LIFETIME = timedelta(days=365)
RENEW = timedelta(days=30)  # before its end
ALIVE = timedelta(seconds=20)  # how old the pulse of a hub that runs may be; it is written every 5 s
RETRY_SECONDS = 5.0  # between two attempts to write down where the hub listens
_FILE = "hub.json"
_PULSE = "pulse.json"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a hub is reached, each "host:port"."""

    hub: str
    """Uplink, Watch and health."""
    enrolment: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """A running hub's sign of life, with what only it knows."""

    time: datetime
    canaries: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """Of each node, "client/node": how far those of each source have come (canary.py)."""
    unheard: Sequence[str] = ()
    """The nodes, "client/node", of which nothing was heard since it started."""
    running: bool = True
    """False: it is the last one, of a hub that was stopped."""

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether the hub runs."""
        return self.running and abs(now - self.time) <= ALIVE


def write_pulse(state_dir: Path, pulse: Pulse) -> None:
    """Write a sign of life; raises OSError. It need not outlive a power cut."""
    fresh = state_dir / f"{_PULSE}.new"
    fresh.write_text(json.dumps({**asdict(pulse), "time": pulse.time.isoformat()}))
    fresh.rename(state_dir / _PULSE)


def read_pulse(state_dir: Path) -> Pulse | None:
    """Return the last sign of life; None where there is none that can be read."""
    try:
        found = json.loads((state_dir / _PULSE).read_text())
        time = datetime.fromisoformat(found["time"])
        return Pulse(time, found["canaries"], tuple(found["unheard"]), found["running"])
    except (OSError, ValueError, KeyError, TypeError):  # it is written again within seconds
        return None


async def tell_addresses(state_dir: Path, listening: Addresses) -> None:
    """Write down where the running hub listens, for the commands here; try until the disk takes it."""
    failing = False
    while True:
        try:
            await asyncio.to_thread(write_addresses, state_dir, listening)
        except OSError as error:
            if not failing:
                logs.event(LOG, logging.ERROR, "commands cannot be told where the hub listens", reason=error)
            failing = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def write_addresses(state_dir: Path, listening: Addresses) -> None:
    """Write down where the hub listens, unless that is what stands there; OSError where it cannot be."""
    told, path = json.dumps(asdict(listening), indent=2) + "\n", state_dir / _FILE
    with suppress(FileNotFoundError):
        if path.read_text() == told:
            return
    fresh = state_dir / f"{_FILE}.new"
    fresh.write_text(told)
    fresh.rename(path)


def listening(settings: Plan) -> Addresses:
    """Return where the hub listens, or did when it last ran; the settings where it never ran."""
    try:
        about = json.loads((settings.state_dir / _FILE).read_text())
        return Addresses(about["hub"], about["enrolment"])
    except FileNotFoundError:
        return Addresses(settings.listen, enroll_listen(settings))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"cannot read {settings.state_dir / _FILE}: {error}",
            "Restart `zeus serve`, which writes it anew.",
        ) from error


def probe(key: str, address: str) -> None:
    """Raise OperatorError, with the system's reason, where nobody could listen on an address now."""
    host, port = split(address)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # Connections that have ended do not count.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise OperatorError(
            f"cannot listen on {address}: {error.strerror or error}",
            f"Stop what uses that port (another zeus?), or set another `{key}`."
            if taken
            else f"Set `{key}` to an address of this machine, as in 0.0.0.0:8443.",
        ) from error


def public(settings: Plan) -> Addresses:
    """Return how nodes and screens reach the hub, as enrolment tokens say it."""
    here = listening(settings)
    hub = settings.public_address or _reachable(here.hub)
    enrolment = settings.public_enroll_address or join(split(hub)[0], split(here.enrolment)[1])
    return Addresses(hub, enrolment)


def loopback(settings: Plan) -> Addresses:
    """Return how commands on this machine reach the hub."""
    here = listening(settings)
    return Addresses(_near(here.hub), _near(here.enrolment))


def enroll_listen(settings: Plan) -> str:
    """Return where enrolment listens: as set, or at the port after that of `listen`."""
    if settings.enroll_listen is not None:
        return settings.enroll_listen
    name, port = split(settings.listen)
    return join(name, port + 1 if port else 0)


def operator(state_dir: Path, engine: Engine, authority: Authority, hub: str, *, now: datetime) -> Identity:
    """Return the identity of this machine's operator; make and register it where it is missing or ends soon.

    Whoever can read the state folder is one.
    """
    folder = state_dir / "operator"
    if identity.folder(folder).exists():
        found = identity.load(folder, now=datetime.min.replace(tzinfo=now.tzinfo), command="zeus serve")
        holder = find_holder(engine, _fingerprint(found.chain))
        if holder is not None and is_good(holder, now + RENEW) and found.ca == authority.pem:
            return found
    key = ec.generate_private_key(ec.SECP256R1())
    peer = Peer(authority.trust_domain, Role.OPERATOR, NAME)
    certificate = certify(authority, key.public_key(), peer, now=now, lifetime=LIFETIME)
    made = Identity(
        key=private_pem(key),
        chain=certificate.public_bytes(serialization.Encoding.PEM) + authority.pem,
        ca=authority.pem,
        role=Role.OPERATOR.value,
        client="",
        name=NAME,
        hub_address=hub,
        expires=certificate.not_valid_after_utc,
    )
    identity.save(folder, made)
    with writing(engine) as connection:
        watcher = Watcher(Role.OPERATOR, NAME, now, made.expires, None, None)
        put_watcher(connection, watcher, certificate.fingerprint(hashes.SHA256()))
    return made


def _near(address: str) -> str:
    """Return how an address that is listened at is reached from this machine."""
    name, port = split(address)
    return join({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name), port)  # noqa: S104 - compared


def _reachable(address: str) -> str:
    """Return how an address that is listened at is reached from outside, as far as one can tell."""
    name, port = split(address)
    if name not in {"0.0.0.0", "::"}:  # noqa: S104 - compared
        return address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks for the route to the outside
            found = str(probe.getsockname()[0])
        except OSError:  # no network
            found = "127.0.0.1"
    return join(found, port)


def _fingerprint(chain: bytes) -> bytes:
    return x509.load_pem_x509_certificates(chain)[0].fingerprint(hashes.SHA256())

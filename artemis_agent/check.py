"""`artemis check`: every thing that can be wrong on this machine and on the way to the hub, one line each."""

import grp
import os
import pwd
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from artemis_agent import preview, smtp, status
from artemis_agent.config import ArtemisSettings, SourceSettings, break_glass_of
from artemis_agent.line_file import open_line_file
from artemis_agent.lock import is_running
from artemis_agent.peek import peek, size_of
from artemis_agent.place import newest
from artemis_agent.plan import BreakGlass
from artemis_agent.repair import set_aside
from socme import identity, tls
from socme.enrol import explain, split_address
from socme.errors import OperatorError
from socme.identity import Identity
from socme.settings import beside, load
from socme.text import clean
from socme.v1.vitals_pb2 import SpoolVitals

TIMEOUT_SECONDS = 5.0  # for each step on the way to the hub
EXPIRES_SOON = timedelta(days=14)
CLOCK_OFF_SECONDS = 5.0  # more makes the times of alerts misleading
NEARLY_FULL = 0.8  # of the spool
LONGEST_REASON = 300  # characters of what a hub says
# Health.Check of grpc.health.v1 by hand: the package with its stubs is the hub's alone.
_HEALTH = "/grpc.health.v1.Health/Check"
_ASK_ALL = b""  # HealthCheckRequest with service ""
_DRAIN = "see why the hub does not take them (artemis status), or raise spool.max_bytes"
_ASIDE = "stop artemis, take its alerts back (artemis spool repair), and start it again"
_SERVING = b"\x08\x01"  # HealthCheckResponse with status SERVING


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    what: str
    mend: str = ""
    """What to do; empty when all is well."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.mend

    def __str__(self) -> str:
        return f"ok    {self.what}" if self.ok else f"FAIL  {self.what} → {self.mend}"


def check(config: Path) -> Iterator[Line]:
    """Yield a line for each thing, as soon as it is known."""
    try:
        settings = load(ArtemisSettings, config)
    except OperatorError as error:
        yield _failed(error)
        return
    yield Line(f"settings {config}")
    state_dir = beside(config, settings.state_dir)
    yield _check_state_dir(state_dir)
    for source in settings.source:
        yield _check_source(source, beside(config, source.path))
    yield from _check_spool(state_dir, settings.spool.max_bytes)
    if settings.break_glass is not None:
        yield _check_break_glass(break_glass_of(settings.break_glass, config))
    try:
        own = identity.load(state_dir, now=identity.utc_now(), command="artemis enroll TOKEN")
    except OperatorError as error:
        yield _failed(error)
        return
    yield _check_identity(own)
    for address in settings.hub_address or (own.hub_address,):
        yield _check_hub(address, own, identity.folder(state_dir))
    yield from _check_clock(state_dir)


def _failed(error: OperatorError) -> Line:
    return Line(clean(error.args[0].replace("\n", " "), 1000), error.mend or "see the message")


def _check_state_dir(state_dir: Path) -> Line:
    what = f"state folder {state_dir}"
    user = pwd.getpwuid(os.geteuid()).pw_name
    if not state_dir.is_dir():
        return Line(f"{what} is missing", "artemis enroll TOKEN makes it")
    try:
        with tempfile.TemporaryFile(dir=state_dir):
            pass
    except OSError as error:
        return Line(
            f"{what} cannot be written by {user}: {(error.strerror or '').lower()}",
            "run this as the user that artemis runs as, or correct the folder's owner",
        )
    owner = state_dir.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        return Line(f"{what} (checked as root: run this as {_user(owner)} to see what artemis may read)")
    return Line(what)


def _check_source(source: SourceSettings, path: Path) -> Line:
    what = f"{source.kind} source {path}"
    try:
        path = newest(path)
        open_line_file(path).close()
    except FileNotFoundError:
        return Line(
            f"{what}: there is no such file",
            f"start {source.kind.capitalize()}, or correct the path; artemis waits for the file to appear",
        )
    except PermissionError:
        return Line(f"{what}: permission denied", _permission_mend(path, source.kind))
    except OSError as error:
        return Line(f"{what}: {(error.strerror or '').lower()}", "correct the path in the settings")
    try:
        written_by = preview.kind_of(path)
    except OperatorError:
        return Line(f"{what} (nothing in it yet that tells what wrote it)")
    if written_by != source.kind and path.stat().st_size:
        return Line(f"{what}: this looks like a file of {written_by}", f'set kind = "{written_by}"')
    return Line(what)


def _permission_mend(path: Path, kind: str) -> str:
    """Return which group to join for the first thing on the way to a file that is closed to this user."""
    closed = next((each for each in (*reversed(path.parents), path) if not _may_pass(each, path)), path)
    try:
        group = grp.getgrgid(closed.stat().st_gid).gr_name
    except (OSError, KeyError):
        group = kind
    if group == "root":  # nobody should join that one; the group is usually called as the program
        group = kind
    user = pwd.getpwuid(os.geteuid()).pw_name
    join = f"let it join the group (usermod -aG {group} {user}), then restart artemis"
    return f"{closed} is closed to {user}: {join}"


def _may_pass(each: Path, path: Path) -> bool:
    return os.access(each, os.R_OK if each == path else os.X_OK, effective_ids=True)


def _check_spool(state_dir: Path, max_bytes: int) -> Iterator[Line]:
    try:
        found = peek(state_dir)
        running = is_running(state_dir)
        told = status.read(state_dir).spool if found and running else SpoolVitals()
    except OperatorError as error:
        yield _failed(error)
        return
    if found is None:
        yield Line("spool: none yet, artemis run makes it")
    else:
        what = f"spool: {found.depth.alerts} alerts wait, artemis {'runs' if running else 'does not run'}"
        full = size_of(found.depth) / max_bytes
        yield Line(f"{what}, {full:.0%} full", _DRAIN) if full > NEARLY_FULL else Line(what)
    if told.problem:
        yield Line(f"spool: it cannot be written: {told.problem}", f"make room on the disk of {state_dir}")
    if told.unaccounted:
        yield Line(f"spool: {told.unaccounted} alerts are unaccounted for", "artemis spool check")
    for aside in set_aside(state_dir):
        yield Line(f"spool: a damaged one was set aside at {aside}", _ASIDE)


def _check_break_glass(plan: BreakGlass) -> Line:
    """Come as far as a mail could be handed in; none is."""
    try:
        smtp.probe(plan.server)
    except smtp.MailError as error:
        return Line(f"break-glass: {error}", "correct [break_glass] in the settings; no mail could leave now")
    whom = ", ".join(plan.recipients)
    return Line(f"break-glass: mail server {plan.server.host}:{plan.server.port} for {whom}")


def _check_identity(own: Identity) -> Line:
    what = f"identity {own.client}/{own.name}" if own.client else f"identity {own.name}"
    again = "ask the hub's operator for a token and run: artemis enroll --force TOKEN"
    if own.role != "node":
        return Line(f"{what} is a {own.role}'s, not a node's", again)
    try:
        certificate = x509.load_pem_x509_certificate(own.chain)
        key = serialization.load_pem_private_key(own.key, None)
    except ValueError as error:
        return Line(f"{what} is damaged: {error}", again)
    if key.public_key() != certificate.public_key():
        return Line(f"{what}: key and certificate do not belong together", again)
    now = identity.utc_now()
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        dates = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        return Line(f"{what} is good from {dates} only", f"check this machine's clock, or {again}")
    if own.expires - now < EXPIRES_SOON:
        return Line(f"{what} expires on {own.expires:%Y-%m-%d}", again)
    return Line(f"{what}, good until {own.expires:%Y-%m-%d}")


def _check_hub(address: str, own: Identity, folder: Path) -> Line:
    try:
        _shake_hands(address, own, folder)
        _ask_health(address, own)
    except OperatorError as error:
        return Line(f"hub {address}: {error.args[0]}", error.mend)
    return Line(f"hub {address}")


def _shake_hands(address: str, own: Identity, folder: Path) -> None:
    """Connect as gRPC would: with TLS 1.3 only a plain client learns why it is refused."""
    context = _context(own, folder)
    try:
        with (
            socket.create_connection(split_address(address), timeout=TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=tls.SERVER_NAME) as secure,
        ):
            greeting = secure.recv(1)  # a server that refuses the certificate says so now
    except ssl.SSLCertVerificationError as error:
        raise OperatorError(
            f"this is not the hub that this node was enrolled at ({error.verify_message})",
            "correct hub_address, or enrol at the new hub",
        ) from error
    except ssl.SSLError as error:
        raise OperatorError(f"TLS failed: {error.reason}", _REFUSED) from error
    except OSError as error:
        raise OperatorError(
            f"cannot be reached: {explain(error)}",
            "check that the hub runs (zeus serve), the address, and the firewalls in between",
        ) from error
    if not greeting:
        raise OperatorError("closed the connection", _REFUSED)


def _context(own: Identity, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=own.ca.decode())
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    except (OSError, ValueError) as error:  # ssl.SSLError is one of the first
        raise OperatorError(
            f"not asked: this machine's certificates cannot be used ({error})",
            "ask the hub's operator for a token and run: artemis enroll --force TOKEN",
        ) from error
    context.set_alpn_protocols(["h2"])
    return context


_REFUSED = "the hub does not take this certificate: ask its operator (zeus node list)"


def _ask_health(address: str, own: Identity) -> None:
    credentials = tls.channel_credentials(key=own.key, chain=own.chain, ca=own.ca)
    with grpc.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
        try:
            answer = ask(_ASK_ALL, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise OperatorError(_reason(error), _REFUSED) from error
    if answer != _SERVING:
        raise OperatorError("is not serving now", "look into the hub's log")


def _reason(error: grpc.RpcError) -> str:
    assert isinstance(error, grpc.Call)  # noqa: S101 - what an invocation raises is both
    return f"{error.code().name}: {clean(tls.explain(error.details()), LONGEST_REASON)}"


def _check_clock(state_dir: Path) -> Iterator[Line]:
    """Judge the clocks by what the running agent measured; say nothing where it knows nothing."""
    offset = status.read(state_dir).told.get("clock_offset_seconds")
    if not isinstance(offset, float):
        return
    what = f"clock: the hub's is {abs(offset):.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) > CLOCK_OFF_SECONDS:
        yield Line(what, "let both machines follow NTP (timedatectl set-ntp true)")
    else:
        yield Line(what)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)

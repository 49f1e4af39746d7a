"""The Enrollment service: trades a one-time token for a certificate. Anybody may call it."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import grpc
from cryptography.hazmat.primitives import hashes, serialization
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs, spiffe
from socme.spiffe import Peer
from socme.v1 import enrollment_pb2
from socme.v1.enrollment_pb2 import EnrollRequest, EnrollResponse
from socme.v1.enrollment_pb2_grpc import EnrollmentServicer
from zeus_hub.authorise import Context
from zeus_hub.ca import Authority, PublicKey, RequestError, certify, public_key
from zeus_hub.tokens import Admission, Certified, Grant, Refusal, redeem_token

LOG = logging.getLogger("zeus.enrol")

ROLES = {
    enrollment_pb2.ROLE_NODE: spiffe.Role.NODE,
    enrollment_pb2.ROLE_DISPLAY: spiffe.Role.DISPLAY,
}
GUESSES = 10  # wrong tokens that an address may send at once
REFILL_SECONDS = 6.0  # after which it may send one more
ADDRESSES = 1024  # remembered; a secret of 128 bits is safe from guessing, this spares the disk
ASK = "ask the hub's operator for a new one (`zeus token create`)"


class Enrol(EnrollmentServicer):
    """Serves machines that have no certificate yet."""

    def __init__(self, engine: Engine, authority: Authority, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._authority = authority
        self._clock = clock
        self._guesses = Guesses()
        self._thread = ThreadPoolExecutor(1, "enrol")

    async def Enroll(self, request: EnrollRequest, context: Context) -> EnrollResponse:  # noqa: N802
        """Answer one request."""
        loop = asyncio.get_running_loop()
        address = host(context.peer())
        if not self._guesses.allowed(address, loop.time()):
            reason = "too many wrong tokens from this address: wait a minute"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        try:
            answer = await loop.run_in_executor(self._thread, self._redeem, request)
        except RequestError as error:
            self._guesses.wrong(address, loop.time())  # looking at it costs more than at a wrong token
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except SQLAlchemyError as error:
            logs.event(LOG, logging.ERROR, "the registry cannot be used", reason=error)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the hub cannot use its registry: try again")
        if isinstance(answer, Refusal):
            self._guesses.wrong(address, loop.time())
            logs.event(LOG, logging.WARNING, "token refused", peer=address, reason=answer.value)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"{answer.value}; {ASK}")
        grant = answer.grant
        logs.event(LOG, logging.INFO, "enrolled", role=grant.role.value, client=grant.client, name=grant.name)
        return self._response(answer)

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=True)

    def _redeem(self, request: EnrollRequest) -> Admission | Refusal:
        key = public_key(request.csr)
        role = ROLES.get(request.role)
        if role is None:
            return Refusal.OTHER_ROLE
        now = self._clock()
        return redeem_token(
            self._engine, request.secret, role, now=now, certify=lambda grant: self._certify(key, grant, now)
        )

    def _certify(self, key: PublicKey, grant: Grant, now: datetime) -> Certified:
        peer = Peer(self._authority.trust_domain, grant.role, grant.name, grant.client)
        certificate = certify(self._authority, key, peer, now=now)
        return Certified(
            pem=certificate.public_bytes(serialization.Encoding.PEM),
            fingerprint=certificate.fingerprint(hashes.SHA256()),
            expires=certificate.not_valid_after_utc,
        )

    def _response(self, admission: Admission) -> EnrollResponse:
        response = EnrollResponse(
            certificate_chain=admission.certified.pem + self._authority.pem,
            ca_certificate=self._authority.pem,
            client=admission.grant.client,
            name=admission.grant.name,
        )
        response.expires.FromDatetime(admission.certified.expires)
        return response


class Guesses:
    """How many wrong tokens each address sent of late; the addresses heard of longest ago are forgotten."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allowed(self, address: str, now: float) -> bool:
        """Tell whether an address may try, at a time in seconds."""
        return self._counted(address, now) + 1 <= GUESSES

    def wrong(self, address: str, now: float) -> None:
        """Take note of a wrong token."""
        self._spent[address] = (self._counted(address, now) + 1, now)
        self._spent.move_to_end(address)
        while len(self._spent) > ADDRESSES:
            self._spent.popitem(last=False)

    def _counted(self, address: str, now: float) -> float:
        spent, then = self._spent.get(address, (0.0, now))
        return max(0.0, spent - (now - then) / REFILL_SECONDS)


def host(peer: str) -> str:
    """Return the address of a gRPC peer ("ipv4:192.0.2.1:5000") without its port."""
    return peer.rpartition(":")[0]

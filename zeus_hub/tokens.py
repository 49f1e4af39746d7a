"""One-time enrolment tokens: made by an operator, traded once for a certificate.

The hub keeps the SHA-256 of a token's secret only. All functions block on the database.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import Connection, Engine, Row, insert, select, update

from socme.errors import OperatorError
from socme.spiffe import Role
from zeus_hub import database
from zeus_hub.database import microseconds, moment, writing
from zeus_hub.registry import Watcher, check_name, client_ids, get_client, put_node, put_watcher

SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for."""

    role: Role
    """NODE or DISPLAY."""
    name: str
    """What the holder will be called."""
    client: str = ""
    """Of a node."""
    clients: frozenset[str] | None = None
    """Of a display: the clients that it will see; None: all, those to come included."""
    redacted: bool = False
    """Of a display: whether it is sent no hosts, users and addresses."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate that was made for a grant."""

    pem: bytes
    fingerprint: bytes
    """SHA-256 of its DER form."""
    expires: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """A token was good; it is used now, and the certificate is known."""

    grant: Grant
    certified: Certified


class Refusal(Enum):
    """Why a token was not taken; for the person who pasted it."""

    UNKNOWN = "this token is not known here: it was mistyped, or another hub made it"
    USED = "this token was used already: each works once, even where the answer was lost on the way"
    EXPIRED = "this token has expired"
    CLIENT_DISABLED = "the client of this token is disabled"
    OTHER_ROLE = "this token is for another program"


def create_token(
    engine: Engine, grant: Grant, *, lifetime: timedelta, now: datetime
) -> tuple[bytes, datetime]:
    """Make a token; return its secret and until when it is good. Nobody can read the secret again."""
    check_name(grant.role.value, grant.name)
    if grant.role is Role.NODE and not get_client(engine, grant.client).enabled:
        raise OperatorError(f"the client {grant.client} is disabled", "Enable it first.")
    secret = secrets.token_bytes(SECRET_BYTES)
    expires = now + lifetime
    row: dict[str, object] = {
        "secret_sha256": _digest(secret),
        "role": grant.role.value,
        "name": grant.name,
        "sees_all": grant.clients is None,
        "redacted": grant.redacted,
        "created_us": microseconds(now),
        "expires_us": microseconds(expires),
    }
    with writing(engine) as connection:
        if grant.role is Role.NODE:
            row["client_id"] = client_ids(connection, [grant.client])[0]
        table = database.token
        key = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        for client_id in client_ids(connection, grant.clients or ()):
            connection.execute(insert(database.token_client).values(token_id=key, client_id=client_id))
    return secret, expires


def redeem_token(
    engine: Engine, secret: bytes, role: Role, *, now: datetime, certify: Callable[[Grant], Certified]
) -> Admission | Refusal:
    """Trade a token for a certificate, all in one transaction.

    `certify` makes the certificate; where it raises, the token stays good.
    """
    with writing(engine) as connection:
        table = database.token
        row = connection.execute(select(table).where(table.c.secret_sha256 == _digest(secret))).one_or_none()
        if row is None:
            return Refusal.UNKNOWN
        refusal = _refusal(connection, row, role, now)
        if refusal is not None:
            return refusal
        grant = _grant(connection, row)
        certified = certify(grant)
        connection.execute(update(table).where(table.c.id == row.id).values(used_us=microseconds(now)))
        _admit(connection, row, grant, certified, now)
    return Admission(grant, certified)


def _refusal(
    connection: Connection, row: Row[tuple[object, ...]], role: Role, now: datetime
) -> Refusal | None:
    if row.role != role.value:
        return Refusal.OTHER_ROLE
    if row.used_us is not None:
        return Refusal.USED
    if moment(row.expires_us) <= now:
        return Refusal.EXPIRED
    enabled = select(database.client.c.enabled).where(database.client.c.id == row.client_id)
    if row.client_id is not None and not connection.execute(enabled).scalar_one():
        return Refusal.CLIENT_DISABLED
    return None


def _grant(connection: Connection, row: Row[tuple[object, ...]]) -> Grant:
    client, bound = database.client, database.token_client
    if row.role == Role.NODE.value:
        name = connection.execute(select(client.c.name).where(client.c.id == row.client_id)).scalar_one()
        return Grant(Role.NODE, row.name, client=name)
    names = connection.execute(
        select(client.c.name).join_from(client, bound).where(bound.c.token_id == row.id)
    ).scalars()
    seen = None if row.sees_all else frozenset(names)
    return Grant(Role(row.role), row.name, clients=seen, redacted=row.redacted)


def _admit(
    connection: Connection, row: Row[tuple[object, ...]], grant: Grant, certified: Certified, now: datetime
) -> None:
    if grant.role is Role.NODE:
        put_node(
            connection,
            row.client_id,
            grant.name,
            fingerprint=certified.fingerprint,
            enrolled=now,
            expires=certified.expires,
        )
        return
    watcher = Watcher(
        grant.role, grant.name, now, certified.expires, None, grant.clients, redacted=grant.redacted
    )
    put_watcher(connection, watcher, certified.fingerprint)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()

"""The tables of who may watch, and of tokens to come in by, for the database's schema.

What is kept of a certificate or a token never suffices to use it: a fingerprint, the hash of a secret.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
)

from zeus_hub.schema import NUMBER


def tables(metadata: MetaData) -> tuple[Table, Table, Table, Table]:
    """Add the tables to a schema: watchers and their clients, tokens and their clients."""
    watcher, token = _watcher(metadata), _token(metadata)
    return watcher, _clients(watcher), token, _clients(token)


def _watcher(metadata: MetaData) -> Table:
    # Displays and operators. Enrolling again replaces the certificate.
    return Table(
        "watcher",
        metadata,
        Column("id", NUMBER, primary_key=True),
        Column("role", String(16), nullable=False),  # "display" or "operator" (socme.spiffe.Role)
        Column("name", String(63), nullable=False),
        Column("fingerprint", LargeBinary(32), nullable=False, unique=True),
        Column("enrolled_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("revoked_us", BigInteger),
        Column("sees_all", Boolean, nullable=False),  # otherwise only the clients in watcher_client
        Column("redacted", Boolean, nullable=False, server_default=false()),  # see redact.py
        UniqueConstraint("role", "name"),
    )


def _token(metadata: MetaData) -> Table:
    # Each is good for one enrolment; the secret itself is not kept.
    return Table(
        "token",
        metadata,
        Column("id", NUMBER, primary_key=True),
        Column("secret_sha256", LargeBinary(32), nullable=False, unique=True),
        Column("role", String(16), nullable=False),  # "node" or "display"
        Column("name", String(63), nullable=False),  # what the holder will be called
        Column("client_id", ForeignKey("client.id")),  # of a node
        Column("sees_all", Boolean, nullable=False),  # of a display; otherwise the clients in token_client
        Column("redacted", Boolean, nullable=False, server_default=false()),  # of a display
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("used_us", BigInteger),
    )


def _clients(holder: Table) -> Table:
    # Which of them a watcher sees, or the holder of a token will see.
    return Table(
        f"{holder.name}_client",
        holder.metadata,
        Column(f"{holder.name}_id", ForeignKey(holder.c.id), primary_key=True),
        Column("client_id", ForeignKey("client.id"), primary_key=True),
    )

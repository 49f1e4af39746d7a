"""What is noted in a database to which a hub is moved (move.py): from where, and whether all of it is there.

It is written before anything else, so that nobody takes half a hub for a whole one. Once all is there it
stays, as a record of where the hub came from.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    inspect,
    select,
)

from socme.errors import OperatorError
from zeus_hub.proof import Proof

# Not a table of the hub's schema: it is there before that, and nowhere but where a hub was moved to.
MOVED = Table(
    "moved",
    MetaData(),
    Column("source", LargeBinary, nullable=False),  # which hub's: the identity of its journal; b"" for none
    Column("begun_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),  # NULL: not all is there
    Column("proofs", Text, nullable=False),  # what was there when it was done: a JSON object
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is noted."""

    source: bytes
    done_us: int | None
    """NULL while only a part may be there."""
    proofs: Mapping[str, Proof]
    """What each table held then, by name."""


def read(connection: Connection) -> Mark | None:
    """Return what is noted; None where no hub was moved here."""
    if not inspect(connection).has_table(MOVED.name):
        return None
    row = connection.execute(select(MOVED)).one()
    proofs = {name: Proof(**proof) for name, proof in json.loads(row.proofs).items()}
    return Mark(row.source, row.done_us, proofs)


def make(connection: Connection, source: bytes, now_us: int) -> None:
    """Note that a hub is being moved here."""
    MOVED.create(connection)
    connection.execute(MOVED.insert().values(source=source, begun_us=now_us, proofs="{}"))


def finish(connection: Connection, proofs: Mapping[str, Proof], now_us: int) -> None:
    """Note that all of it is there."""
    told = json.dumps({name: asdict(proof) for name, proof in proofs.items()})
    connection.execute(MOVED.update().values(done_us=now_us, proofs=told))


def refuse_half(engine: Engine) -> None:
    """Raise OperatorError where only a part of a hub may be in a database."""
    with engine.connect() as connection, connection.begin():
        mark = read(connection)
    if mark is not None and mark.done_us is None:
        raise OperatorError(
            f"the database {engine.url.database} holds only a part of a hub, which is being moved there",
            "Set store.url to the file that it is moved from, and run `zeus migrate --to` again: it goes on"
            " where it was.",
        )

"""How the nodes were: a day of their numbers, and a month by the hour."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AMOUNTS = ("spool", "lag", "packets", "dropped", "records", "spooled")


def upgrade() -> None:
    """Make the tables, whose keys begin with the time."""
    shares = [sa.Column(name, sa.Integer()) for name in ("cpu", "memory", "disk")]
    _table("vitals_recent", *shares, *_numbers())
    _table("vitals_quarter", sa.Column("body", sa.LargeBinary(), nullable=False))
    names = ("cpu", "cpu_most", "memory", "memory_most", "disk")
    samples = sa.Column("samples", sa.Integer(), nullable=False)
    _table("vitals_hour", samples, *(sa.Column(name, sa.Integer()) for name in names), *_numbers())


def _numbers() -> list[sa.Column[Any]]:
    amounts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in AMOUNTS]
    return [*amounts, sa.Column("clock_ms", sa.BigInteger())]


def _table(name: str, *columns: "sa.Column[Any]") -> None:
    op.create_table(
        name,
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("node_id", NUMBER, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f(f"fk_{name}_node_id")),
        sa.PrimaryKeyConstraint("seconds", "node_id", name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )

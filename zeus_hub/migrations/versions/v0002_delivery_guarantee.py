"""What became of every alert, and what each client could see."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the accounts, and how clients were."""
    _accounts()
    _vigil()


def _accounts() -> None:
    """Make what says where alerts went."""
    op.create_table(
        "tally",
        sa.Column("node_id", NUMBER, nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.Column("canaries", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("rows_before", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_tally_node_id")),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_tally")),
    )
    op.create_table(
        "ledger",
        sa.Column("node_id", NUMBER, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), nullable=False),
        sa.Column("book", sa.LargeBinary(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("unaccounted", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_ledger_node_id")),
        sa.PrimaryKeyConstraint("node_id", "source", "hour_us", "book", name=op.f("pk_ledger")),
    )
    fails = sa.text("unaccounted > 0")
    op.create_index(
        "ix_ledger_unaccounted", "ledger", ["unaccounted"], sqlite_where=fails, postgresql_where=fails
    )
    amounts = ("refused", "missing", "unstored", "rows", "told", "hours")
    op.create_table(
        "books",
        sa.Column("node_id", NUMBER, nullable=False),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in amounts),
        sa.Column("settled_by", sa.String(63), server_default="", nullable=False),
        sa.Column("settled_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_books_node_id")),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_books")),
    )
    # What was stored before anybody counted is there all the same.
    op.execute(
        "INSERT INTO tally (node_id, stored, repeated, canaries, unreadable, rows_before)"
        " SELECT node_id, 0, 0, 0, 0, count(*) FROM alert GROUP BY node_id"
    )


def _vigil() -> None:
    """Make what says how clients were."""
    op.create_table(
        "health",
        sa.Column("client", sa.String(length=63), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("health", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client", "since_us", name=op.f("pk_health")),
    )

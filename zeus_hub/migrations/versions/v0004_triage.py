"""What people do about alerts, who did what, and what a wall counts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add triage, the audit log, and the counts of what is stored."""
    op.add_column("client", sa.Column("short_name", sa.String(14), server_default="", nullable=False))
    _triage()
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(63), nullable=False),
        sa.Column("action", sa.String(63), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    _counts()


def _triage() -> None:
    """Make what says where alerts stand, and how they came there."""
    op.create_table(
        "triage",
        sa.Column("alert_number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(63), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("alert_number", name=op.f("pk_triage")),
    )
    op.create_index(op.f("ix_triage_status"), "triage", ["status"])
    owned = sa.text("owner != ''")
    op.create_index("ix_triage_owner", "triage", ["owner"], sqlite_where=owned, postgresql_where=owned)
    op.create_table(
        "triage_change",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("alert_number", sa.BigInteger(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(63), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(63), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_triage_change")),
    )
    op.create_index(op.f("ix_triage_change_alert_number"), "triage_change", ["alert_number"])


def _counts() -> None:
    """Make what is counted, and count what was stored before: a second for a million alerts.

    Tactics are counted from now on: they would have to be looked up in the bodies.
    """
    op.create_table(
        "slot",
        sa.Column("severity", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begin_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alerts", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("severity", "begin_us", "client_id", name=op.f("pk_slot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tactic",
        sa.Column("begin_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("alerts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("begin_us", "client_id", "name", name=op.f("pk_tactic")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO slot (severity, begin_us, client_id, alerts, acknowledged, closed)"
        " SELECT severity, received_us - received_us % 900000000 AS begin_us, client_id, sum(count), 0, 0"
        " FROM alert GROUP BY 1, 2, 3"
    )

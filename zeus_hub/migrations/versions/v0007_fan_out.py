"""Who is told of what: groups of alerts, silences, reports, and what is to be told to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the groups, the silences, the outbox, what came of it, and the reports."""
    op.create_table(
        "router",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("alert_number", sa.BigInteger(), nullable=False),
        sa.Column("change_number", sa.BigInteger(), nullable=False),
        sa.Column("silence_number", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_router")),
    )
    op.create_table(
        "living_group",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_living_group")),
    )
    op.create_table(
        "firing",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_firing")),
    )
    op.create_table(
        "routed",
        sa.Column("alert_number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("alert_number", name=op.f("pk_routed")),
    )
    op.create_table(
        "silence",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("client", sa.String(63), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(63), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_silence")),
    )
    op.create_index(op.f("ix_silence_until_us"), "silence", ["until_us"])
    op.create_table(
        "outbox",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("group_key", sa.String(32), nullable=False),
        sa.Column("notice_number", sa.Integer(), nullable=False),
        sa.Column("notice", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_receiver_state_number"), "outbox", ["receiver", "state", "number"])
    op.create_index(op.f("ix_outbox_group_key_receiver"), "outbox", ["group_key", "receiver"])
    op.create_index(op.f("ix_outbox_state_done_us"), "outbox", ["state", "done_us"])
    op.create_table(
        "outcome",
        sa.Column("group_key", sa.String(32), nullable=False),
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("impact", sa.String(64), nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("case_number", sa.BigInteger(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_key", "receiver", "kind", name=op.f("pk_outcome")),
    )
    op.create_index(op.f("ix_outcome_changed_us"), "outcome", ["changed_us"])
    op.create_table(
        "outcome_mark",
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("behind", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("receiver", "organisation", "kind", name=op.f("pk_outcome_mark")),
    )
    _reports()


def _reports() -> None:
    """Add the days and months that are told to people."""
    op.create_table(
        "report",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("client", sa.String(63), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("receiver", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_report")),
        sa.UniqueConstraint(
            "name", "client", "period", "receiver", name=op.f("uq_report_name_client_period_receiver")
        ),
    )
    op.create_index(op.f("ix_report_receiver_state_number"), "report", ["receiver", "state", "number"])

"""The first schema: registry, alerts, sinks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make everything."""
    _clients()
    _tokens()
    _alerts()
    _sinks()


def _clients() -> None:
    """Make what says who is known."""
    op.create_table(
        "client",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("name", name=op.f("uq_client_name")),
    )
    op.create_table(
        "node",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("client_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("enrolled_us", sa.BigInteger(), nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("vitals", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_node_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
        sa.UniqueConstraint("client_id", "name", name=op.f("uq_node_client_id_name")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_node_fingerprint")),
    )
    op.create_table(
        "watcher",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("enrolled_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("sees_all", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watcher")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_watcher_fingerprint")),
        sa.UniqueConstraint("role", "name", name=op.f("uq_watcher_role_name")),
    )
    op.create_table(
        "watcher_client",
        sa.Column("watcher_id", NUMBER, nullable=False),
        sa.Column("client_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_watcher_client_client_id")),
        sa.ForeignKeyConstraint(["watcher_id"], ["watcher.id"], name=op.f("fk_watcher_client_watcher_id")),
        sa.PrimaryKeyConstraint("watcher_id", "client_id", name=op.f("pk_watcher_client")),
    )


def _tokens() -> None:
    """Make enrolment tokens."""
    op.create_table(
        "token",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("client_id", NUMBER, nullable=True),
        sa.Column("sees_all", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_token_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_token_secret_sha256")),
    )
    op.create_table(
        "token_client",
        sa.Column("token_id", NUMBER, nullable=False),
        sa.Column("client_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_token_client_client_id")),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_token_client_token_id")),
        sa.PrimaryKeyConstraint("token_id", "client_id", name=op.f("pk_token_client")),
    )


def _alerts() -> None:
    """Make what the store fills."""
    op.create_table(
        "alert",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.Integer(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("action", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("source_ip", sa.Text(), nullable=False),
        sa.Column("source_port", NUMBER, nullable=False),
        sa.Column("destination_ip", sa.Text(), nullable=False),
        sa.Column("destination_port", NUMBER, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alert")),
        sa.UniqueConstraint("id", "node_id", name=op.f("uq_alert_id_node_id")),
    )
    op.create_index(op.f("ix_alert_client_id_time_us"), "alert", ["client_id", "time_us"], unique=False)
    op.create_index(
        "ix_alert_destination_ip",
        "alert",
        ["destination_ip"],
        unique=False,
        sqlite_where=sa.text("destination_ip != ''"),
        postgresql_where=sa.text("destination_ip != ''"),
    )
    op.create_index(
        op.f("ix_alert_received_us_client_id_severity_count"),
        "alert",
        ["received_us", "client_id", "severity", "count"],
        unique=False,
    )
    op.create_index(op.f("ix_alert_rule_id"), "alert", ["rule_id"], unique=False)
    op.create_index(op.f("ix_alert_severity_time_us"), "alert", ["severity", "time_us"], unique=False)
    op.create_index(
        "ix_alert_source_ip",
        "alert",
        ["source_ip"],
        unique=False,
        sqlite_where=sa.text("source_ip != ''"),
        postgresql_where=sa.text("source_ip != ''"),
    )
    op.create_index(op.f("ix_alert_time_us"), "alert", ["time_us"], unique=False)
    op.create_table(
        "technique",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("alert_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "alert_number", name=op.f("pk_technique")),
    )


def _sinks() -> None:
    """Make what is known of sinks."""
    op.create_table(
        "refused",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("sink", sa.String(length=63), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Integer(), nullable=False),
        sa.Column("alerts", sa.BigInteger(), nullable=False),
        sa.Column("decoded_bytes", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused")),
    )
    op.create_table(
        "sink",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("journal", sa.LargeBinary(length=16), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sink")),
    )

"""Addresses indexed by segment, techniques in one tree."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SEGMENT = 1 << 17


def upgrade() -> None:
    """Make the indexes anew that each alert rewrote a page of."""
    op.add_column("alert", sa.Column("segment", sa.Integer(), server_default="0", nullable=False))
    op.execute(f"UPDATE alert SET segment = number / {_SEGMENT} WHERE number >= {_SEGMENT}")  # noqa: S608 - a constant
    for end in ("source_ip", "destination_ip"):
        op.drop_index(f"ix_alert_{end}", "alert")
        op.create_index(op.f(f"ix_alert_segment_{end}"), "alert", ["segment", end], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        _plant_techniques()


def _plant_techniques() -> None:
    """Put techniques into one tree, their key; other databases keep rows and keys apart."""
    op.rename_table("technique", "technique_before")
    op.create_table(
        "technique",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("alert_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "alert_number", name=op.f("pk_technique")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO technique (id, alert_number)"
        " SELECT id, alert_number FROM technique_before ORDER BY id, alert_number"
    )
    op.drop_table("technique_before")

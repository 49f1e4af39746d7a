"""From when on alerts are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing was purged so far."""
    op.create_table(
        "horizon",
        sa.Column("client_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "severity", name=op.f("pk_horizon")),
    )

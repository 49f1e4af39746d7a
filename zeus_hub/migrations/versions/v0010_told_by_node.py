"""Which alerts nodes told people of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "told_by_node",
        sa.Column("alert_id", sa.LargeBinary(16), nullable=False),
        sa.Column("origin", sa.String(127), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "origin", name=op.f("pk_told_by_node")),
    )
    op.create_index(op.f("ix_told_by_node_origin"), "told_by_node", ["origin"])
    op.create_index(op.f("ix_told_by_node_told_us"), "told_by_node", ["told_us"])

"""Which screens are sent no hosts, users and addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it to screens and to the tokens for them; those of before see all, as they did."""
    for table in ("watcher", "token"):
        op.add_column(table, sa.Column("redacted", sa.Boolean(), server_default=sa.false(), nullable=False))

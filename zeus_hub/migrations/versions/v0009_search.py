"""Words of alerts are indexed, and so is each filter by time.

The words of alerts that are there are added later, by the hub that runs (zeus_hub/backfill.py).
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FTS = (
    "CREATE VIRTUAL TABLE alert_words USING"
    " fts5(said, content='', columnsize=0, detail=none, tokenize='ascii')"
)
_VECTORS = "CREATE TABLE alert_words (number bigint PRIMARY KEY, words tsvector NOT NULL)"
# Vectors are read by their index alone, which takes new ones in by the thousand.
_INDEX = "CREATE INDEX ix_alert_words ON alert_words USING gin (words)"


def upgrade() -> None:
    """Make the indices; all alerts that there are are still to be added to that of their words."""
    indexing = op.create_table(
        "indexing",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_indexing")),
    )
    op.drop_index(op.f("ix_alert_rule_id"), "alert")
    for column in ("rule_id", "node_id", "source"):
        op.create_index(op.f(f"ix_alert_{column}_time_us"), "alert", [column, "time_us"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_FTS)
        last = op.get_bind().execute(sa.text("SELECT coalesce(max(number), 0) FROM alert")).scalar_one()
        op.bulk_insert(indexing, [{"name": "fts5", "number": last}])
    else:
        op.execute(_VECTORS)
        op.execute(_INDEX)

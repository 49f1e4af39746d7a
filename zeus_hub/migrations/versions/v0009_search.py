"""Words of alerts are indexed, and so is each filter by time.

On SQLite the words of alerts that are there are added later, by the hub that runs (zeus_hub/backfill.py). On
PostgreSQL the index is made here.
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


def upgrade() -> None:
    """Make the indices; all alerts that there are are still to be added to that of their words."""
    indexing = op.create_table(
        "indexing",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("rest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_indexing")),
    )
    op.drop_index(op.f("ix_alert_rule_id"), "alert")
    for column in ("rule_id", "node_id", "source"):
        op.create_index(op.f(f"ix_alert_{column}_time_us"), "alert", [column, "time_us"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_FTS)
        last = op.get_bind().execute(sa.text("SELECT coalesce(max(number), 0) FROM alert")).scalar_one()
        op.bulk_insert(indexing, [{"name": "words", "rest": last}])
    else:
        _words()


def _words() -> None:
    """Make an index of words; words of more than 255 characters are cut where one of them may be too long."""
    apart = r"\x01-\x2f\x3a-\x60\x7b-\x7f"
    said = """(' ' || rule_name || ' ' || message || ' ' || host || ' ' || "user") COLLATE "C\""""
    cut = rf"regexp_replace({said}, '([^{apart}]{{255}})[^{apart}]+', '\1', 'g')"
    fitting = f"CASE WHEN octet_length({said}) <= 2046 THEN {said} ELSE {cut} END"
    words = f"array_to_tsvector(array_remove(regexp_split_to_array(lower({fitting}), '[{apart}]+'), ''))"
    op.get_bind().exec_driver_sql(f"CREATE INDEX ix_alert_words ON alert USING gin (({words}))")

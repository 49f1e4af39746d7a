"""The first schema."""

import re
from pathlib import Path

import pytest
from sqlalchemy import inspect

from tests.zeus_hub.engines import opened
from zeus_hub.database import METADATA

pytestmark = pytest.mark.usefixtures("both")


def test_it_makes_every_table_with_its_indices(tmp_path: Path) -> None:
    """Comparing with the metadata does not look at the conditions of indices; this does."""
    engine = opened(tmp_path)
    inspector, key = inspect(engine), f"{engine.dialect.name}_where"
    conditions = {
        index["name"]: re.sub(r"::text|[()]", "", str(index["dialect_options"][key])).replace("<>", "!=")
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
        if index.get("dialect_options", {}).get(key) is not None
    }

    ours = {name for name in inspector.get_table_names() if not name.startswith("alert_words")}
    assert ours == {*METADATA.tables, "alembic_version"}
    assert conditions == {"ix_ledger_unaccounted": "unaccounted > 0", "ix_triage_owner": "owner != ''"}

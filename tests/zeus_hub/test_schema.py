"""What all tables share."""

from zeus_hub import database, schema


def test_all_tables_are_of_one_schema() -> None:
    assert database.METADATA is schema.METADATA
    assert {"alert", "client", "triage", "triage_change", "audit", "slot", "tactic"} <= set(
        schema.METADATA.tables
    )


def test_tables_of_triage_name_no_others_by_key() -> None:
    """Alerts come and go by the thousand: none of them is looked up for a key of another table."""
    assert not any(
        schema.METADATA.tables[name].foreign_keys for name in ("triage", "triage_change", "slot", "tactic")
    )

"""The tables of how nodes were."""

from sqlalchemy import Column, Integer, MetaData, Table

from zeus_hub import samples, series


def test_they_have_what_samples_and_points_have() -> None:
    metadata = MetaData()
    Table("node", metadata, Column("id", Integer, primary_key=True))
    recent, quarter, hour = series.tables(metadata)

    assert set(recent.c.keys()) == {*samples.NAMES, "node_id"}
    assert set(hour.c.keys()) == {*samples.POINT_NAMES, "node_id"}
    assert quarter.c.keys() == ["seconds", "node_id", "body"]
    for table in (recent, quarter, hour):
        assert [column.name for column in table.primary_key] == ["seconds", "node_id"]
        assert not table.dialect_options["sqlite"]["with_rowid"]

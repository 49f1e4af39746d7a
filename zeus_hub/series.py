"""The tables of how the nodes were (see history.py), for the database's schema.

All keys begin with the time, so that what is new is written in one place and what is old is deleted in one.
Times are seconds since 1970; shares are in thousandths.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, Table

AMOUNTS = ("spool", "lag", "packets", "dropped", "records", "spooled")


def tables(metadata: MetaData) -> tuple[Table, Table, Table]:
    """Add the tables to a schema: what is not packed yet, packed quarters of an hour, and hours."""
    shares = ("cpu", "memory", "disk")
    # samples.Sample, as they come.
    recent = _table("vitals_recent", metadata, *(Column(name, Integer) for name in shares), *_numbers())
    # The samples of one node in the quarter that begins then (samples.pack).
    quarter = _table("vitals_quarter", metadata, Column("body", LargeBinary, nullable=False))
    # What they come to in the hour that begins then (samples.Point).
    hour = _table(
        "vitals_hour",
        metadata,
        Column("samples", Integer, nullable=False),
        *(Column(name, Integer) for name in ("cpu", "cpu_most", "memory", "memory_most", "disk")),
        *_numbers(),
    )
    return recent, quarter, hour


def _table(name: str, metadata: MetaData, *columns: Column[int] | Column[bytes]) -> Table:
    return Table(
        name,
        metadata,
        Column("seconds", BigInteger, primary_key=True),
        Column("node_id", ForeignKey("node.id"), primary_key=True),
        *columns,
        sqlite_with_rowid=False,
    )


def _numbers() -> list[Column[int]]:
    amounts = [Column(name, BigInteger, nullable=False) for name in AMOUNTS]
    return [*amounts, Column("clock_ms", BigInteger)]

"""Bring the database's schema up to date, in one transaction: it is done whole or not at all."""

import logging
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select

from socme import logs
from socme.errors import OperatorError

LOG = logging.getLogger("zeus.database")


def upgrade(engine: Engine, head: str) -> None:
    """Run the migrations that a database lacks, up to revision `head`; safe in several processes at once."""
    with engine.connect() as connection, connection.begin():
        if revision(connection) == head:
            return
    logging.getLogger("alembic").setLevel(logging.WARNING)  # else it tells of each of its plugins on import
    # Alembic takes a while to import: only when there is something to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        found = revision(connection)
        if found is not None and found not in known:
            raise OperatorError(
                f"the database {engine.url.database} was written by a newer version (schema {found},"
                f" this program knows {head})",
                "Update this program, or point store.url to another database.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    logs.event(LOG, logging.INFO, "database brought up to date", schema=head)


def revision(connection: Connection) -> str | None:
    """Return which schema a database has; None for none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = Table("alembic_version", MetaData(), Column("version_num", String))
    return connection.execute(select(version.c.version_num)).scalar_one_or_none()

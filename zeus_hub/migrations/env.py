"""Run by Alembic: takes the connection, and its transaction, that zeus_hub.database opened."""

from alembic import context

from zeus_hub.database import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,  # a step that fails leaves nothing behind
)
context.run_migrations()
if connection.dialect.name == "postgresql":
    from zeus_hub import postgresql

    postgresql.compare_bytes(connection, METADATA.tables.keys())

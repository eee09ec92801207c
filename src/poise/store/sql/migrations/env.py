"""Run by Alembic; the connection, in a transaction, comes from :func:`poise.store.sql.migrate.migrate`."""

from alembic import context

from poise.store.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="poise_revision",
    transactional_ddl=True,  # SQLite too can take back a CREATE TABLE
)
with context.begin_transaction():
    context.run_migrations()

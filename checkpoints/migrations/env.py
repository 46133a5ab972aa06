"""Alembic's entry: migrates over the connection it is handed, in one transaction."""

from alembic import context

from checkpoints.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: migrates over the connection it is handed, in one transaction."""

from alembic import context

from checkpoints import record_schema, schema

assert record_schema.metadata is schema.metadata, "both kinds of tables are compared"
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()

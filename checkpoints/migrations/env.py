"""Alembic's entry: migrates over the connection it is handed, in one transaction."""

from alembic import context

from checkpoints import record_schema, schema
from checkpoints.columns import metadata

assert {schema.cases.name, record_schema.audit_events.name} <= metadata.tables.keys()  # both are compared
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()

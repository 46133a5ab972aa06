"""Alembic's entry: migrates over the connection it is handed, in one transaction."""

from alembic import context

from checkpoints import limit_schema, record_schema, schema, setup_schema
from checkpoints.columns import metadata

of_each = (schema.cases, record_schema.audit_events, limit_schema.halts, setup_schema.rule_tables)
assert {table.name for table in of_each} <= metadata.tables.keys()  # all are compared
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()

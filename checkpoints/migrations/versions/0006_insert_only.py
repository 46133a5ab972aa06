"""The audit tables are only ever added to: for everybody, the owner included, a trigger refuses the rest."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("audit_events", "audit_leaves", "audit_heads", "audit_nodes", "audit_anchors")
REFUSE = """
CREATE FUNCTION countersign_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'CS002';
END $$
"""
# For each statement, so that one that would change no row is refused alike, and TRUNCATE with it.
INSERT_ONLY = """
CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION countersign_refuse_change()
"""


def upgrade() -> None:
    op.execute(REFUSE)
    for table in TABLES:
        op.execute(INSERT_ONLY.format(table=table))

"""Cases that wait for somebody outside stand still like any exception, and may be looked at again by the clock.

A case that a reviewer has asked back about waits with its review, and has no row here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STANDS = """({0}.status IN ('blocked', 'uncertain', 'failed', 'escalated')
    OR ({0}.status = 'waiting_info' AND {0}.reason IS DISTINCT FROM 'info_requested'))"""
OLD, NEW = STANDS.format("OLD"), STANDS.format("NEW")

FOLLOW = f"""
CREATE OR REPLACE FUNCTION countersign_follow_exception() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {OLD} AND NEW.status = OLD.status THEN
        UPDATE exceptions SET reason = coalesce(NEW.reason, 'unspecified'),
                              owner = coalesce(NEW.owner, 'operations')
        WHERE case_id = NEW.id AND closed_at IS NULL;
        RETURN NULL;
    END IF;
    IF {OLD} THEN
        UPDATE exceptions SET closed_at = NEW.updated_at, way = 'moved_on', closed_by = 'system:case'
        WHERE case_id = NEW.id AND closed_at IS NULL;
    END IF;
    IF {NEW} THEN
        INSERT INTO exceptions (id, case_id, number, status, reason, owner, opened_at)
        SELECT md5(NEW.id || '/' || count(*))::uuid::text, NEW.id, count(*), NEW.status,
               coalesce(NEW.reason, 'unspecified'), coalesce(NEW.owner, 'operations'), NEW.updated_at
        FROM exceptions WHERE case_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
"""  # noqa: S608 - a text of our own
FOLLOWS = f"""
CREATE TRIGGER countersign_follow_exception AFTER UPDATE ON cases FOR EACH ROW
WHEN ({OLD} OR {NEW}) EXECUTE FUNCTION countersign_follow_exception()
"""


def upgrade() -> None:
    op.add_column("exceptions", sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True))
    still_open = sa.text("closed_at IS NULL")
    op.create_index("exceptions_wake_idx", "exceptions", ["wake_at"], postgresql_where=still_open)
    op.execute(FOLLOW)
    op.execute("DROP TRIGGER countersign_follow_exception ON cases")
    op.execute(FOLLOWS)

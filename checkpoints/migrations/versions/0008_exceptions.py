"""Exceptions: a row for each case that waits for somebody, opened and closed with the case's own status."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

EXCEPTIONAL = "('blocked', 'uncertain', 'failed', 'escalated')"

FOLLOW = f"""
CREATE FUNCTION countersign_follow_exception() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN {EXCEPTIONAL} AND NEW.status = OLD.status THEN
        UPDATE exceptions SET reason = coalesce(NEW.reason, 'unspecified'),
                              owner = coalesce(NEW.owner, 'operations')
        WHERE case_id = NEW.id AND closed_at IS NULL;
        RETURN NULL;
    END IF;
    IF OLD.status IN {EXCEPTIONAL} THEN
        UPDATE exceptions SET closed_at = NEW.updated_at, way = 'moved_on', closed_by = 'system:case'
        WHERE case_id = NEW.id AND closed_at IS NULL;
    END IF;
    IF NEW.status IN {EXCEPTIONAL} THEN
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
WHEN (OLD.status IN {EXCEPTIONAL} OR NEW.status IN {EXCEPTIONAL})
EXECUTE FUNCTION countersign_follow_exception()
"""
STAY = """
CREATE FUNCTION countersign_stay_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a person has ended %', OLD.id USING ERRCODE = 'CS001';
END $$
"""
STAYS = """
CREATE TRIGGER countersign_stay_ended BEFORE UPDATE OF head ON cases FOR EACH ROW
WHEN (OLD.head IS DISTINCT FROM NEW.head AND OLD.thread_id = NEW.thread_id -- a rollback has its own
      AND (OLD.status = 'cancelled' OR (OLD.status = 'closed' AND OLD.reason = 'resolved_by_hand')))
EXECUTE FUNCTION countersign_stay_ended()
"""
# A graph that ended in one of these statuses by itself has ended; one that was stopped can still go on.
ADOPT = f"""
INSERT INTO exceptions (id, case_id, number, status, reason, owner, retryable, opened_at)
SELECT md5(id || '/0')::uuid::text, id, 0, status, coalesce(reason, 'unspecified'),
       coalesce(owner, 'operations'),
       coalesce(reason IN ('unexpected_error', 'rules_unfit', 'worker_crashes', 'stalled'), false), updated_at
FROM cases WHERE status IN {EXCEPTIONAL}
"""  # noqa: S608 - a text of our own


def upgrade() -> None:
    text, moment = sa.Text(), sa.DateTime(timezone=True)
    op.create_table(
        "exceptions",
        sa.Column("id", text, nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("owner", text, nullable=False),
        sa.Column("step", text, nullable=True),
        sa.Column("interrupt_id", text, nullable=True),
        sa.Column("retryable", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("closed_at", moment, nullable=True),
        sa.Column("way", text, nullable=True),
        sa.Column("closed_by", text, nullable=True),
        sa.Column("why", text, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("exceptions_case_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("exceptions_pkey")),
        sa.UniqueConstraint("case_id", "number", name=op.f("exceptions_case_id_number_key")),
    )
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "exceptions_open_key", "exceptions", ["case_id"], unique=True, postgresql_where=still_open
    )
    op.create_index("exceptions_open_idx", "exceptions", ["opened_at", "id"], postgresql_where=still_open)
    for statement in (ADOPT, FOLLOW, FOLLOWS, STAY, STAYS):
        op.execute(statement)

"""The first tables."""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ADVANCE = """
CREATE FUNCTION countersign_advance(
    thread text, parent text, child text, new_status text, new_reason text, new_owner text, moved_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cases SET
        head = child,
        status = coalesce(new_status, status),
        reason = CASE WHEN new_status IS NULL THEN reason ELSE new_reason END,
        owner = CASE WHEN new_status IS NULL THEN owner ELSE new_owner END,
        updated_at = moved_at
    WHERE id = thread AND head IS NOT DISTINCT FROM parent;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the parent % is not the head of %', parent, thread USING ERRCODE = 'CS001';
    END IF;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("audit_events_pkey")),
        sa.UniqueConstraint("id", name=op.f("audit_events_id_key")),
    )
    op.create_index(op.f("audit_events_case_id_seq_idx"), "audit_events", ["case_id", "seq"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("audit_heads_pkey")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("workflow_version", sa.Text(), nullable=False),
        sa.Column("event_source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("head", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("cases_pkey")),
        sa.UniqueConstraint("event_source", "event_id", name=op.f("cases_event_source_event_id_key")),
    )
    op.create_index(op.f("cases_created_at_id_idx"), "cases", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("cases_status_created_at_id_idx"), "cases", ["status", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("cases_workflow_created_at_id_idx"), "cases", ["workflow", "created_at", "id"], unique=False
    )
    op.create_table(
        "audit_leaves",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit_events.seq"], name=op.f("audit_leaves_seq_fkey")),
        sa.PrimaryKeyConstraint("index", name=op.f("audit_leaves_pkey")),
        sa.UniqueConstraint("seq", name=op.f("audit_leaves_seq_key")),
    )
    op.create_table(
        "audit_pending",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit_events.seq"], name=op.f("audit_pending_seq_fkey")),
        sa.PrimaryKeyConstraint("seq", name=op.f("audit_pending_pkey")),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("commands_case_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("commands_pkey")),
        sa.UniqueConstraint("dedupe_key", name=op.f("commands_dedupe_key_key")),
    )
    op.create_index(
        "commands_open_idx", "commands", ["case_id"], unique=False, postgresql_where="done_at IS NULL"
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("interrupt_id", sa.Text(), nullable=False),
        sa.Column("action", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("shown", postgresql.JSONB(), nullable=False),
        sa.Column("ladder", postgresql.JSONB(), nullable=False),
        sa.Column("risk", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("reviews_case_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("reviews_pkey")),
    )
    op.create_index(op.f("reviews_case_id_idx"), "reviews", ["case_id"], unique=False)
    op.create_index(op.f("reviews_opened_at_id_idx"), "reviews", ["opened_at", "id"], unique=False)
    op.create_index(
        op.f("reviews_status_opened_at_id_idx"), "reviews", ["status", "opened_at", "id"], unique=False
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("review_id", sa.Text(), nullable=True),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("action", postgresql.JSONB(), nullable=False),
        sa.Column("basis", postgresql.JSONB(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("grants_case_id_fkey")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("grants_review_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("grants_pkey")),
        sa.UniqueConstraint("review_id", name=op.f("grants_review_id_key")),
    )
    op.create_index(
        op.f("grants_case_id_proposal_id_idx"), "grants", ["case_id", "proposal_id"], unique=False
    )
    op.create_table(
        "votes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("voted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("votes_review_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("votes_pkey")),
        sa.UniqueConstraint("review_id", "person", name=op.f("votes_review_id_person_key")),
    )
    op.create_table(
        "effects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("receipt", postgresql.JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("effects_case_id_fkey")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("effects_grant_id_fkey")),
        sa.PrimaryKeyConstraint("key", name=op.f("effects_pkey")),
        sa.UniqueConstraint("grant_id", name=op.f("effects_grant_id_key")),
    )
    op.create_index(op.f("effects_case_id_idx"), "effects", ["case_id"], unique=False)
    driver = op.get_bind().connection.driver_connection  # without parameters: several statements, and % is %
    driver.execute(ADVANCE)
    driver.execute(SchemaManager.get_schema())

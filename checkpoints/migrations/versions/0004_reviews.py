"""Reviews know their ladder, their clock and who has them in hand; votes say on whose behalf and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAKE_AT = (
    "CASE WHEN status <> 'open' THEN NULL"
    " WHEN paused_at IS NOT NULL THEN LEAST(info_until, expires_at)"
    " ELSE LEAST(remind_at, due_at, expires_at) END"
)
AMOUNT_RANK = "COALESCE(amount_minor, '-1'::bigint)"
RISK_RANK = "CASE risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
FILL_REVIEWS = """
UPDATE reviews SET
    tool = action ->> 'tool', rule = shown #>> '{verdict,row}', reversible = false,
    title = (SELECT title FROM cases WHERE cases.id = reviews.case_id),
    roles = ARRAY(SELECT rung ->> 'role' FROM jsonb_array_elements(ladder) AS rung),
    due_seconds = extract(epoch FROM due_at - opened_at)::integer, due_working = false
"""
FILL_VOTES = "UPDATE votes SET humans = ARRAY[regexp_replace(person, '^person:', '')], rung = 0"
TELL = """
CREATE FUNCTION countersign_tell_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('countersign_reviews', json_build_object('id', NEW.id, 'version', NEW.version)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER reviews_tell AFTER INSERT OR UPDATE ON reviews
FOR EACH ROW EXECUTE FUNCTION countersign_tell_review()
"""


def upgrade() -> None:
    text, whole, moment = sa.Text(), sa.Integer(), sa.DateTime(timezone=True)
    new = {
        "tool": text,
        "rule": text,
        "title": text,
        "roles": postgresql.ARRAY(sa.Text()),
        "reversible": sa.Boolean(),
        "against": text,
        "due_seconds": whole,
        "due_working": sa.Boolean(),
        "remind_at": moment,
        "claimed_by": text,
        "claimed_until": moment,
        "assigned_by": text,
        "paused_at": moment,
        "asked_by": text,
        "info_until": moment,
    }
    for name, kind in new.items():
        op.add_column("reviews", sa.Column(name, kind, nullable=True))
    op.add_column("reviews", sa.Column("kind", sa.Text(), server_default="gate", nullable=False))
    op.add_column("reviews", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.execute(FILL_REVIEWS)
    for name in ("tool", "title", "roles", "reversible", "due_seconds", "due_working"):
        op.alter_column("reviews", name, nullable=False)
    op.alter_column("reviews", "expires_at", nullable=True)
    op.add_column("reviews", sa.Column("wake_at", moment, sa.Computed(WAKE_AT, persisted=True)))
    op.add_column(
        "reviews", sa.Column("amount_rank", sa.BigInteger(), sa.Computed(AMOUNT_RANK, persisted=True))
    )
    op.add_column("reviews", sa.Column("risk_rank", whole, sa.Computed(RISK_RANK, persisted=True)))
    for name in ("due_at", "amount_rank", "risk_rank"):
        op.create_index(op.f(f"reviews_status_{name}_id_idx"), "reviews", ["status", name, "id"])
    op.create_index(
        "reviews_wake_at_idx", "reviews", ["wake_at", "id"], postgresql_where=sa.text("wake_at IS NOT NULL")
    )
    op.get_bind().connection.driver_connection.execute(TELL)

    for name, kind in {
        "humans": postgresql.ARRAY(sa.Text()),
        "on_behalf_of": text,
        "delegation": text,
        "rung": whole,
        "reason_code": text,
        "patch": postgresql.JSONB(),
    }.items():
        op.add_column("votes", sa.Column(name, kind, nullable=True))
    op.execute(FILL_VOTES)
    op.alter_column("votes", "humans", nullable=False)
    op.alter_column("votes", "role", nullable=True)
    op.drop_constraint("votes_review_id_person_key", "votes")
    op.create_index(op.f("votes_review_id_idx"), "votes", ["review_id"])
    op.create_index(
        "votes_decided_once_key",
        "votes",
        ["review_id", "person"],
        unique=True,
        postgresql_where=sa.text("kind IN ('approve', 'override', 'break_glass', 'reject')"),
    )
    op.create_index("votes_humans_idx", "votes", ["humans"], postgresql_using="gin")

    op.create_table(
        "delegations",
        sa.Column("id", text, nullable=False),
        sa.Column("from_person", text, nullable=False),
        sa.Column("to_person", text, nullable=False),
        sa.Column("workflow", text, nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", text, nullable=True),
        sa.Column("reason", text, nullable=False),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("revoked_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("delegations_pkey")),
    )
    op.create_index(op.f("delegations_to_person_idx"), "delegations", ["to_person"])
    op.create_index(op.f("delegations_from_person_idx"), "delegations", ["from_person"])

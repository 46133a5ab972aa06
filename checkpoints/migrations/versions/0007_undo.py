"""Decisions can be taken back while they are held, and deeds can be undone on a thread of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _threads()
    _holds()
    op.add_column("effects", sa.Column("undoes", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("effects_undoes_fkey"), "effects", "effects", ["undoes"], ["key"])


def _threads() -> None:
    op.add_column("cases", sa.Column("thread_id", sa.Text(), nullable=True))
    op.execute("UPDATE cases SET thread_id = id")
    op.alter_column("cases", "thread_id", nullable=False)
    op.add_column("cases", sa.Column("rollback", postgresql.JSONB(), nullable=True))
    op.add_column("commands", sa.Column("run_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("commands", sa.Column("batch", sa.Text(), nullable=True))
    op.create_index(
        "commands_batch_idx", "commands", ["batch"], postgresql_where=sa.text("batch IS NOT NULL")
    )


def _holds() -> None:
    op.add_column("reviews", sa.Column("hold_seconds", sa.Integer(), server_default="0", nullable=False))
    op.add_column("reviews", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
    for name in ("usable_from", "revoked_at"):
        op.add_column("grants", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("grants_review_id_key"), "grants")
    op.create_index(
        "grants_review_id_key",
        "grants",
        ["review_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("vote_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name=op.f("withdrawals_vote_id_fkey")),
        sa.PrimaryKeyConstraint("vote_id", name=op.f("withdrawals_pkey")),
    )
    op.add_column("votes", sa.Column("attempt", sa.Integer(), server_default="0", nullable=False))
    op.drop_index("votes_decided_once_key", "votes")
    op.create_index(
        "votes_decided_once_key",
        "votes",
        ["review_id", "person", "attempt"],
        unique=True,
        postgresql_where=sa.text("kind IN ('approve', 'override', 'break_glass', 'reject')"),
    )

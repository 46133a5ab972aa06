"""The outbox of notices, and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit_events.seq"], name=op.f("outbox_seq_fkey")),
        sa.PrimaryKeyConstraint("seq", name=op.f("outbox_pkey")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("review_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["audit_events.id"], name=op.f("deliveries_event_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
        sa.UniqueConstraint(
            "event_id", "channel", "recipient", name=op.f("deliveries_event_id_channel_recipient_key")
        ),
    )
    op.create_index(
        "deliveries_due_idx",
        "deliveries",
        ["channel", "next_at"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_index(op.f("deliveries_created_at_id_idx"), "deliveries", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("deliveries_state_created_at_id_idx"), "deliveries", ["state", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("deliveries_recipient_created_at_idx"), "deliveries", ["recipient", "created_at"], unique=False
    )

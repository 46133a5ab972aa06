"""Rule tables have versions, cases keep the ones they began with, deeds name who proposed them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_tables",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=True),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("drafted_eyes", sa.Text(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("rule_tables_pkey")),
        sa.UniqueConstraint(
            "workflow", "tool", "version", name=op.f("rule_tables_workflow_tool_version_key")
        ),
    )
    op.create_index(op.f("rule_tables_drafted_at_digest_idx"), "rule_tables", ["drafted_at", "digest"])
    op.create_index(
        "rule_tables_in_force_key",
        "rule_tables",
        ["workflow", "tool"],
        unique=True,
        postgresql_where=sa.text("state = 'in_force'"),
    )
    op.add_column(
        "cases", sa.Column("rules", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("effects", sa.Column("proposer", sa.Text(), nullable=True))
    op.execute(
        "UPDATE effects e SET proposer = g.action ->> 'proposer' FROM grants g WHERE g.id = e.grant_id"
    )
    op.alter_column("effects", "proposer", nullable=False)
    op.create_index(
        op.f("effects_proposer_tool_intended_at_idx"), "effects", ["proposer", "tool", "intended_at"]
    )

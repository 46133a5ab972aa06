"""Tools from outside are admitted by people, each as it was described then."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text, moment = sa.Text(), sa.DateTime(timezone=True)
    op.create_table(
        "tool_admissions",
        sa.Column("id", text, primary_key=True),
        sa.Column("tool", text, nullable=False),
        sa.Column("system", text, nullable=False),
        sa.Column("digest", text, nullable=False),
        sa.Column("effect", text, nullable=False),
        sa.Column("definition", JSONB(), nullable=False),
        sa.Column("changes", JSONB(), nullable=False),
        sa.Column("admitted_by", text, nullable=False),
        sa.Column("admitted_at", moment, nullable=False),
        sa.Column("ended_by", text, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
    )
    op.create_index("tool_admissions_tool_admitted_at_idx", "tool_admissions", ["tool", "admitted_at"])
    in_force = sa.text("ended_at IS NULL")
    op.create_index(
        "tool_admissions_in_force_key", "tool_admissions", ["tool"], unique=True, postgresql_where=in_force
    )

"""Triggers: how far tables and folders were looked at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _at(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def upgrade() -> None:
    op.create_table(
        "triggers",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("mark", JSONB(), nullable=False),
        _at("looked_at"),
        _at("wake_at"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("reason", sa.Text(), nullable=True),
        _at("reason_at"),
    )

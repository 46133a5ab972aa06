"""Schedules: cases that begin at a time, once or again and again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _at(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), primary_key=True),
        _text("workflow"),
        _text("name"),
        _text("cron", nullable=True),
        _text("timezone"),
        _text("missed"),
        sa.Column("data", JSONB(), nullable=False),
        _text("created_by"),
        _at("created_at", nullable=False),
        _at("next_at"),
        _at("wake_at"),
        _at("last_at"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        _at("paused_at"),
        _text("paused_by", nullable=True),
        _text("refusal", nullable=True),
        sa.UniqueConstraint("name"),
    )
    op.create_index("schedules_wake_at_id_idx", "schedules", ["wake_at", "id"])

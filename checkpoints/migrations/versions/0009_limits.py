"""What cases, agents and workflows spend is counted; a stop switch; cases know which case opened them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("parent_id", sa.Text(), nullable=True))
    op.add_column("cases", sa.Column("depth", sa.Integer(), server_default="0", nullable=False))
    op.create_foreign_key(op.f("cases_parent_id_fkey"), "cases", "cases", ["parent_id"], ["id"])
    _usage()
    _halts()
    _waits()


def _usage() -> None:
    text = sa.Text()
    op.create_table(
        "usage",
        sa.Column("id", text, nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("workflow", text, nullable=False),
        sa.Column("agent", text, nullable=True),
        sa.Column("kind", text, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", text, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("usage_case_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("usage_pkey")),
    )
    op.create_index(op.f("usage_case_id_kind_idx"), "usage", ["case_id", "kind"])
    op.create_index(op.f("usage_workflow_kind_at_idx"), "usage", ["workflow", "kind", "at"])


def _halts() -> None:
    text, moment = sa.Text(), sa.DateTime(timezone=True)
    op.create_table(
        "halts",
        sa.Column("id", text, nullable=False),
        sa.Column("scope", text, nullable=False),
        sa.Column("target", text, nullable=True),
        sa.Column("reason_code", text, nullable=False),
        sa.Column("operators_words", text, nullable=True),
        sa.Column("pressed_by", text, nullable=False),
        sa.Column("pressed_at", moment, nullable=False),
        sa.Column("released_by", text, nullable=True),
        sa.Column("released_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("halts_pkey")),
    )
    op.create_index(op.f("halts_pressed_at_id_idx"), "halts", ["pressed_at", "id"])
    in_force = sa.text("released_at IS NULL")
    op.create_index("halts_in_force_idx", "halts", ["scope", "target"], postgresql_where=in_force)


def _waits() -> None:
    text, moment = sa.Text(), sa.DateTime(timezone=True)
    op.create_table(
        "halt_waits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("command_id", text, nullable=True),
        sa.Column("interrupt_id", text, nullable=True),
        sa.Column("workflow", text, nullable=False),
        sa.Column("agent", text, nullable=True),
        sa.Column("tool", text, nullable=True),
        sa.Column("since", moment, nullable=False),
        sa.Column("woken_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("halt_waits_case_id_fkey")),
        sa.ForeignKeyConstraint(["command_id"], ["commands.id"], name=op.f("halt_waits_command_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("halt_waits_pkey")),
    )
    op.create_index(op.f("halt_waits_case_id_idx"), "halt_waits", ["case_id"])
    for name, columns, what in (
        ("halt_waits_interrupt_key", ["case_id", "interrupt_id"], "interrupt_id"),
        ("halt_waits_command_key", ["command_id"], "command_id"),
    ):
        waiting = sa.text(f"woken_at IS NULL AND {what} IS NOT NULL")
        op.create_index(name, "halt_waits", columns, unique=True, postgresql_where=waiting)

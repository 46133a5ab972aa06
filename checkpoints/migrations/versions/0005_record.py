"""Personal values are kept apart under commitments; the tree has stored nodes, signed heads and anchors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GIVE_KEYS = """
UPDATE cases SET sealing_key = replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
"""


def upgrade() -> None:
    text, moment = sa.Text(), sa.DateTime(timezone=True)
    op.add_column("cases", sa.Column("sealing_key", text, nullable=True))
    op.execute(GIVE_KEYS)
    op.alter_column("cases", "sealing_key", nullable=False)
    op.create_table(
        "sealed_values",
        sa.Column("commitment", text, nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("field", text, nullable=False),
        sa.Column("salt", text, nullable=True),
        sa.Column("value", postgresql.JSONB(), nullable=True),
        sa.Column("sealed_at", moment, nullable=False),
        sa.Column("erased_at", moment, nullable=True),
        sa.Column("erased_by", text, nullable=True),
        sa.Column("erased_why", text, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("sealed_values_case_id_fkey")),
        sa.PrimaryKeyConstraint("commitment", name=op.f("sealed_values_pkey")),
    )
    op.create_index(op.f("sealed_values_case_id_idx"), "sealed_values", ["case_id"])
    op.create_index(
        "sealed_values_kept_idx",
        "sealed_values",
        ["field", "sealed_at"],
        postgresql_where=sa.text("erased_at IS NULL"),
    )

    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("audit_nodes_pkey")),
    )
    op.add_column("audit_heads", sa.Column("note", text, nullable=True))
    op.create_table(
        "audit_anchors",
        sa.Column("anchor", text, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("anchor", "size", name=op.f("audit_anchors_pkey")),
    )

"""Crashes of a command are counted anew whenever its case has come further."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("commands", sa.Column("crashed_head", sa.Text(), nullable=True))
    op.add_column("commands", sa.Column("crashes_of_head", sa.Integer(), nullable=False, server_default="0"))

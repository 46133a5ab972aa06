"""What a case costs does not grow with those before it: words of reviews, narrower indexes, pruned threads."""

import string

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MARKS = string.punctuation.replace("'", "''")
WORDS = (
    "to_tsvector('simple'::regconfig, left(translate("
    "title || ' ' || id || ' ' || case_id || ' ' || tool || ' ' || coalesce(rule, '') || ' '"
    r" || coalesce(regexp_replace((action -> 'arguments')::text, '\\.', ' ', 'g'), ''), "
    f"'{MARKS}', repeat(' ', {len(string.punctuation)})), 100000))"
)


def upgrade() -> None:
    op.add_column("cases", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    ended = "pruned_at IS NULL AND status IN ('closed', 'rejected', 'cancelled', 'rolled_back')"
    op.create_index("cases_prunable_idx", "cases", ["created_at"], postgresql_where=sa.text(ended))

    op.add_column(
        "reviews", sa.Column("words", TSVECTOR(), sa.Computed(WORDS, persisted=True), nullable=True)
    )
    at_once = {"fastupdate": "off"}
    op.create_index(
        "reviews_words_idx", "reviews", ["words"], postgresql_using="gin", postgresql_with=at_once
    )
    op.create_index(
        "reviews_open_words_idx",
        "reviews",
        ["words"],
        postgresql_using="gin",
        postgresql_with=at_once,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("reviews_workflow_opened_at_idx", "reviews", ["workflow", "opened_at"])

    op.create_index("commands_case_id_idx", "commands", ["case_id"])
    doubtful = sa.text("state IN ('intended', 'unknown')")
    op.create_index("effects_doubtful_idx", "effects", ["case_id"], postgresql_where=doubtful)

    op.create_index("votes_voted_at_idx", "votes", ["voted_at"])
    op.drop_index("votes_humans_idx", "votes")

"""The tables of the work, beside LangGraph's and Procrastinate's; record_schema has those of the record."""

import string

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from checkpoints.columns import at_column, case_column, json_column, metadata, text_column

WAKE_AT = (
    "CASE WHEN status <> 'open' THEN NULL"
    " WHEN paused_at IS NOT NULL THEN LEAST(info_until, expires_at)"
    " ELSE LEAST(remind_at, due_at, expires_at) END"
)
"""When time next does something to a review."""
AMOUNT_RANK = "COALESCE(amount_minor, '-1'::bigint)"
RISK_RANK = "CASE risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
"""By which lists of reviews are sorted, so that an index serves them."""
MARKS = string.punctuation
"""What stands between words, in reviews as in what they are searched for."""
_SAID = (
    "title || ' ' || id || ' ' || case_id || ' ' || tool || ' ' || coalesce(rule, '') || ' '"
    r" || coalesce(regexp_replace((action -> 'arguments')::text, '\\.', ' ', 'g'), '')"
)
_MOST_SAID = 100_000  # a tsvector holds a megabyte, and a row with more of it would be refused
_QUOTED = MARKS.replace("'", "''")
WORDS = (
    f"to_tsvector('simple'::regconfig, left(translate({_SAID}, "
    f"'{_QUOTED}', repeat(' ', {len(MARKS)})), {_MOST_SAID}))"
)
"""The words of a review: of its title, its ids and its arguments, as JSON without its escapes."""

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("workflow"),
    text_column("workflow_version"),
    text_column("event_source"),
    text_column("event_id"),
    json_column("event"),
    Column("rules", JSONB(none_as_null=True), nullable=False, server_default="{}"),
    text_column("title"),
    text_column("opened_by"),
    text_column("status"),
    text_column("reason", nullable=True),
    text_column("owner", nullable=True),
    text_column("head", nullable=True),
    text_column("thread_id"),
    json_column("rollback", nullable=True),
    text_column("sealing_key"),
    Column("parent_id", Text, ForeignKey("cases.id"), nullable=True),
    Column("depth", Integer, nullable=False, server_default="0"),
    at_column("created_at", nullable=False),
    at_column("updated_at", nullable=False),
    at_column("pruned_at"),
    UniqueConstraint("event_source", "event_id"),
    Index(None, "created_at", "id"),
    Index(None, "status", "created_at", "id"),
    Index(None, "workflow", "created_at", "id"),
    Index(
        "cases_prunable_idx",
        "created_at",  # not updated_at: a row whose indexed columns stay is updated without touching indexes
        postgresql_where="pruned_at IS NULL AND status IN ('closed', 'rejected', 'cancelled', 'rolled_back')",
    ),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Text, primary_key=True),
    case_column(),
    text_column("kind"),
    text_column("dedupe_key"),
    json_column("payload"),
    at_column("created_at", nullable=False),
    Column("crashes", Integer, nullable=False, server_default="0"),
    at_column("done_at"),
    text_column("outcome", nullable=True),
    at_column("run_at"),
    text_column("batch", nullable=True),
    UniqueConstraint("dedupe_key"),
    Index("commands_batch_idx", "batch", postgresql_where="batch IS NOT NULL"),
    Index(None, "case_id"),
    Index("commands_open_idx", "case_id", postgresql_where="done_at IS NULL"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Text, primary_key=True),
    case_column(),
    text_column("kind", default="gate"),
    text_column("workflow"),
    text_column("interrupt_id"),
    text_column("tool"),
    text_column("rule", nullable=True),
    text_column("title"),
    json_column("action"),
    text_column("digest"),
    json_column("shown"),
    json_column("ladder"),
    Column("roles", ARRAY(Text), nullable=False),
    text_column("risk"),
    Column("reversible", Boolean, nullable=False),
    text_column("against", nullable=True),
    Column("amount_minor", BigInteger, nullable=True),
    text_column("currency", nullable=True),
    text_column("status"),
    Column("version", Integer, nullable=False, server_default="1"),
    at_column("opened_at", nullable=False),
    at_column("due_at", nullable=False),
    Column("due_seconds", Integer, nullable=False),
    Column("due_working", Boolean, nullable=False),
    at_column("remind_at"),
    at_column("expires_at"),
    at_column("decided_at"),
    text_column("claimed_by", nullable=True),
    at_column("claimed_until"),
    text_column("assigned_by", nullable=True),
    at_column("paused_at"),
    text_column("asked_by", nullable=True),
    at_column("info_until"),
    Column("hold_seconds", Integer, nullable=False, server_default="0"),
    at_column("held_until"),
    Column("wake_at", DateTime(timezone=True), Computed(WAKE_AT, persisted=True), nullable=True),
    Column("amount_rank", BigInteger, Computed(AMOUNT_RANK, persisted=True), nullable=True),
    Column("risk_rank", Integer, Computed(RISK_RANK, persisted=True), nullable=True),
    Column("words", TSVECTOR, Computed(WORDS, persisted=True), nullable=True),
    Index(None, "opened_at", "id"),
    Index(None, "status", "opened_at", "id"),
    Index(None, "status", "due_at", "id"),
    Index(None, "status", "amount_rank", "id"),
    Index(None, "status", "risk_rank", "id"),
    Index(None, "case_id"),
    Index(None, "workflow", "opened_at"),
    # Without its list of what is not sorted in yet, which every search reads from end to end.
    Index("reviews_words_idx", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    Index("reviews_wake_at_idx", "wake_at", "id", postgresql_where="wake_at IS NOT NULL"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("review_id", Text, ForeignKey("reviews.id"), nullable=False),
    text_column("person"),
    Column("humans", ARRAY(Text), nullable=False),
    text_column("on_behalf_of", nullable=True),
    text_column("delegation", nullable=True),
    text_column("role", nullable=True),
    Column("rung", Integer, nullable=True),
    text_column("kind"),
    text_column("digest"),
    text_column("reason_code", nullable=True),
    text_column("comment", nullable=True),
    json_column("patch", nullable=True),
    at_column("voted_at", nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Index(None, "review_id"),
    Index(
        "votes_decided_once_key",
        "review_id",
        "person",
        "attempt",
        unique=True,
        postgresql_where="kind IN ('approve', 'override', 'break_glass', 'reject')",
    ),
    Index(None, "voted_at"),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("vote_id", Text, ForeignKey("votes.id"), primary_key=True),
    text_column("by"),
    at_column("at", nullable=False),
)

delegations = Table(
    "delegations",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("from_person"),
    text_column("to_person"),
    text_column("workflow", nullable=True),
    Column("amount_minor", BigInteger, nullable=True),
    text_column("currency", nullable=True),
    text_column("reason"),
    at_column("starts_at", nullable=False),
    at_column("ends_at", nullable=False),
    at_column("created_at", nullable=False),
    at_column("revoked_at"),
    Index(None, "to_person"),
    Index(None, "from_person"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    case_column(),
    Column("review_id", Text, ForeignKey("reviews.id"), nullable=True),
    text_column("proposal_id"),
    text_column("digest"),
    json_column("action"),
    json_column("basis"),
    at_column("issued_at", nullable=False),
    at_column("expires_at", nullable=False),
    at_column("used_at"),
    at_column("usable_from"),
    at_column("revoked_at"),
    Index("grants_review_id_key", "review_id", unique=True, postgresql_where="revoked_at IS NULL"),
    Index(None, "case_id", "proposal_id"),
)

effects = Table(
    "effects",
    metadata,
    Column("key", Text, primary_key=True),
    case_column(),
    Column("grant_id", Text, ForeignKey("grants.id"), nullable=False, unique=True),
    text_column("proposer"),
    text_column("tool"),
    text_column("tool_version"),
    json_column("arguments"),
    text_column("digest"),
    text_column("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    json_column("receipt", nullable=True),
    text_column("error", nullable=True),
    at_column("intended_at", nullable=False),
    at_column("ended_at"),
    Column("undoes", Text, ForeignKey("effects.key"), nullable=True),
    Index(None, "case_id"),
    Index(None, "proposer", "tool", "intended_at"),
    Index("effects_doubtful_idx", "case_id", postgresql_where="state IN ('intended', 'unknown')"),
)

exceptions = Table(
    "exceptions",
    metadata,
    Column("id", Text, primary_key=True),
    case_column(),
    Column("number", Integer, nullable=False),
    text_column("status"),
    text_column("reason"),
    text_column("owner"),
    text_column("step", nullable=True),
    text_column("interrupt_id", nullable=True),
    Column("retryable", Boolean, nullable=False, server_default="true"),
    at_column("opened_at", nullable=False),
    at_column("closed_at"),
    text_column("way", nullable=True),
    text_column("closed_by", nullable=True),
    text_column("why", nullable=True),
    at_column("wake_at"),
    UniqueConstraint("case_id", "number"),
    Index("exceptions_wake_idx", "wake_at", postgresql_where="closed_at IS NULL"),
    Index("exceptions_open_key", "case_id", unique=True, postgresql_where="closed_at IS NULL"),
    Index("exceptions_open_idx", "opened_at", "id", postgresql_where="closed_at IS NULL"),
)

rule_tables = Table(
    "rule_tables",
    metadata,
    Column("digest", Text, primary_key=True),
    text_column("workflow"),
    text_column("tool"),
    text_column("version"),
    text_column("source"),
    text_column("state"),
    text_column("replaces", nullable=True),
    json_column("changes"),
    text_column("note"),
    text_column("drafted_by"),
    text_column("drafted_eyes"),
    at_column("drafted_at", nullable=False),
    text_column("decided_by", nullable=True),
    at_column("decided_at"),
    Index(None, "drafted_at", "digest"),
    Index("rule_tables_in_force_key", "workflow", "tool", unique=True, postgresql_where="state = 'in_force'"),
    UniqueConstraint("workflow", "tool", "version"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("workflow"),
    text_column("name"),
    text_column("cron", nullable=True),
    text_column("timezone"),
    text_column("missed"),
    json_column("data"),
    text_column("created_by"),
    at_column("created_at", nullable=False),
    at_column("next_at"),
    at_column("wake_at"),
    at_column("last_at"),
    Column("tries", Integer, nullable=False, server_default="0"),
    at_column("paused_at"),
    text_column("paused_by", nullable=True),
    text_column("refusal", nullable=True),
    UniqueConstraint("name"),
    Index(None, "wake_at", "id"),
)

tool_admissions = Table(
    "tool_admissions",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("tool"),
    text_column("system"),
    text_column("digest"),
    text_column("effect"),
    json_column("definition"),
    json_column("changes"),
    text_column("admitted_by"),
    at_column("admitted_at", nullable=False),
    text_column("ended_by", nullable=True),
    at_column("ended_at"),
    Index(None, "tool", "admitted_at"),
    Index("tool_admissions_in_force_key", "tool", unique=True, postgresql_where="ended_at IS NULL"),
)

triggers = Table(
    "triggers",
    metadata,
    Column("name", Text, primary_key=True),
    json_column("mark"),
    at_column("looked_at"),
    at_column("wake_at"),
    Column("tries", Integer, nullable=False, server_default="0"),
    text_column("reason", nullable=True),
    at_column("reason_at"),
)

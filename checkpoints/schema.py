"""The tables of our own, beside LangGraph's and Procrastinate's. This is their map."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


WAKE_AT = (
    "CASE WHEN status <> 'open' THEN NULL"
    " WHEN paused_at IS NOT NULL THEN LEAST(info_until, expires_at)"
    " ELSE LEAST(remind_at, due_at, expires_at) END"
)
"""When time next does something to a review."""
AMOUNT_RANK = "COALESCE(amount_minor, '-1'::bigint)"
RISK_RANK = "CASE risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
"""By which lists of reviews are sorted, so that an index serves them."""


def _at(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _json(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, JSONB(none_as_null=True), nullable=nullable)


def _case_id(*, nullable: bool = False) -> Column[str]:
    return Column("case_id", Text, ForeignKey("cases.id"), nullable=nullable)


cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    _text("workflow"),
    _text("workflow_version"),
    _text("event_source"),
    _text("event_id"),
    _json("event"),
    Column("rules", JSONB(none_as_null=True), nullable=False, server_default="{}"),
    _text("title"),
    _text("opened_by"),
    _text("status"),
    _text("reason", nullable=True),
    _text("owner", nullable=True),
    _text("head", nullable=True),
    _text("sealing_key"),
    _at("created_at", nullable=False),
    _at("updated_at", nullable=False),
    UniqueConstraint("event_source", "event_id"),
    Index(None, "created_at", "id"),
    Index(None, "status", "created_at", "id"),
    Index(None, "workflow", "created_at", "id"),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Text, primary_key=True),
    _case_id(),
    _text("kind"),
    _text("dedupe_key"),
    _json("payload"),
    _at("created_at", nullable=False),
    Column("crashes", Integer, nullable=False, server_default="0"),
    _at("done_at"),
    _text("outcome", nullable=True),
    UniqueConstraint("dedupe_key"),
    Index("commands_open_idx", "case_id", postgresql_where="done_at IS NULL"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Text, primary_key=True),
    _case_id(),
    _text("kind", default="gate"),
    _text("workflow"),
    _text("interrupt_id"),
    _text("tool"),
    _text("rule", nullable=True),
    _text("title"),
    _json("action"),
    _text("digest"),
    _json("shown"),
    _json("ladder"),
    Column("roles", ARRAY(Text), nullable=False),
    _text("risk"),
    Column("reversible", Boolean, nullable=False),
    _text("against", nullable=True),
    Column("amount_minor", BigInteger, nullable=True),
    _text("currency", nullable=True),
    _text("status"),
    Column("version", Integer, nullable=False, server_default="1"),
    _at("opened_at", nullable=False),
    _at("due_at", nullable=False),
    Column("due_seconds", Integer, nullable=False),
    Column("due_working", Boolean, nullable=False),
    _at("remind_at"),
    _at("expires_at"),
    _at("decided_at"),
    _text("claimed_by", nullable=True),
    _at("claimed_until"),
    _text("assigned_by", nullable=True),
    _at("paused_at"),
    _text("asked_by", nullable=True),
    _at("info_until"),
    Column("wake_at", DateTime(timezone=True), Computed(WAKE_AT, persisted=True), nullable=True),
    Column("amount_rank", BigInteger, Computed(AMOUNT_RANK, persisted=True), nullable=True),
    Column("risk_rank", Integer, Computed(RISK_RANK, persisted=True), nullable=True),
    Index(None, "opened_at", "id"),
    Index(None, "status", "opened_at", "id"),
    Index(None, "status", "due_at", "id"),
    Index(None, "status", "amount_rank", "id"),
    Index(None, "status", "risk_rank", "id"),
    Index(None, "case_id"),
    Index("reviews_wake_at_idx", "wake_at", "id", postgresql_where="wake_at IS NOT NULL"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("review_id", Text, ForeignKey("reviews.id"), nullable=False),
    _text("person"),
    Column("humans", ARRAY(Text), nullable=False),
    _text("on_behalf_of", nullable=True),
    _text("delegation", nullable=True),
    _text("role", nullable=True),
    Column("rung", Integer, nullable=True),
    _text("kind"),
    _text("digest"),
    _text("reason_code", nullable=True),
    _text("comment", nullable=True),
    _json("patch", nullable=True),
    _at("voted_at", nullable=False),
    Index(None, "review_id"),
    Index(
        "votes_decided_once_key",
        "review_id",
        "person",
        unique=True,
        postgresql_where="kind IN ('approve', 'override', 'break_glass', 'reject')",
    ),
    Index("votes_humans_idx", "humans", postgresql_using="gin"),
)

delegations = Table(
    "delegations",
    metadata,
    Column("id", Text, primary_key=True),
    _text("from_person"),
    _text("to_person"),
    _text("workflow", nullable=True),
    Column("amount_minor", BigInteger, nullable=True),
    _text("currency", nullable=True),
    _text("reason"),
    _at("starts_at", nullable=False),
    _at("ends_at", nullable=False),
    _at("created_at", nullable=False),
    _at("revoked_at"),
    Index(None, "to_person"),
    Index(None, "from_person"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    _case_id(),
    Column("review_id", Text, ForeignKey("reviews.id"), nullable=True, unique=True),
    _text("proposal_id"),
    _text("digest"),
    _json("action"),
    _json("basis"),
    _at("issued_at", nullable=False),
    _at("expires_at", nullable=False),
    _at("used_at"),
    Index(None, "case_id", "proposal_id"),
)

effects = Table(
    "effects",
    metadata,
    Column("key", Text, primary_key=True),
    _case_id(),
    Column("grant_id", Text, ForeignKey("grants.id"), nullable=False, unique=True),
    _text("proposer"),
    _text("tool"),
    _text("tool_version"),
    _json("arguments"),
    _text("digest"),
    _text("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _json("receipt", nullable=True),
    _text("error", nullable=True),
    _at("intended_at", nullable=False),
    _at("ended_at"),
    Index(None, "case_id"),
    Index(None, "proposer", "tool", "intended_at"),
)

rule_tables = Table(
    "rule_tables",
    metadata,
    Column("digest", Text, primary_key=True),
    _text("workflow"),
    _text("tool"),
    _text("version"),
    _text("source"),
    _text("state"),
    _text("replaces", nullable=True),
    _json("changes"),
    _text("note"),
    _text("drafted_by"),
    _text("drafted_eyes"),
    _at("drafted_at", nullable=False),
    _text("decided_by", nullable=True),
    _at("decided_at"),
    Index(None, "drafted_at", "digest"),
    Index("rule_tables_in_force_key", "workflow", "tool", unique=True, postgresql_where="state = 'in_force'"),
    UniqueConstraint("workflow", "tool", "version"),
)

sealed_values = Table(
    "sealed_values",
    metadata,
    Column("commitment", Text, primary_key=True),
    _case_id(),
    _text("field"),
    _text("salt", nullable=True),
    _json("value", nullable=True),
    _at("sealed_at", nullable=False),
    _at("erased_at"),
    _text("erased_by", nullable=True),
    _text("erased_why", nullable=True),
    Index(None, "case_id"),
    Index("sealed_values_kept_idx", "field", "sealed_at", postgresql_where="erased_at IS NULL"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    _text("case_id", nullable=True),
    _text("kind"),
    _text("actor"),
    _at("at", nullable=False),
    _json("data"),
    Column("leaf", LargeBinary, nullable=False),
    Index(None, "case_id", "seq"),
)

audit_pending = Table(
    "audit_pending",
    metadata,
    Column("seq", BigInteger, ForeignKey("audit_events.seq"), primary_key=True),
)

audit_leaves = Table(
    "audit_leaves",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, ForeignKey("audit_events.seq"), nullable=False, unique=True),
    Column("leaf", LargeBinary, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    _at("at", nullable=False),
    _text("note", nullable=True),
)

audit_nodes = Table(
    "audit_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_anchors = Table(
    "audit_anchors",
    metadata,
    Column("anchor", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    _text("note"),
    _at("at", nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, ForeignKey("audit_events.seq"), primary_key=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, ForeignKey("audit_events.id"), nullable=False),
    _text("case_id", nullable=True),
    _text("review_id", nullable=True),
    _text("kind"),
    _text("channel"),
    _text("recipient"),
    _text("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_at", nullable=False),
    _at("created_at", nullable=False),
    _at("ended_at"),
    _text("error", nullable=True),
    UniqueConstraint("event_id", "channel", "recipient"),
    Index("deliveries_due_idx", "channel", "next_at", postgresql_where="state = 'pending'"),
    Index(None, "created_at", "id"),
    Index(None, "state", "created_at", "id"),
    Index(None, "recipient", "created_at"),
)

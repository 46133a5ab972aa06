"""The tables of the record: what was told, the tree over it, what is sealed, and who is told of it."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from checkpoints.columns import at_column, case_column, json_column, metadata, text_column

sealed_values = Table(
    "sealed_values",
    metadata,
    Column("commitment", Text, primary_key=True),
    case_column(),
    text_column("field"),
    text_column("salt", nullable=True),
    json_column("value", nullable=True),
    at_column("sealed_at", nullable=False),
    at_column("erased_at"),
    text_column("erased_by", nullable=True),
    text_column("erased_why", nullable=True),
    Index(None, "case_id"),
    Index("sealed_values_kept_idx", "field", "sealed_at", postgresql_where="erased_at IS NULL"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    text_column("case_id", nullable=True),
    text_column("kind"),
    text_column("actor"),
    at_column("at", nullable=False),
    json_column("data"),
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
    at_column("at", nullable=False),
    text_column("note", nullable=True),
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
    text_column("note"),
    at_column("at", nullable=False),
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
    text_column("case_id", nullable=True),
    text_column("review_id", nullable=True),
    text_column("kind"),
    text_column("channel"),
    text_column("recipient"),
    text_column("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at_column("next_at", nullable=False),
    at_column("created_at", nullable=False),
    at_column("ended_at"),
    text_column("error", nullable=True),
    UniqueConstraint("event_id", "channel", "recipient"),
    Index("deliveries_due_idx", "channel", "next_at", postgresql_where="state = 'pending'"),
    Index(None, "created_at", "id"),
    Index(None, "state", "created_at", "id"),
    Index(None, "recipient", "created_at"),
)

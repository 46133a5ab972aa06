"""The tables of limits and of the stop switch: what was spent, what is halted, and who waits for it."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Table, Text

from checkpoints.columns import at_column, case_column, metadata, text_column

usage = Table(
    "usage",
    metadata,
    Column("id", Text, primary_key=True),
    case_column(),
    text_column("workflow"),
    text_column("agent", nullable=True),
    text_column("kind"),
    Column("amount", BigInteger, nullable=False),
    text_column("currency", nullable=True),
    at_column("at", nullable=False),
    Index(None, "case_id", "kind"),
    Index(None, "workflow", "kind", "at"),
)

halts = Table(
    "halts",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("scope"),
    text_column("target", nullable=True),
    text_column("reason_code"),
    text_column("operators_words", nullable=True),
    text_column("pressed_by"),
    at_column("pressed_at", nullable=False),
    text_column("released_by", nullable=True),
    at_column("released_at"),
    Index(None, "pressed_at", "id"),
    Index("halts_in_force_idx", "scope", "target", postgresql_where="released_at IS NULL"),
)

halt_waits = Table(
    "halt_waits",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    case_column(),
    Column("command_id", Text, ForeignKey("commands.id"), nullable=True),
    text_column("interrupt_id", nullable=True),
    text_column("workflow"),
    text_column("agent", nullable=True),
    text_column("tool", nullable=True),
    at_column("since", nullable=False),
    at_column("woken_at"),
    Index(None, "case_id"),
    Index(
        "halt_waits_interrupt_key",
        "case_id",
        "interrupt_id",
        unique=True,
        postgresql_where="woken_at IS NULL AND interrupt_id IS NOT NULL",
    ),
    Index(
        "halt_waits_command_key",
        "command_id",
        unique=True,
        postgresql_where="woken_at IS NULL AND command_id IS NOT NULL",
    ),
)

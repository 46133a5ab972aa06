"""The tables of what people set up, and of no case: rules, schedules, tools from outside, triggers."""

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint

from checkpoints.columns import at_column, json_column, metadata, text_column

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

"""What all our tables are made of: the metadata that collects them, and their usual columns."""

from collections.abc import Collection

from sqlalchemy import Column, ColumnElement, DateTime, ForeignKey, MetaData, Text, any_, cast
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def at_column(name: str, *, nullable: bool = True) -> Column[object]:
    """A moment, UTC-aware."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def text_column(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    """A text."""
    return Column(name, Text, nullable=nullable, server_default=default)


def json_column(name: str, *, nullable: bool = False) -> Column[object]:
    """A JSON document."""
    return Column(name, JSONB(none_as_null=True), nullable=nullable)


def case_column(*, nullable: bool = False) -> Column[str]:
    """The case that a row belongs to."""
    return Column("case_id", Text, ForeignKey("cases.id"), nullable=nullable)


def one_of(column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
    """Whether a text is one of these: by one parameter, so that the statement is the same for any number."""
    return column == any_(cast(list(values), ARRAY(Text)))

"""Rule tables as they are drafted, put in force and retired; of a workflow's tool one is in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import tuple_row
from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import RuleTableNotFound
from checkpoints.pages import Page, keyset


class TableState(StrEnum):
    """How far a table is."""

    DRAFT = "draft"
    IN_FORCE = "in_force"
    RETIRED = "retired"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTable:
    """A version of a rule table.

    Attributes:
        digest: of the document, comments aside; names the version in verdicts, signatures and cases.
        source: its text.
        replaces: the digest of the table that was in force when it was drafted.
        changes: in what it differs from that one, `[{where, change}]`.
        note: why it was drafted.
        drafted_eyes: the human behind the account that drafted it, also when the account is gone.
    """

    digest: str
    workflow: str
    tool: str
    version: str
    source: str
    state: TableState
    replaces: str | None
    changes: list[dict[str, Any]]
    note: str
    drafted_by: str
    drafted_eyes: str
    drafted_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None


_DRAFTED = "SELECT digest, drafted_by, drafted_eyes FROM rule_tables WHERE digest = ANY(%s)"
_COLUMNS = [schema.rule_tables.c[name] for name in StoredTable.__dataclass_fields__]


async def tables_in_force(tx: Transaction, workflow: str) -> dict[str, str]:
    """By tool, the digest of the table in force."""
    c = schema.rule_tables.c
    query = select(c.tool, c.digest).where(c.workflow == workflow, c.state == TableState.IN_FORCE)
    return {row.tool: row.digest for row in await tx.sql.execute(query)}


async def table_in_force(
    tx: Transaction, workflow: str, tool: str, *, lock: bool = False
) -> StoredTable | None:
    """The table in force, locked until the transaction ends if asked."""
    c = schema.rule_tables.c
    query = select(*_COLUMNS).where(c.workflow == workflow, c.tool == tool, c.state == TableState.IN_FORCE)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    return None if row is None else _table(row)


async def stored_tables(tx: Transaction) -> tuple[set[str], set[tuple[str, str]]]:
    """The digests of all versions that were ever stored, and of which workflow's tools one is in force."""
    c = schema.rule_tables.c
    rows = (await tx.sql.execute(select(c.digest, c.workflow, c.tool, c.state))).all()
    in_force = {(row.workflow, row.tool) for row in rows if row.state == TableState.IN_FORCE}
    return {row.digest for row in rows}, in_force


async def add_tables(tx: Transaction, tables: Sequence[StoredTable]) -> set[str]:
    """Store versions at once; returns the digests of those whose digest and name were free."""
    if not tables:
        return set()
    values = [{name: getattr(table, name) for name in StoredTable.__dataclass_fields__} for table in tables]
    query = insert(schema.rule_tables).on_conflict_do_nothing().returning(schema.rule_tables.c.digest)
    rows = await tx.sql.execute(query, values)
    return {row.digest for row in rows}


async def find_table(tx: Transaction, digest: str, *, lock: bool = False) -> StoredTable | None:
    """The version with this digest, if it was ever stored; locked until the transaction ends if asked."""
    query = select(*_COLUMNS).where(schema.rule_tables.c.digest == digest)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    return None if row is None else _table(row)


async def get_table(tx: Transaction, digest: str, *, lock: bool = False) -> StoredTable:
    """The version with this digest, locked until the transaction ends if asked; raises RuleTableNotFound."""
    found = await find_table(tx, digest, lock=lock)
    if found is None:
        raise RuleTableNotFound(f"there is no rule table {digest}")
    return found


async def authors_of(tx: Transaction, digests: Sequence[str]) -> dict[str, set[str]]:
    """By digest, who drafted a version, as an account and as the human it was then."""
    async with tx.driver.cursor(row_factory=tuple_row) as cursor:
        rows = await (await cursor.execute(_DRAFTED, [list(digests)])).fetchall()
    return {digest: {account, human} for digest, account, human in rows}


async def list_tables(
    tx: Transaction, *, limit: int, after: str | None = None, state: TableState | None = None
) -> Page[StoredTable]:
    """A page of versions, newest first; raises UnknownCursor."""
    c = schema.rule_tables.c
    query = select(*_COLUMNS)
    if state is not None:
        query = query.where(c.state == state)
    rows = (await tx.sql.execute(keyset(query, c.drafted_at, c.digest, after, limit))).all()
    return Page.of([_table(row) for row in rows], limit, lambda table: (table.drafted_at, table.digest))


async def add_table(tx: Transaction, table: StoredTable) -> bool:
    """Store a version; returns False if the digest, or the version's name, is taken."""
    values = {name: getattr(table, name) for name in StoredTable.__dataclass_fields__}
    query = insert(schema.rule_tables).values(values).on_conflict_do_nothing()
    return (await tx.sql.execute(query.returning(schema.rule_tables.c.digest))).first() is not None


async def move_table(
    tx: Transaction, digest: str, before: TableState, after: TableState, decided: Mapping[str, Any]
) -> bool:
    """Set a version's state if it is still `before`; returns whether it was."""
    c = schema.rule_tables.c
    query = update(schema.rule_tables).where(c.digest == digest, c.state == before)
    moved = await tx.sql.execute(query.values(state=after, **decided).returning(c.digest))
    return moved.first() is not None


def _table(row: Row[Any]) -> StoredTable:
    values = row._asdict()
    return StoredTable(**values | {"state": TableState(values["state"])})

"""Commands: what is to be done with a thread, once each; the job only says that something is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from checkpoints import schema
from checkpoints.cases import Case, Status
from checkpoints.database import Transaction
from checkpoints.session import Session


class CommandKind(StrEnum):
    """What a segment is asked to do."""

    START = "start"
    RESUME = "resume"
    RETRY = "retry"
    ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """An order to a thread; `dedupe_key` names what caused it, so that one cause is one command.

    Attributes:
        run_at: not to be carried out before.
        batch: the batch that it belongs to.
    """

    id: str
    case_id: str
    kind: CommandKind
    dedupe_key: str
    payload: dict[str, Any]
    created_at: datetime
    crashes: int = 0
    done_at: datetime | None = None
    run_at: datetime | None = None
    batch: str | None = None


_OPEN = f"""
SELECT {", ".join(f"o.{name} AS command_{name}" for name in Command.__dataclass_fields__)},
       {", ".join(f"c.{name} AS case_{name}" for name in Case.__dataclass_fields__)}
FROM commands o JOIN cases c ON c.id = o.case_id WHERE o.id = %s AND o.done_at IS NULL
"""  # noqa: S608 - names of our own fields
_WAITS = """
UPDATE cases c SET status = 'waiting_review', updated_at = %s
WHERE c.id = %s AND c.status IN ('received', 'running', 'approved', 'executed') AND EXISTS (
    SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.kind = 'gate' AND r.status = 'open')
"""
_CRASHED = """
UPDATE commands o SET crashes = o.crashes + 1, crashed_head = c.head, crashes_of_head =
    CASE WHEN o.crashed_head IS NOT DISTINCT FROM c.head THEN o.crashes_of_head + 1 ELSE 1 END
FROM cases c WHERE c.id = o.case_id AND o.id = %s AND o.done_at IS NULL RETURNING o.crashes_of_head
"""
_CLOSE = "UPDATE commands SET done_at = %s, outcome = %s WHERE id = %s AND done_at IS NULL"
_DUE = """
SELECT id FROM commands c WHERE done_at IS NULL AND (run_at IS NULL OR run_at <= %s) AND NOT EXISTS (
    SELECT 1 FROM halt_waits w WHERE w.command_id = c.id AND w.woken_at IS NULL)
ORDER BY created_at, id LIMIT 200
"""
_COLUMNS = [schema.commands.c[name] for name in Command.__dataclass_fields__]


async def add_command(tx: Transaction, command: Command) -> bool:
    """Insert a command unless its cause already has one; returns whether it was inserted."""
    values = {name: getattr(command, name) for name in Command.__dataclass_fields__}
    query = insert(schema.commands).values(values).on_conflict_do_nothing().returning(schema.commands.c.id)
    return (await tx.sql.execute(query)).first() is not None


async def get_command(tx: Transaction, command_id: str) -> Command | None:
    """The command with this id."""
    row = (await tx.sql.execute(select(*_COLUMNS).where(schema.commands.c.id == command_id))).first()
    if row is None:
        return None
    values = row._asdict()
    return Command(**values | {"kind": CommandKind(values["kind"])})


async def finish_command(tx: Transaction, command_id: str, outcome: str, at: datetime) -> None:
    """Mark a command as carried out, with how its segment ended."""
    c = schema.commands.c
    query = update(schema.commands).where(c.id == command_id, c.done_at.is_(None))
    await tx.sql.execute(query.values(done_at=at, outcome=outcome))


async def open_commands(tx: Transaction, case_id: str) -> int:
    """How many commands of a case are still to be carried out."""
    c = schema.commands.c
    query = select(c.id).where(c.case_id == case_id, c.done_at.is_(None))
    return len((await tx.sql.execute(query)).all())


async def due_commands(tx: Transaction, at: datetime) -> list[str]:
    """Ids of the commands to be carried out at this time, the oldest first; none that a halt puts off."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_DUE, (at,))
        return [row["id"] for row in await cursor.fetchall()]


async def finish_cause(tx: Transaction, dedupe_key: str, outcome: str, at: datetime) -> None:
    """Mark the command of this cause as one that is not needed any more."""
    c = schema.commands.c
    query = update(schema.commands).where(c.dedupe_key == dedupe_key, c.done_at.is_(None))
    await tx.sql.execute(query.values(done_at=at, outcome=outcome))


async def drop_commands(tx: Transaction, case_id: str, outcome: str, at: datetime) -> None:
    """Mark all open commands of a case as done with: there is nothing to carry out any more."""
    c = schema.commands.c
    query = update(schema.commands).where(c.case_id == case_id, c.done_at.is_(None))
    await tx.sql.execute(query.values(done_at=at, outcome=outcome))


async def count_crash(tx: Transaction, command_id: str) -> int:
    """Add one to an open command's crashes.

    Returns:
        How many there were since its case last came further, 0 if the command was carried out.
    """
    row = await (await tx.driver.execute(_CRASHED, (command_id,))).fetchone()
    return 0 if row is None else int(row[0])


async def open_command(session: Session, command_id: str) -> tuple[Command, Case] | None:
    """The command and its case as they are now, unless it has been carried out."""
    async with session.asking() as cursor:
        row = await (await cursor.execute(_OPEN, (command_id,))).fetchone()
    if row is None:
        return None
    command = {name: row[f"command_{name}"] for name in Command.__dataclass_fields__}
    case = {name: row[f"case_{name}"] for name in Case.__dataclass_fields__}
    return (
        Command(**command | {"kind": CommandKind(command["kind"])}),
        Case(**case | {"status": Status(case["status"])}),
    )


async def close_command(
    session: Session, command: Command, outcome: str, at: datetime, *, paused: bool = False
) -> None:
    """Mark a command as carried out, on the segment's own session.

    A case whose segment paused while another of its reviews is open waits for that one.
    """
    async with session.pipeline() as cursor:
        await cursor.execute(_CLOSE, (at, outcome, command.id))
        if paused:
            await cursor.execute(_WAITS, (at, command.case_id))

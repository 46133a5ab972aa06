"""Entries: rows that a deed makes under its key and that another deed takes back, and that stay as a log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, LiteralString, TypeVar

from tools.contract import Record, RecordNotFound, ToolRefused
from tools.sandbox.database import Connection, Sandbox, one

R = TypeVar("R", bound=Record)
Also = Callable[[Connection, R], Awaitable[None]]


async def nothing_else(_connection: Connection, _entry: Record) -> None:
    """Nothing but the entry changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries(Generic[R]):
    """One table of entries; its columns are the record's fields, `idempotency_key` and `undo_key`.

    Attributes:
        id: the column that names an entry.
        stands: the status of one that was not taken back; `undone` of one that was.
        window: how long after it was made an entry can be taken back.
    """

    sandbox: Sandbox
    table: LiteralString
    id: LiteralString
    record: type[R]
    deed: str
    undoing: str
    stands: LiteralString
    undone: LiteralString
    window: timedelta

    async def made_under(self, connection: Connection, key: str) -> R | None:
        """The entry that was made under a key."""
        return await one(connection, self.record, self._by("idempotency_key"), key)

    async def find(self, key: str) -> R | None:
        """The entry that was made under a key, once nobody works under it any more."""
        async with self.sandbox.finding(self.deed, key) as connection:
            return await self.made_under(connection, key)

    async def find_undone(self, key: str) -> R | None:
        """The entry that was taken back under a key."""
        async with self.sandbox.finding(self.undoing, key) as connection:
            return await one(connection, self.record, self._by("undo_key"), key)

    async def take_back(self, entry_id: str, key: str, also: Also[R] = nothing_else) -> R:
        """Take an entry back, once, within its window, and do what else belongs to it."""
        async with self.sandbox.writing(self.undoing, key) as connection:
            done = await one(connection, self.record, self._by("undo_key"), key)
            if done is not None:
                if getattr(done, self.id) != entry_id:
                    raise ToolRefused("this idempotency key was used with other arguments")
                return done
            entry = await self._hold_standing(connection, entry_id)
            await also(connection, entry)
            values = (self.undone, key, entry_id)
            taken_back = await one(connection, self.record, self._undo(), *values)
            assert taken_back is not None  # the row is held
            return taken_back

    async def _hold_standing(self, connection: Connection, entry_id: str) -> R:
        entry = await one(connection, self.record, self._by(self.id) + " FOR UPDATE", entry_id)
        if entry is None:
            raise RecordNotFound(f"there is no {entry_id}")
        if entry.status != self.stands:  # type: ignore[attr-defined] # every entry has a status
            raise ToolRefused(f"{entry_id} was taken back already")
        if self.sandbox.now() - entry.created_at >= self.window:  # type: ignore[attr-defined] # and a time
            raise ToolRefused(f"{entry_id} is older than {self.window}")
        return entry

    def _by(self, column: LiteralString) -> LiteralString:
        return "SELECT {columns} FROM " + self.table + " WHERE " + column + " = %s"  # noqa: S608 - our own names

    def _undo(self) -> LiteralString:
        where = " WHERE " + self.id + " = %s RETURNING {columns}"
        return "UPDATE " + self.table + " SET status = %s, undo_key = %s" + where  # noqa: S608 - our own names

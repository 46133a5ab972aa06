"""Entries: rows that a deed makes under its key and that another deed takes back, and that stay as a log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, LiteralString, TypeVar

from tools.contract import Arguments, Record, ToolRefused
from tools.sandbox.database import Connection, Sandbox
from tools.sandbox.deeds import Deed, there, written

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
    stands: LiteralString
    undone: LiteralString
    window: timedelta

    def making(self, name: str, write: Callable[[Connection, Any, str], Awaitable[R]]) -> Deed[R]:
        """The deed by which the tool of this name makes an entry."""
        made_under = self._by("idempotency_key")
        return Deed(sandbox=self.sandbox, name=name, result=self.record, done_under=made_under, write=write)

    def taking_back(self, name: str, also: Also[R] = nothing_else) -> Deed[R]:
        """The deed by which the tool of this name takes an entry back in time, with what belongs to it."""

        async def write(connection: Connection, wanted: Arguments, key: str) -> R:
            entry_id = getattr(wanted, self.id)
            entry = await self._hold_standing(connection, entry_id)
            await also(connection, entry)
            return await written(connection, self.record, self._undo(), self.undone, key, entry_id)

        undone_under = self._by("undo_key")
        return Deed(sandbox=self.sandbox, name=name, result=self.record, done_under=undone_under, write=write)

    async def _hold_standing(self, connection: Connection, entry_id: str) -> R:
        entry = await there(connection, self.record, entry_id, self._by(self.id) + " FOR UPDATE", entry_id)
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

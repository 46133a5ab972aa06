"""Deeds of the sandbox: each is one transaction that holds its key, done once under it and found by it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, LiteralString

from pydantic import BaseModel

from tools.contract import Call, RecordNotFound
from tools.sandbox.database import Connection, R, Sandbox, confirmed, one


def as_done(done: R) -> R:
    """What was done, as it was written."""
    return done


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed(Generic[R]):
    """What a tool does in the books, and how that is found again.

    Attributes:
        name: the tool's.
        done_under: selects what was done under a key.
        write: does it, `(connection, arguments, key)`; the key is held.
        seen: what was done, as it is by now.
    """

    sandbox: Sandbox
    name: str
    result: type[R]
    done_under: LiteralString
    write: Callable[[Connection, Any, str], Awaitable[R]]
    seen: Callable[[R], R] = as_done

    async def perform(self, arguments: Any, call: Call) -> R:
        """Do it, once a key."""
        async with self.sandbox.writing(self.name, call.key) as connection:
            done = await one(connection, self.result, self.done_under, call.key)
            if done is not None:
                return self.seen(confirmed(done, arguments))
            return await self.write(connection, arguments, call.key)

    async def find(self, key: str) -> R | None:
        """What was done under a key."""
        async with self.sandbox.finding(self.name, key) as connection:
            done = await one(connection, self.result, self.done_under, key)
        return None if done is None else self.seen(done)


async def there(
    connection: Connection, record: type[R], what: str, query: LiteralString, *values: object
) -> R:
    """The first row of a query; raises RecordNotFound saying what is not there."""
    found = await one(connection, record, query, *values)
    if found is None:
        raise RecordNotFound(f"there is no {what}")
    return found


async def written(connection: Connection, record: type[R], query: LiteralString, *values: object) -> R:
    """The row that a statement with RETURNING has written; it holds the rows that it writes."""
    row = await one(connection, record, query, *values)
    assert row is not None
    return row


def of_result(*names: str) -> Callable[[BaseModel, BaseModel], Mapping[str, Any]]:
    """The arguments of an undoing tool that are fields of these names in what the deed came to."""

    def arguments(_arguments: BaseModel, result: BaseModel) -> Mapping[str, Any]:
        return {name: getattr(result, name) for name in names}

    return arguments

"""Sealing: personal values are kept apart, and everything else holds a salted commitment in their place.

A sealed value reads `sealed:<64 hex digits>`, wherever it stands: in state, in reviews, in the ledger, in the
log. The digits are SHA-256(salt || RFC 8785 of the value). Salt and value are one row, which can be erased;
whatever was signed or proved over the commitment still holds.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from checkpoints.canonical import canonical
from checkpoints.database import Transaction
from checkpoints.errors import CheckpointsError

TOKEN = re.compile(r"sealed:[0-9a-f]{64}")
_PREFIX = "sealed:"
_KEEP = """
INSERT INTO sealed_values (commitment, case_id, field, salt, value, sealed_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %b::jsonb[], %s::timestamptz[])
ON CONFLICT (commitment) DO NOTHING
"""
_OPEN = """
SELECT commitment, case_id, field, salt, value, sealed_at, erased_at, erased_by, erased_why FROM sealed_values
WHERE case_id = ANY(%s) AND commitment = ANY(%s)
"""
_OF_CASE = """
SELECT commitment, case_id, field, salt, value, sealed_at, erased_at, erased_by, erased_why FROM sealed_values
WHERE case_id = %s ORDER BY field, commitment
"""
_ERASE = """
UPDATE sealed_values SET salt = NULL, value = NULL, erased_at = %s, erased_by = %s, erased_why = %s
WHERE case_id = %s AND erased_at IS NULL AND (%s::text[] IS NULL OR field = ANY(%s))
RETURNING commitment, field
"""
_NEW_KEY = "UPDATE cases SET sealing_key = %s WHERE id = %s"
# There are few fields: each is found by the index, and then what is old of it, and nothing else is read. The
# OFFSET keeps it so: what was erased makes much seem old, and all of it would be read in the order of cases.
_OUTLIVED = """
WITH RECURSIVE fields (field) AS (
    SELECT min(field) FROM sealed_values WHERE erased_at IS NULL
    UNION ALL
    SELECT (SELECT min(s.field) FROM sealed_values s WHERE s.erased_at IS NULL AND s.field > f.field)
    FROM fields f WHERE f.field IS NOT NULL
)
SELECT DISTINCT s.case_id, s.field FROM fields f CROSS JOIN LATERAL (
    SELECT o.case_id, o.field FROM sealed_values o
    WHERE o.erased_at IS NULL AND o.field = f.field AND o.sealed_at < %s OFFSET 0) s
WHERE (SELECT c.status FROM cases c WHERE c.id = s.case_id) = ANY(%s) AND starts_with(f.field, %s)
  AND NOT EXISTS (SELECT FROM unnest(%s::text[]) AS longer WHERE starts_with(f.field, longer))
ORDER BY s.case_id, s.field LIMIT %s
"""


class SealBroken(CheckpointsError):
    """A sealed value cannot be opened: it was erased, or is none of this case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What is behind a commitment, or that it was erased, when, on whose order and why."""

    commitment: str
    case_id: str
    field: str
    salt: str | None
    value: Any
    sealed_at: datetime
    erased_at: datetime | None = None
    erased_by: str | None = None
    erased_why: str | None = None

    @property
    def token(self) -> str:
        """As it stands in documents."""
        return _PREFIX + self.commitment

    @property
    def holds(self) -> bool:
        """Whether the value is the one that was committed to; an erased one cannot be told."""
        return self.salt is None or commitment(self.salt, self.value) == self.commitment


def commitment(salt: str, value: Any) -> str:
    """SHA-256(salt || RFC 8785 of the value), in hex; the salt is hex of 32 bytes."""
    return hashlib.sha256(bytes.fromhex(salt) + canonical(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals the values of one case: the same value of the same field always to the same token.

    The salt is HMAC-SHA256 of field and value under the case's key, so that an action reads alike whenever it
    is judged, and nobody without the key can try values out.
    """

    case_id: str
    key: str
    clock: Callable[[], datetime]
    waiting: dict[str, Opening] = field(default_factory=dict)

    def token(self, name: str, value: Any, *, keep: bool = True) -> str:
        """The token of a field's value; unless it is only to be compared, the value is kept for opening."""
        if isinstance(value, str) and TOKEN.fullmatch(value):
            return value
        told = name.encode() + b"\x00" + canonical(value)
        salt = hmac.new(bytes.fromhex(self.key), told, hashlib.sha256).hexdigest()
        opening = Opening(
            commitment=commitment(salt, value),
            case_id=self.case_id,
            field=name,
            salt=salt,
            value=value,
            sealed_at=self.clock(),
        )
        if keep:
            self.waiting[opening.token] = opening
        return opening.token

    async def opened(self, document: Any) -> Any:
        """The document with its tokens opened; raises SealBroken."""
        tokens = tokens_in(document)
        if not tokens:
            return document
        known = {token: self.waiting[token] for token in tokens if token in self.waiting}
        if missing := tokens - known.keys():
            known |= await self._stored(missing)
        return replaced(document, lambda token: _value(known.get(token)))

    async def _stored(self, tokens: Iterable[str]) -> Mapping[str, Opening]:  # noqa: ARG002 - for those below
        """What is kept of these tokens; a seal on its own keeps nothing but what waits."""
        return {}


@dataclass(frozen=True, slots=True)
class StoredSeal(Seal):
    """A seal that also opens what is in the database, over whichever connection it was made for."""

    read: Callable[[str, Iterable[str]], Awaitable[Mapping[str, Opening]]] | None = None

    @classmethod
    def within(cls, tx: Transaction, case_id: str, key: str, clock: Callable[[], datetime]) -> Self:
        """A seal in a use case's transaction; what it seals is stored by `keep_in`."""

        async def read(case: str, tokens: Iterable[str]) -> Mapping[str, Opening]:
            return await openings(tx.driver, [case], tokens)

        return cls(case_id, key, clock, read=read)

    async def _stored(self, tokens: Iterable[str]) -> Mapping[str, Opening]:
        assert self.read is not None
        return await self.read(self.case_id, tokens)


def _value(opening: Opening | None) -> Any:
    if opening is None or opening.erased_at is not None:
        raise SealBroken
    return opening.value


def tokens_in(document: Any) -> set[str]:
    """Every token that stands in a JSON document as a whole string; one within a text is just text."""
    match document:
        case str():
            return {document} if TOKEN.fullmatch(document) else set()
        case Mapping():
            return {token for item in document.values() for token in tokens_in(item)}
        case list() | tuple():
            return {token for item in document for token in tokens_in(item)}
        case _:
            return set()


def replaced(document: Any, by: Callable[[str], Any]) -> Any:
    """The JSON document with something else in the place of every token."""
    match document:
        case str():
            return by(document) if TOKEN.fullmatch(document) else document
        case Mapping():
            return {name: replaced(item, by) for name, item in document.items()}
        case list() | tuple():
            return [replaced(item, by) for item in document]
        case _:
            return document


async def keep(cursor: AsyncCursor[DictRow], kept: Iterable[Opening]) -> None:
    """Store openings in the cursor's transaction; one that is stored, or was erased, stays as it is."""
    rows = [(o.commitment, o.case_id, o.field, o.salt, Jsonb(o.value), o.sealed_at) for o in kept]
    if rows:
        await cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


async def keep_in(tx: Transaction, seal: Seal) -> None:
    """Store what a seal holds in a use case's transaction."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await keep(cursor, list(seal.waiting.values()))
    seal.waiting.clear()


async def openings(
    connection: AsyncConnection[Any], case_ids: Iterable[str], tokens: Iterable[str]
) -> dict[str, Opening]:
    """What is behind these tokens, by token, as far as they belong to these cases."""
    wanted = [token.removeprefix(_PREFIX) for token in tokens]
    if not wanted:
        return {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_OPEN, (list(case_ids), wanted))
        found = [Opening(**row) for row in await cursor.fetchall()]
    return {opening.token: opening for opening in found}


async def openings_of(tx: Transaction, case_id: str) -> list[Opening]:
    """Everything that is sealed in a case, the erased ones too."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_OF_CASE, (case_id,))
        return [Opening(**row) for row in await cursor.fetchall()]


async def erase(
    tx: Transaction, case_id: str, fields: list[str] | None, *, by: str, why: str, at: datetime, key: str
) -> list[tuple[str, str]]:
    """Erase sealed values of a case for ever, of all fields or of some; returns `(token, field)` of each.

    The case gets a new key: by the old one values that are easily guessed could be told by trying.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ERASE, (at, by, why, case_id, fields, fields))
        erased = [(_PREFIX + row["commitment"], row["field"]) for row in await cursor.fetchall()]
        if erased:
            await cursor.execute(_NEW_KEY, (key, case_id))
    return sorted(erased, key=lambda one: (one[1], one[0]))


async def outlived(
    tx: Transaction, kind: str, but: list[str], before: datetime, ended: list[str], *, limit: int
) -> list[tuple[str, str]]:
    """Fields of ended cases that were sealed before a time: `(case_id, field)`.

    `kind` is how such a field begins, such as `vote.`; those that begin as in `but` have times of their own.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_OUTLIVED, (before, ended, kind, but, limit))
        return [(row["case_id"], row["field"]) for row in await cursor.fetchall()]

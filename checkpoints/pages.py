"""Keyset pages: newest first, continued from an opaque cursor, stable while rows are added."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Select, tuple_

from checkpoints.errors import UnknownCursor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and the cursor that the rest begins after (None at the end)."""

    items: list[T]
    next: str | None

    @classmethod
    def of(cls, rows: Sequence[T], limit: int, key: Callable[[T], tuple[datetime, str]]) -> "Page[T]":
        """The page made of `limit + 1` fetched rows: the one too many says that there is more."""
        items = list(rows[:limit])
        return cls(items, _encode(*key(items[-1])) if len(rows) > limit else None)


def keyset(
    query: Select[Any], at: Column[Any], tie: Column[Any], after: str | None, limit: int
) -> Select[Any]:
    """The query ordered newest first, continued after the cursor, one row longer than the page."""
    if after is not None:
        query = query.where(tuple_(at, tie) < tuple_(*_decode(after)))
    return query.order_by(at.desc(), tie.desc()).limit(limit + 1)


def _encode(at: datetime, tie: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{tie}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, tie = text.partition("|")
        moment = datetime.fromisoformat(at)
    except (binascii.Error, ValueError) as error:
        raise UnknownCursor from error
    if moment.tzinfo is None or "\x00" in tie:
        raise UnknownCursor
    return moment, tie

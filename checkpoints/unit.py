"""A unit: the statements that store a step, written down first and sent when the session next writes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from psycopg.abc import QueryNoTemplate as Query

Values = Sequence[Any] | Mapping[str, Any]


class Statements(Protocol):
    """Where statements go whose answers nobody reads: a cursor, or a unit."""

    async def execute(self, query: Query, params: Values | None = None, /) -> object:
        """Run a statement."""

    async def executemany(self, query: Query, params_seq: Iterable[Values], /) -> object:
        """Run a statement once for each."""


class Unit:
    """Statements in the order in which they are to be run, with their values as they were then."""

    def __init__(self) -> None:
        self._one: list[tuple[Query, Values | None]] = []

    async def execute(self, query: Query, params: Values | None = None) -> None:
        """Write a statement down."""
        self._one.append((query, params))

    async def executemany(self, query: Query, params_seq: Iterable[Values]) -> None:
        """Write a statement down once for each."""
        self._one.extend((query, params) for params in params_seq)

    async def send(self, to: Statements) -> None:
        """Run them."""
        for query, params in self._one:
            await to.execute(query, params)

"""The sandbox company's books: what was done there under a key, whoever did it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

Row = dict[str, Any]

_KEY_COLUMNS = """
SELECT c.relname AS table, a.attname AS column, ARRAY(
    SELECT o.attname FROM pg_attribute o
    WHERE o.attrelid = c.oid AND o.attnum > 0 AND NOT o.attisdropped
      AND (o.attname = 'status' OR o.attname LIKE '%\\_key' OR o.atttypid = 'timestamptz'::regtype
           OR EXISTS (SELECT FROM pg_index i
                      WHERE i.indrelid = c.oid AND i.indisprimary AND o.attnum = ANY(i.indkey)))
)::text[] AS of_the_row
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname LIKE '%\\_key'
  AND a.atttypid = 'text'::regtype ORDER BY 1, 2
"""
_DEEDS = """
SELECT {name} AS table, {column} AS key, to_jsonb(t) AS row, to_jsonb(t) - {of_the_row}::text[] AS what
FROM {table} t WHERE {column} !~ '^(cast|past)-'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """A row of the company's books that something was done under a key.

    Attributes:
        row: all of it.
        what: what was done: the row without its number, keys, times and status.
    """

    table: str
    key: str
    row: Row
    what: Row

    @property
    def case_id(self) -> str:
        """The case whose key it is, by the key."""
        return self.key.partition(":")[0]

    def otherwise_than(self, signed: Mapping[str, Any]) -> list[str]:
        """The arguments that the row has otherwise; those that are sealed or of another shape aside."""
        plain = {
            name: value
            for name, value in signed.items()
            if isinstance(value, str | int) and not str(value).startswith("sealed:") and name in self.what
        }
        return [name for name, value in plain.items() if self.what[name] != value]


async def deeds_at(sandbox: str) -> list[Deed]:
    """Everything that was done at the company under a key since it was founded."""
    async with await AsyncConnection.connect(sandbox, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        selects = [
            sql.SQL(_DEEDS).format(
                name=sql.Literal(row["table"]),
                table=sql.Identifier(row["table"]),
                column=sql.Identifier(row["column"]),
                of_the_row=sql.Literal(row["of_the_row"]),
            )
            for row in await (await cursor.execute(_KEY_COLUMNS)).fetchall()
        ]
        await cursor.execute(sql.SQL(" UNION ALL ").join(selects))
        return [Deed(**row) for row in await cursor.fetchall()]

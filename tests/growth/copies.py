"""Many finished cases from a few real ones: their rows multiplied by SQL, with ids and times of their own.

Every event's leaf is the hash of what that event says, so that the log verifies. Of a large
document the words stay those of its pattern, ids within it included; columns, links and small ones are new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from checkpoints.audit_verify import event_of
from checkpoints.canonical import canonical
from graphs.retention import USUAL

APART = timedelta(minutes=5)
"""A case begins every five minutes: a window of a day is as full at every size, and so are the last weeks."""
AT_ONCE = 10_000
_LARGE = 1_500

_ANY = "md5({0} || '/' || s.n)::uuid::text"
_EARLY = f"s.early || substr({_ANY}, 9)"
_HEX = "md5({0} || '/' || s.n) || md5(s.n || '/' || {0})"
_EARLY_IDS = {
    "cases": ("id", "event_id", "thread_id"),
    "commands": ("id", "case_id", "dedupe_key"),
    "reviews": ("case_id",),
    "votes": ("id",),
    "grants": ("case_id",),
    "effects": ("case_id",),
    "exceptions": ("id", "case_id"),
    "usage": ("case_id",),
    "sealed_values": ("case_id",),
    "checkpoints": ("thread_id",),
    "checkpoint_blobs": ("thread_id",),
    "checkpoint_writes": ("thread_id",),
}
"""Ids that time has sorted, as those of cases are; a case's rows lie beside those of its neighbours."""
_ANY_IDS = {
    "reviews": ("id",),
    "votes": ("review_id",),
    "grants": ("id", "review_id"),
    "effects": ("key", "grant_id"),
    "usage": ("id",),
}
"""Ids that lie anywhere, as those do that are derived."""
_FORGOTTEN = {
    "salt": "NULL",
    "value": "NULL",
    "erased_at": f"o.sealed_at + s.shift + interval '{USUAL.days} days'",
    "erased_by": "'system:retention'",
    "erased_why": f"'kept for {USUAL.days} days'",
}
"""What sealed values are once they have outlived their time."""
_OF_CASE = {"cases": "id", "checkpoints": "thread_id", "checkpoint_blobs": "thread_id"}
_OF_CASE["checkpoint_writes"] = "thread_id"
_THREADS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")

_COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = %s AND is_generated = 'NEVER' AND is_identity = 'NO'
"""
_PATTERNS = "CREATE TEMP TABLE pattern (place int PRIMARY KEY, case_id text NOT NULL, review_id text)"
_OLD_ROWS = "CREATE TEMP TABLE old_{0} AS SELECT o.* FROM {0} o WHERE o.{1} IN (SELECT case_id FROM pattern)"
_OLD_VOTES = """
CREATE TEMP TABLE old_votes AS
SELECT o.*, r.case_id AS of_case FROM votes o JOIN reviews r ON r.id = o.review_id
WHERE r.case_id IN (SELECT case_id FROM pattern)
"""
_OLD_EVENTS = """
CREATE TEMP TABLE old_events (place bigint, id text, case_id text, kind text, actor text, at timestamptz,
                              data jsonb, said text, small boolean)
"""
_SLOTS = """
CREATE TEMP TABLE slot AS
SELECT n, p.case_id AS old, p.review_id AS old_review, lpad(to_hex(n), 8, '0') AS early,
       -(%(last)s::int - n + 1) * %(apart)s::interval AS shift
FROM generate_series(%(first)s::int, %(end)s::int) n JOIN pattern p ON p.place = n %% %(patterns)s::int
"""
_EVENTS = """
INSERT INTO audit_events (id, case_id, kind, actor, at, data, leaf)
SELECT id, case_id, kind, actor, at, CASE WHEN small THEN said::jsonb ELSE data END,
       sha256('\\x00'::bytea || convert_to(
           '{{"actor":"' || actor || '","at":"' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '+00:00","case_id":"' || case_id || '","data":' || said || ',"id":"' || id
           || '","kind":"' || kind || '"}}', 'UTF8'))
FROM (SELECT s.n, e.place, {id} AS id, {case_id} AS case_id, e.kind, e.actor, e.at + s.shift AS at, e.data,
             e.small, CASE WHEN NOT e.small THEN e.said
                  WHEN s.old_review IS NULL THEN replace(e.said, s.old, {case})
                  ELSE replace(replace(e.said, s.old, {case}), s.old_review, {review}) END AS said
      FROM slot s JOIN old_events e ON e.case_id = s.old) AS told
ORDER BY n, place
"""


@dataclass(frozen=True, slots=True)
class Copies:
    """Multiplies rows on a connection that may do everything, and whose triggers and keys are asleep.

    Args:
        connection: in autocommit, as the owner.
        patterns: the ids of the cases that are copied, in turns.
        pruned: how old a case is whose checkpoints are gone.
    """

    connection: AsyncConnection[Any]
    patterns: Sequence[str]
    pruned: timedelta

    async def _open(self) -> None:
        await self._do("SET session_replication_role = replica")
        await self._do("SET synchronous_commit = off")
        await self._do(_PATTERNS)
        for place, case_id in enumerate(self.patterns):
            reviews = "(SELECT min(id) FROM reviews WHERE case_id = %(case)s)"
            row = {"place": place, "case": case_id}
            await self._do(f"INSERT INTO pattern VALUES (%(place)s, %(case)s, {reviews})", row)  # noqa: S608
        for table in _EARLY_IDS:
            by = _OF_CASE.get(table, "case_id")
            await self._do(_OLD_VOTES if table == "votes" else _OLD_ROWS.format(table, by))
        await self._read_events()

    async def _read_events(self) -> None:
        await self._do(_OLD_EVENTS)
        cursor = await self._do("SELECT case_id, review_id FROM pattern")
        own = [one for row in await cursor.fetchall() for one in row.values() if one]
        cursor = await self._do("SELECT * FROM audit_events WHERE case_id IN (SELECT case_id FROM pattern)")
        for row in await cursor.fetchall():
            event = event_of(row)
            said = canonical(event.data).decode()
            values = (row["seq"], event.id, event.case_id, event.kind, event.actor, event.at, said, said)
            await self._do(
                "INSERT INTO old_events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (*values, len(said) < _LARGE and any(one in said for one in own)),
            )
        await self._do("ANALYZE old_events")

    async def fill(self, first: int, last: int, *, apart: timedelta = APART, threads: bool = False) -> None:
        """Cases of these numbers, the last one `apart` ago; with `threads`, all have their checkpoints."""
        await self._open()
        tables = [table for table in _EARLY_IDS if table not in _THREADS]
        for start in range(first, last + 1, AT_ONCE):
            end = min(last, start + AT_ONCE - 1)
            async with self.connection.transaction():
                values = {
                    "first": start,
                    "end": end,
                    "last": last,
                    "apart": apart,
                    "patterns": len(self.patterns),
                }
                await self._do("DROP TABLE IF EXISTS slot")
                await self._do(_SLOTS, values)
                for table in tables:
                    await self._do(await self._insert(table))
                await self._do(_events())
                for table in _THREADS:
                    kept = "" if threads else f" AND s.shift > -interval '{self.pruned.total_seconds()} s'"
                    await self._do(await self._insert(table) + kept)

    async def _insert(self, table: str) -> str:
        cursor = await self._do(_COLUMNS, (table,))
        columns = {row["column_name"]: row["data_type"] for row in await cursor.fetchall()}
        values = [self._value(table, name, kind) for name, kind in columns.items()]
        by = "of_case" if table == "votes" else _OF_CASE.get(table, "case_id")
        names = ", ".join(f'"{name}"' for name in columns)
        return (
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} "  # noqa: S608 - names from the catalogue
            f"FROM slot s JOIN old_{table} o ON o.{by} = s.old"
        )

    def _value(self, table: str, name: str, kind: str) -> str:
        column = f'o."{name}"'
        if (table, name) == ("sealed_values", "commitment"):
            return _HEX.format(column)
        if (table, name) == ("cases", "pruned_at"):
            age = f"interval '{self.pruned.total_seconds()} s'"
            return f"CASE WHEN s.shift <= -{age} THEN o.created_at + s.shift + {age} END"
        if table == "sealed_values" and name in _FORGOTTEN:
            now = _FORGOTTEN[name]
            return f"CASE WHEN s.shift <= -interval '{USUAL.days} days' THEN {now} ELSE {column} END"
        if name in _EARLY_IDS.get(table, ()):
            return _EARLY.format(column)
        if name in _ANY_IDS.get(table, ()):
            return _ANY.format(column)
        return f"{column} + s.shift" if kind.startswith("timestamp") else column

    async def _do(self, query: str, values: Any = None) -> Any:
        return await self.connection.execute(query.encode(), values)


def _events() -> str:
    return _EVENTS.format(
        id=_ANY.format("e.id"),
        case_id=_EARLY.format("e.case_id"),
        case=_EARLY.format("s.old"),
        review=_ANY.format("s.old_review"),
    )

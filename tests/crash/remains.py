"""What a killed process leaves behind in both databases, so that kills that leave the same can be told."""

import hashlib
from collections.abc import Sequence

import psycopg

from tests.crash.life import Place
from tests.databases import as_owner

_STATES = {
    "cases": "status, reason, owner, head IS NULL, rollback IS NULL",
    "commands": "kind, outcome, crashes, done_at IS NULL, run_at IS NULL",
    "procrastinate_jobs": "status, attempts, queue_name, lock IS NULL",
    "reviews": "kind, tool, status, version, roles, held_until IS NULL",
    "votes": "kind, person, role, rung",
    "grants": "review_id IS NULL, used_at IS NULL, revoked_at IS NULL",
    "effects": "tool, state, attempts, error, receipt IS NULL, ended_at IS NULL",
    "exceptions": "number, status, reason, owner, step, retryable, way, interrupt_id IS NULL",
    "audit_events": "kind, actor",
    "checkpoints": "checkpoint_ns = '', metadata ->> 'source', metadata ->> 'step'",
    "checkpoint_writes": "checkpoint_ns = '', channel, idx, task_path",
    "checkpoint_blobs": "checkpoint_ns = '', channel, type",
    "sealed_values": "field, erased_at IS NULL",
}
"""By table, what of its rows matters for whoever goes on; of all others it is how many they are."""
_TABLES = """
SELECT c.relname, ARRAY(
    SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'status')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_ROWS = """
SELECT '{name}', ARRAY(SELECT concat_ws(' ', count(*), what) FROM (
    SELECT ROW({what})::text AS what FROM "{name}") AS of_table GROUP BY what ORDER BY what)
"""


def alone_at(server: str, place: Place) -> None:
    """Wait until no session of a killed process is left in either database: its statements end with it."""
    names = [psycopg.conninfo.conninfo_to_dict(url)["dbname"] for url in (place.ours, place.sandbox)]
    left = "SELECT FROM pg_stat_activity WHERE datname = ANY(%s)"
    with psycopg.connect(server, autocommit=True) as connection:
        while connection.execute(left, (names,)).fetchone():
            connection.execute("SELECT pg_stat_clear_snapshot()")


def remains_at(place: Place) -> str:
    """A digest of what is left: the same for kills that leave the same, but for numbers, names and times."""
    left = [_left_in(as_owner(place.ours), _STATES), _left_in(place.sandbox, {})]
    return hashlib.sha256(repr(left).encode()).hexdigest()


def _left_in(url: str, states: dict[str, str]) -> Sequence[object]:
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(_TABLES).fetchall()
        selects = [
            _ROWS.format(name=name, what=states.get(name) or ", ".join(status) or "0")
            for name, status in tables
        ]
        return connection.execute(" UNION ALL ".join(selects).encode()).fetchall()

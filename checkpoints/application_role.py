"""The role that Countersign runs as: what it may do with each table, and that the log is not its own.

Who migrates owns the tables. Who runs may add to the audit log, and changes and removes nothing in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

AUDIT_TABLES = ("audit_events", "audit_leaves", "audit_heads", "audit_nodes", "audit_anchors")

_ADD = frozenset({"SELECT", "INSERT"})
_KEEP = _ADD | {"UPDATE"}
_ALL = _KEEP | {"DELETE"}
TABLES = {
    **dict.fromkeys(AUDIT_TABLES, _ADD),
    "audit_pending": _ADD | {"DELETE"},
    "outbox": _ADD | {"DELETE"},
    "votes": _ADD,
    "withdrawals": _ADD,
    "usage": _ADD,
    **dict.fromkeys(("cases", "commands", "reviews", "delegations", "grants", "effects"), _KEEP),
    "exceptions": _KEEP,
    **dict.fromkeys(("rule_tables", "sealed_values", "deliveries"), _KEEP),
    **dict.fromkeys(("halts", "halt_waits"), _KEEP),
    "tool_admissions": _KEEP,
    "schedules": _ALL,
    "triggers": _KEEP,
    "alembic_version": frozenset({"SELECT"}),
    **dict.fromkeys(("checkpoints", "checkpoint_blobs", "checkpoint_writes"), _ALL),
    **dict.fromkeys(("procrastinate_jobs", "procrastinate_workers"), _ALL),
    **dict.fromkeys(("procrastinate_events", "procrastinate_periodic_defers"), _ALL),
}
"""What the application may do with each table; what is not here, it may not do."""
SEQUENCES = dict.fromkeys(
    (
        "procrastinate_jobs_id_seq",
        "procrastinate_events_id_seq",
        "procrastinate_periodic_defers_id_seq",
        "procrastinate_workers_id_seq",
    ),
    frozenset({"USAGE"}),
)

_HELD = """
SELECT wanted.name, array_remove(array_agg(held.privilege_type), NULL) AS held
FROM unnest(%s::text[]) AS wanted (name) JOIN pg_class c ON c.oid = to_regclass(wanted.name)
LEFT JOIN LATERAL aclexplode(c.relacl) held ON held.grantee = (SELECT oid FROM pg_roles WHERE rolname = %s)
GROUP BY wanted.name
"""
_SCHEMA = """
SELECT current_schema() AS name, has_schema_privilege(%(role)s, current_schema(), 'USAGE') AS may_use,
       has_schema_privilege(%(role)s, current_schema(), 'CREATE') AS may_create
"""
_CLOSED_FUNCTIONS = r"""
SELECT oid::regprocedure::text AS name FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND NOT has_function_privilege(%s, oid, 'EXECUTE')
  AND (proname LIKE 'procrastinate\_%%' OR proname LIKE 'countersign\_%%')
"""
_LACKING = """
SELECT name FROM unnest(%s::text[], %s::text[]) AS wanted (name, privilege)
WHERE NOT coalesce(has_table_privilege(to_regclass(name), privilege), false) GROUP BY name ORDER BY name
"""
# Whoever may set triggers can drop additions in silence; whoever may become the owner can do anything.
_STANDING = """
SELECT current_user AS role, bool_or(
    pg_has_role(c.relowner, 'MEMBER') OR has_any_column_privilege(c.oid, 'UPDATE')
    OR has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER')) AS may_alter
FROM pg_class c WHERE c.oid = ANY(SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """As which role a connection runs, and whether that role could alter the log or stop its triggers."""

    role: str
    may_alter_log: bool

    @property
    def warning(self) -> str | None:
        """One plain line if the role is more than it should be."""
        if not self.may_alter_log:
            return None
        return (
            f"the database role {self.role!r} that Countersign runs as owns the audit log or may alter it: "
            "only triggers protect it; migrate as another role, with COUNTERSIGN_MIGRATE_URL"
        )


async def standing(connection: AsyncConnection[Any]) -> Standing:
    """The standing of the role that this connection runs as."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_STANDING, (list(AUDIT_TABLES),))).fetchone()
    assert row is not None
    return Standing(role=row["role"], may_alter_log=bool(row["may_alter"]))


async def tables_out_of_reach(connection: AsyncConnection[Any]) -> list[str]:
    """The tables that the connection's role would need and may not use."""
    wanted = [(name, privilege) for name, privileges in TABLES.items() for privilege in privileges]
    names, privileges = zip(*wanted, strict=True)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LACKING, (list(names), list(privileges)))
        return [row["name"] for row in await cursor.fetchall()]


async def grant_application(connection: AsyncConnection[Any], role: str) -> None:
    """Give a role exactly what the application needs, in one transaction; what it has already stays as it is.

    The connection's role must own the tables.
    """
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await _open_schema(cursor, role)
        for name in await _differing(cursor, role, TABLES):
            await _set(cursor, role, f"TABLE {name}", TABLES[name])
        for name in await _differing(cursor, role, SEQUENCES):
            await _set(cursor, role, f"SEQUENCE {name}", SEQUENCES[name])
        closed = await (await cursor.execute(_CLOSED_FUNCTIONS, (role,))).fetchall()
        for function in closed:
            await _set(cursor, role, f"FUNCTION {function['name']}", {"EXECUTE"})


async def _open_schema(cursor: AsyncCursor[DictRow], role: str) -> None:
    schema = await (await cursor.execute(_SCHEMA, {"role": role})).fetchone()
    assert schema is not None
    name, to = Identifier(schema["name"]), Identifier(role)
    if not schema["may_use"]:
        await cursor.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(name, to))
    if schema["may_create"]:  # as everybody may in `public` up to Postgres 14
        await cursor.execute(SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(name, to))


async def _differing(
    cursor: AsyncCursor[DictRow], role: str, wanted: dict[str, frozenset[str]]
) -> Iterable[str]:
    """Which of these the role holds other privileges on than the wanted ones."""
    rows = await (await cursor.execute(_HELD, (list(wanted), role))).fetchall()
    return [row["name"] for row in rows if frozenset(row["held"]) != wanted[row["name"]]]


async def _set(cursor: AsyncCursor[DictRow], role: str, what: str, privileges: Iterable[str]) -> None:
    # `what` and the privileges come from this file and the catalogue, which quotes.
    on, to = SQL(what), Identifier(role)
    await cursor.execute(SQL("REVOKE ALL ON {} FROM {}").format(on, to))
    granted = SQL(", ").join(SQL(privilege) for privilege in sorted(privileges))
    await cursor.execute(SQL("GRANT {} ON {} TO {}").format(granted, on, to))

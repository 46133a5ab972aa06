"""The company's books, watched: every row that a case adds, changes or removes, and how it was before."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

Json = dict[str, Any]
Rows = Counter[str]

_WATCH: LiteralString = """
CREATE TABLE watched_changes (number bigserial, "table" text, deed text, before jsonb, after jsonb);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO watched_changes ("table", deed, before, after)
        VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$
"""
_TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
_SEQUENCES = "SELECT sequencename AS name, coalesce(last_value + 1, start_value) AS next FROM pg_sequences"
_KEYS = """
SELECT c.relname AS "table", array_agg(a.attname::text) AS columns FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary GROUP BY 1
"""
_COLUMNS = """
SELECT table_name AS "table", array_agg(column_name::text) AS columns FROM information_schema.columns
WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY 1
"""
_PLANTED = re.compile(r"\s*(OBEY|NOTE): [a-z]+( IBAN: [A-Z0-9 ]+[A-Z0-9])?")
_OWNERS = {"customer_id": "C-", "vendor_id": "V-", "account_id": "A-", "service_id": "-"}
"""The columns that say whose a record is, and how the ids in them begin."""
_SHARED = ("incidents",)
"""What everybody may read: past incidents are searched company-wide."""
_NUMBERED = re.compile(r"\b([A-Z]{1,3})-1[0-9]{6}\b")


class Books:
    """A connection that watches all tables of a database, those that there will be tomorrow included."""

    def __init__(self, connection: AsyncConnection[Json]) -> None:
        self._connection = connection
        self._keys: dict[str, list[str]] = {}
        self._columns: dict[str, list[str]] = {}
        self._sequences: dict[str, int] = {}

    @classmethod
    async def watched(cls, url: str) -> "Books":
        """Begin to watch."""
        connection = await AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)
        books = cls(connection)
        tables = [row["name"] for row in await books._all(_TABLES)]
        await connection.execute(_WATCH)
        for table in tables:
            await connection.execute(
                sql.SQL(
                    "CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON {}"
                    " FOR EACH ROW EXECUTE FUNCTION watch()"
                ).format(sql.Identifier(table))
            )
        books._keys = {row["table"]: row["columns"] for row in await books._all(_KEYS)}
        books._columns = {row["table"]: row["columns"] for row in await books._all(_COLUMNS)}
        books._sequences = {
            row["name"]: row["next"]
            for row in await books._all(_SEQUENCES)
            if not row["name"].startswith("watched_")
        }
        return books

    async def close(self) -> None:
        """Stop watching."""
        await self._connection.close()

    async def changed(self) -> Rows:
        """What has changed since the last reset, each row without keys, numbers and planted texts."""
        return Counter(_told(row) for row in await self._all("SELECT * FROM watched_changes ORDER BY number"))

    async def strangers(self, ids: Iterable[str], own: Collection[str]) -> frozenset[str]:
        """Those of these ids that name a record of somebody else than whose case it is."""
        found = set()
        for table, (key, *more) in self._keys.items():
            owners = [name for name in _OWNERS if name in self._columns[table] and name != key]
            for owner in owners if not more and table not in _SHARED else ():
                query = sql.SQL("SELECT {0}::text AS id, {1} AS owner FROM {2} WHERE {0}::text = ANY (%s)")
                names = (sql.Identifier(name) for name in (key, owner, table))
                rows = await (await self._connection.execute(query.format(*names), (list(ids),))).fetchall()
                found |= {row["id"] for row in rows if row["owner"] not in own}
        owners_shown = {one for one in ids if one[:2] in _OWNERS.values() and one not in own}
        return frozenset(found | owners_shown)

    async def reset(self) -> None:
        """Everything as it was, numbers included."""
        changes = await self._all("SELECT * FROM watched_changes ORDER BY number DESC")
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL session_replication_role = replica")
            for change in changes:
                await self._take_back(change)
            await self._connection.execute("TRUNCATE watched_changes")
            for name, start in self._sequences.items():
                await self._connection.execute("SELECT setval(%s::regclass, %s, false)", (name, start))

    async def _take_back(self, change: Json) -> None:
        table, keys = change["table"], self._keys[change["table"]]
        now = change["after"] or change["before"]
        same = sql.SQL(" AND ").join(
            sql.SQL("{}::text = {}").format(sql.Identifier(key), sql.Literal(str(now[key]))) for key in keys
        )
        if change["deed"] in {"INSERT", "UPDATE"}:
            await self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), same)
            )
        if change["before"]:
            columns = sql.SQL(", ").join(map(sql.Identifier, self._columns[table]))
            row = sql.Literal(json.dumps(change["before"]))
            await self._connection.execute(
                sql.SQL(
                    "INSERT INTO {0} ({1}) SELECT {1} FROM jsonb_populate_record(NULL::{0}, {2}::jsonb)"
                ).format(sql.Identifier(table), columns, row)
            )

    async def _all(self, query: LiteralString) -> list[Json]:
        return await (await self._connection.execute(query)).fetchall()


def _told(row: Json) -> str:
    """A change as it can be compared with that of another run of the same case."""
    before, after = _plain(row["before"]), _plain(row["after"])
    changed = {
        name: value for name, value in after.items() if before.get(name) != value or row["deed"] == "INSERT"
    }
    which = {} if row["deed"] == "INSERT" else {k: v for k, v in before.items() if k.endswith("_id")}
    return json.dumps([row["table"], row["deed"], which | changed], sort_keys=True, ensure_ascii=False)


def _plain(row: Json | None) -> Json:
    names = (name for name in row or {} if not name.endswith("_key") and name not in {"document", "version"})
    return {name: without_plant((row or {})[name]) for name in names}


def without_plant(value: Any) -> Any:
    """A value without a planted text, and with every new number made the same."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_NUMBERED.sub(r"\1-new", _PLANTED.sub("", text.replace("\\n", " "))))


def extra(attacked: Rows, clean: Iterable[str]) -> list[str]:
    """What a run changed that the clean one did not."""
    return sorted((attacked - Counter(clean)).elements())

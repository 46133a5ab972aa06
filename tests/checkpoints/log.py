"""A log in the tests: events, growing it with a key, and doing to it what nobody should."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import dict_row

from checkpoints.audit import Event, tell
from checkpoints.audit_export import export_log
from checkpoints.audit_proofs import newest_head
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.database import Database
from checkpoints.log_check import Anchored, Verification
from checkpoints.notes import Signer
from tests import databases

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIGNER = Signer(name="example.com/log", private=Ed25519PrivateKey.from_private_bytes(bytes(32)))
MALLORY = Signer(name="example.com/log", private=Ed25519PrivateKey.from_private_bytes(b"m" * 32))
KEYS = [SIGNER.key]


def event(number: int = 0, **changes: Any) -> Event:
    told: dict[str, Any] = {
        "id": f"e-{number}",
        "case_id": "c-1",
        "kind": "test.told",
        "actor": "person:lee",
        "at": NOW + timedelta(seconds=number),
        "data": {"number": number, "text": "as it was"},
    }
    return Event(**told | changes)


async def append(database: Database, *events: Event) -> None:
    async with database.transaction() as tx:
        await tell(tx, *events)


async def grow(database: Database, signer: Signer = SIGNER) -> int:
    async with database.connection() as connection:
        return await grow_tree(connection, lambda: NOW, signer)


async def verified(database: Database, anchored: Sequence[Anchored] = ()) -> Verification:
    async with database.connection() as connection:
        return await verify_log(connection, KEYS, anchored)


async def rows(database: Database, query: str) -> list[dict[str, Any]]:
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query)
        return await cursor.fetchall()


async def tamper(database: Database, *statements: str) -> None:
    """Do what somebody with all rights to the database can do."""
    await databases.tamper(database.conninfo, *statements)


async def exported(database: Database, path: Path, signer: Signer = SIGNER) -> Path:
    """The log in a file."""
    async with database.connection() as connection:
        with path.open("wb") as out:
            await export_log(connection, signer.key, out.write)
    return path


async def anchored_in(database: Database, path: Path) -> Path:
    """The newest signed head in a file, as somebody outside keeps it."""
    async with database.transaction() as tx:
        head = await newest_head(tx)
    with path.open("w") as out:
        out.write(head.note)
    return path

"""Triggers in the tests: a table of the sandbox company, a folder, their service, rounds by hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml

from graphs.people import SERVICE_PREFIX, Service, new_token, read_people, write_people
from graphs.settings import Settings
from graphs.trigger_file import read_triggers
from graphs.triggers import trigger_rounds
from graphs.wiring import Parts
from tests.house import House
from tools.sandbox.cast import CAST

CLAIMS = "CREATE VIEW claims AS SELECT *, 'damaged' AS reason_code FROM tickets"
"""The company's tickets, as a table whose rows are wishes for a refund."""
CLAIM = "A claim"
TABLE = {
    "name": "claims",
    "database": "CLAIMS_URL",
    "table": "claims",
    "key": "ticket_id",
    "order": "created_at",
    "where": {"subject": CLAIM},
    "workflow": "refund",
    "data": {
        "ticket_id": "ticket_id",
        "order_id": "order_id",
        "customer_id": "customer_id",
        "reason_code": "reason_code",
    },
    "as": "tills",
}
_NEW = """
INSERT INTO tickets (ticket_id, customer_id, order_id, subject, body, status, created_at)
VALUES (%s, %s, %s, %s, 'It is broken.', 'open', %s)
"""
SCENES = ("clean_29_90_1", "clean_29_90_2", "clean_29_90_3", "clean_29_90_4")


def folder_entry(folder: Path) -> dict[str, Any]:
    return {"name": "inbox", "folder": str(folder), "workflow": "refund", "as": "tills"}


def entrust(settings: Settings, *scopes: str, now: datetime) -> None:
    """Put the service that triggers act as into the people file, with these scopes."""
    _, kept = new_token(SERVICE_PREFIX, timedelta(days=90), now)
    service = Service(id="tills", name="The tills", scopes=list(scopes), keys=[kept])
    write_people(settings.people_file, read_people(settings.people_file).with_service(service))


def write_file(settings: Settings, *, tables: Sequence[Any] = (), folders: Sequence[Any] = ()) -> Path:
    path = settings.home / "triggers.yaml"
    path.write_text(yaml.safe_dump({"tables": list(tables), "folders": list(folders)}), encoding="utf-8")
    return path


def triggered(parts: Parts, settings: Settings, **entries: Sequence[Any]) -> Parts:
    """The parts with these triggers; the service is entrusted with them."""
    entrust(settings, "cases:start", now=parts.clock())
    environment = {"CLAIMS_URL": settings.sandbox_url or ""}
    return replace(
        parts, triggers=read_triggers(write_file(settings, **entries), environment, parts.workflows)
    )


@dataclass(slots=True)
class Office:
    """A company at whose table and folder Countersign looks, one round after the other."""

    house: House
    url: str
    source: str

    async def look(self, times: int = 1) -> None:
        """So many rounds of all triggers, each by a worker that has just started."""
        for _ in range(times):
            async with trigger_rounds(self.house.parts) as rounds:
                for one in rounds:
                    await one.run()

    async def claim(self, number: int, at: datetime, *, by: str = SCENES[0], of: str = "") -> str:
        """Write a claim by a scene's customer, of another scene's order if one is given; its key."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            return await self.claim_within(connection, number, at, by=by, of=of)

    async def claim_within(
        self,
        connection: psycopg.AsyncConnection[Any],
        number: int,
        at: datetime,
        *,
        by: str = SCENES[0],
        of: str = "",
    ) -> str:
        """The same, committed when the connection's transaction is."""
        key = f"T-{700_000 + number}"
        values = (key, CAST[by].customer_id, CAST[of or by].order_id, CLAIM, at)
        await connection.execute(_NEW, values)
        return key

    async def sql(self, statement: str, *values: Any) -> None:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(statement.encode(), values)

    async def opened(self) -> list[str]:
        """The ids of the events that have a case."""
        query = "SELECT event_id FROM cases WHERE event_source = %s ORDER BY event_id"
        return [row["event_id"] for row in await self.house.rows(query, self.source)]

    async def told(self, kind: str) -> list[dict[str, Any]]:
        query = "SELECT actor, data FROM audit_events WHERE kind = %s ORDER BY seq"
        return [row["data"] | {"by": row["actor"]} for row in await self.house.rows(query, kind)]

    async def reasons(self, kind: str) -> list[str]:
        return [one["reason"] for one in await self.told(kind)]

    async def state(self) -> dict[str, Any]:
        (row,) = await self.house.rows("SELECT * FROM triggers")
        return row


@asynccontextmanager
async def rounds_of(parts: Parts) -> AsyncIterator[Any]:
    """The one round of these parts' one trigger, its connection kept as a worker keeps it."""
    async with AsyncExitStack() as stack:
        (one,) = await stack.enter_async_context(trigger_rounds(parts))
        yield one

"""`poe overload`: more events than the machine can work, over real HTTP, with a worker process of its own.

First the capacity is measured, then so many times that is offered for a while, by senders that do not care
what they are answered. Meanwhile people decide cases that have waited for them. Then it is counted in our
database and in the company's books what became of what was accepted, and whether an event is let in again.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from api.serve import serving
from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from graphs.clock import utc_now
from graphs.people import SERVICE_PREFIX, PeopleFile, Person, Service, new_token, write_people
from graphs.settings import Rate, Room, Settings
from graphs.waiting_room import COME_BACK_SECONDS, WaitingRoom
from graphs.wiring import open_parts
from tests.bench import ids_of
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, clone, make_templates
from tests.engine.processes import worker_process
from tests.house import LEE, PEOPLE, House

FACTOR, SECONDS = 3, 60
WARMING, SIGNED = 60, 6
ROOM = Room(most=50, most_of_one=50)
UNMETERED = Rate(10_000_000)
_PATIENCE = 300
_LOOK_AGAIN = 0.2
_SENDERS = 60

_CASES = """
INSERT INTO customers SELECT 'C-7' || lpad(n::text, 4, '0'), name, email, tier, status, country, created_at
    FROM customers, generate_series(0, 9999) n WHERE customer_id = 'C-90001';
INSERT INTO orders SELECT 'O-7' || lpad(n::text, 5, '0'), 'C-7' || lpad(n::text, 4, '0'), status, currency,
    100, ordered_at, delivered_at FROM orders, generate_series(0, 9999) n WHERE order_id = 'O-900001';
INSERT INTO payments SELECT 'P-7' || lpad(n::text, 5, '0'), 'O-7' || lpad(n::text, 5, '0'),
    'C-7' || lpad(n::text, 4, '0'), method, card_last4, CASE WHEN n < 10 THEN 12000 ELSE 100 END, currency,
    status, captured_at, 0 FROM payments, generate_series(0, 9999) n WHERE order_id = 'O-900001';
INSERT INTO tickets (ticket_id, customer_id, order_id, subject, body, status, created_at)
    SELECT 'T-7' || lpad(n::text, 5, '0'), 'C-7' || lpad(n::text, 4, '0'), 'O-7' || lpad(n::text, 5, '0'),
    subject, body, status, created_at FROM tickets, generate_series(0, 9999) n WHERE ticket_id = 'T-900001'
"""
"""Orders of customers of their own: the first ten need a signature, the others are paid by rule."""
_UNDER_WAY = "SELECT count(*) AS many FROM commands WHERE done_at IS NULL"
_ENDS = "SELECT status, count(*) AS many FROM cases WHERE event_id LIKE 'o-%%' GROUP BY status"
_REFUNDS = """
SELECT o.order_id, count(r.*) AS many FROM orders o LEFT JOIN payments p USING (order_id)
LEFT JOIN refunds r USING (payment_id) WHERE o.order_id LIKE 'O-7%' GROUP BY o.order_id
"""


@dataclass(slots=True)
class Outcome:
    """What came of it; `lost` and `doubled` are of what was accepted, and must be none.

    Attributes:
        capacity: cases a second, from event to close.
        odd: answers that are neither 202 nor 429 with Retry-After.
        decided: seconds from each vote, cast under load, to the close of its case.
        recovery: seconds from the last event until nothing was under way any more.
        again: the status of an event sent after that, and where its case ended.
    """

    capacity: float
    offered: int = 0
    accepted: int = 0
    refused: int = 0
    odd: int = 0
    lost: int = 0
    doubled: int = 0
    decided: list[float] = field(default_factory=list)
    recovery: float = 0.0
    again: tuple[int, str] = (0, "")


@dataclass(slots=True)
class Shop:
    """Who sends events, each of another order."""

    http: httpx.AsyncClient
    house: House
    company: str
    number: int = 9
    answers: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    odd: int = 0

    async def send(self, number: int | None = None) -> str | None:
        """Send one event; the id of its case if it was accepted."""
        if number is None:
            self.number += 1
            number = self.number
        data = ids_of(number) | {"reason_code": "damaged"}
        event: dict[str, Any] = {"specversion": "1.0", "id": f"o-{number}", "source": "/overload"}
        event |= {"type": "com.countersign.refund.requested", "data": data}
        headers = {"Content-Type": "application/cloudevents+json"}
        answer = await self.http.post("/events", json=event, headers=headers)
        self.answers[answer.status_code] += 1
        if answer.status_code == HTTPStatus.ACCEPTED:
            self.accepted.append(str(answer.json()["case_id"]))
            return self.accepted[-1]
        told = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS and int(answer.headers["Retry-After"]) > 0
        self.odd += not told
        return None

    async def flood(self, per_second: float, seconds: float) -> None:
        """Offer so many a second, whatever is answered."""
        began, free = time.monotonic(), asyncio.Semaphore(_SENDERS)
        async with asyncio.TaskGroup() as group:
            for turn in range(round(per_second * seconds)):
                await asyncio.sleep(max(0.0, began + turn / per_second - time.monotonic()))
                await free.acquire()
                group.create_task(self.send()).add_done_callback(lambda _: free.release())

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        async with asyncio.timeout(_PATIENCE):
            while (await self.house.rows(_UNDER_WAY))[0]["many"]:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(_LOOK_AGAIN)

    async def ended(self, case_id: str) -> float:
        """Wait until a case is closed; returns when."""
        async with asyncio.timeout(_PATIENCE):
            while (await self.house.case(case_id)).status != "closed":  # noqa: ASYNC110 - in another process
                await asyncio.sleep(_LOOK_AGAIN)
        return time.monotonic()

    async def refunds(self) -> dict[str, int]:
        """By order how often it was really paid back."""
        async with await psycopg.AsyncConnection.connect(self.company) as connection:
            return dict(await (await connection.execute(_REFUNDS.encode())).fetchall())


async def overload(shop: Shop, *, seconds: float, factor: float, warming: int, signed: int) -> Outcome:
    """Measure the capacity, offer more than it for a while, and count."""
    waiting = [await shop.send(number) for number in range(signed)]
    await shop.idle()
    began = time.monotonic()
    for _ in range(warming):
        await shop.send()
    await shop.idle()
    outcome = Outcome(warming / (time.monotonic() - began))
    before = shop.answers.copy()
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.flood(factor * outcome.capacity, seconds))
        deciding = group.create_task(_decide(shop, [one for one in waiting if one], seconds))
    last = time.monotonic()
    offered = shop.answers - before
    outcome.offered, outcome.accepted = offered.total(), offered[HTTPStatus.ACCEPTED]
    outcome.refused, outcome.odd = offered[HTTPStatus.TOO_MANY_REQUESTS], shop.odd
    await shop.idle()
    outcome.recovery, outcome.decided = time.monotonic() - last, deciding.result()
    case_id = await shop.send()
    if case_id is None:  # the last look at who waits may be a second old: whoever is told so comes back
        await asyncio.sleep(COME_BACK_SECONDS)
        case_id = await shop.send()
    await shop.idle()
    after = "" if case_id is None else (await shop.house.case(case_id)).status.value
    outcome.again = (HTTPStatus.ACCEPTED if case_id else HTTPStatus.TOO_MANY_REQUESTS, after)
    await _count(shop, outcome)
    return outcome


async def _decide(shop: Shop, cases: list[str], seconds: float) -> list[float]:
    """Sign the cases that wait, one after the other under load; how long each then took."""
    took = []
    for case_id in cases:
        await asyncio.sleep(seconds / (len(cases) + 1))
        review, began = await shop.house.review(case_id), time.monotonic()
        await shop.house.vote(review, LEE)
        took.append(await shop.ended(case_id) - began)
    return took


async def _count(shop: Shop, outcome: Outcome) -> None:
    """Each accepted event is one case, closed, and one refund; no other order was paid back."""
    ends = {row["status"]: row["many"] for row in await shop.house.rows(_ENDS)}
    paid = await shop.refunds()
    closed = ends.get("closed", 0)
    outcome.lost = len(shop.accepted) - min(closed, sum(many > 0 for many in paid.values()))
    outcome.doubled = sum(many - 1 for many in paid.values() if many > 1) + max(
        0, sum(ends.values()) - len(shop.accepted)
    )


@asynccontextmanager
async def opened(postgres: EmbeddedPostgres, home: Path, room: Room = ROOM) -> AsyncIterator[Shop]:
    """A shop in front of an API, with a worker process behind it, on databases of their own."""
    token, kept = new_token(SERVICE_PREFIX, timedelta(days=1), AS_OF)
    people = [Person(id=one.id, name=one.name, roles=sorted(one.roles)) for one in PEOPLE]
    service = Service(id="shop", name="The shop", scopes=["cases:start", "cases:read"], keys=[kept])
    write_people(home / "people.yaml", PeopleFile(people=people).with_service(service))
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(clone(postgres, OURS))
        company = await stack.enter_async_context(clone(postgres, SANDBOX))
        async with await psycopg.AsyncConnection.connect(company, autocommit=True) as connection:
            await connection.execute(_CASES.encode())
        settings = Settings(
            database_url=ours,
            sandbox_url=company,
            home=home,
            people_file=home / "people.yaml",
            principal_rate=UNMETERED,
            address_rate=UNMETERED,
        )
        parts = await stack.enter_async_context(open_parts(settings, clock=lambda: AS_OF))
        held = replace(parts, room=WaitingRoom(room, parts.database, utc_now))  # a clock that moves
        url = await stack.enter_async_context(serving(held, host="127.0.0.1", port=0))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
            )
        )
        worker = await stack.enter_async_context(worker_process(settings))
        assert worker.stdout is not None
        await worker.stdout.readline()
        yield Shop(http, House(held), company)


async def main() -> int:
    seconds = float(os.environ.get("OVERLOAD_SECONDS", SECONDS))
    with tempfile.TemporaryDirectory(prefix="countersign-overload-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(folder), durable=True) as postgres:
            await make_templates(postgres, AS_OF)
            async with opened(postgres, Path(folder)) as shop:
                outcome = await overload(shop, seconds=seconds, factor=FACTOR, warming=WARMING, signed=SIGNED)
    show(outcome, seconds)
    held = outcome.lost == outcome.doubled == outcome.odd == 0
    return 0 if held and outcome.again == (HTTPStatus.ACCEPTED, "closed") else 1


def show(outcome: Outcome, seconds: float) -> None:
    """Print the table."""
    table = Table(
        "capacity", "offered", "accepted", "refused", "odd", "lost", "doubled", "decided", "recovery"
    )
    table.add_row(
        f"{outcome.capacity:.1f}/s",
        f"{outcome.offered} in {seconds:.0f} s",
        *map(str, (outcome.accepted, outcome.refused, outcome.odd, outcome.lost, outcome.doubled)),
        f"{max(outcome.decided, default=0.0):.1f} s",
        f"{outcome.recovery:.1f} s",
    )
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

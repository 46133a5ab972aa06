"""How soon a decision is a deed, and how long a page of the queue takes, each beside its own floor."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.serve import working
from checkpoints.commands import get_command
from checkpoints.review_queue import Filter, Sort
from graphs.intake import Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.queue_view import QueueView
from graphs.wiring import Parts
from tests.house import LEE, PEOPLE, SHOP, House, refund_event

CASES = 30
FEW, MANY = 100, 10_000
PAGES = 20
_LOOK = 0.0005

_DERIVED = {"id", "wake_at", "amount_rank", "risk_rank", "words", "digest"}
_COPIES = """
INSERT INTO reviews (id, digest, {names})
SELECT 'bench-' || n, digest, {values} FROM reviews, generate_series({first}, {last}) n WHERE id = %s
"""
_AWAY = "DELETE FROM reviews WHERE id LIKE 'bench-%%'"


def known_people(path: Path) -> None:
    """Write the people of the bench."""
    people = [Person(id=who.id, name=who.name, roles=sorted(who.roles)) for who in PEOPLE]
    write_people(path, PeopleFile(people=people))


async def measure(parts: Parts, events: list[dict[str, str]]) -> None:
    """Measure and print."""
    house = House(parts)
    cases = [await _waiting(house, number, data) for number, data in enumerate(events)]
    pages = await _pages(house, cases[-1])
    deeds, floors = await _decisions(house, cases)
    _show(deeds, floors, pages)


async def _waiting(house: House, number: int, data: dict[str, str]) -> str:
    event = refund_event("clean_120_00_1", event_id=f"reviewed-{number}", **data)
    case, _ = await Intake(house.parts).receive(event, SHOP)
    await house.work()
    return case.id


async def _decisions(house: House, cases: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds from a vote's commit to the deed's end, and those of a job that finds nothing to do."""
    deeds, floors = [], []
    async with working(house.parts):
        await _until(await _nothing_to_do(house, cases[0]), house, _IDLE, cases[0])
        for case_id in cases:
            review = await house.review(case_id)
            floors.append(await _until(await _nothing_to_do(house, case_id), house, _IDLE, case_id))
            await house.vote(review, LEE)
            deeds.append(await _until(time.perf_counter(), house, _ENDED, case_id))
    return deeds, floors


_IDLE = """
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = %s AND status IN ('todo', 'doing'))
"""
_ENDED = "SELECT 1 FROM effects WHERE case_id = %s AND tool = 'payments.refund' AND ended_at IS NOT NULL"


async def _nothing_to_do(house: House, case_id: str) -> float:
    """A job for a command that has been carried out; returns when it was committed."""
    (done,) = await house.rows("SELECT id FROM commands WHERE case_id = %s AND kind = 'start'", case_id)
    async with house.parts.database.transaction() as tx:
        command = await get_command(tx, done["id"])
        assert command is not None
        await house.parts.queue.enqueue_job(tx, command)
    return time.perf_counter()


async def _until(began: float, house: House, query: str, case_id: str) -> float:
    while not await house.rows(query, case_id):  # noqa: ASYNC110 - another connection writes it
        await asyncio.sleep(_LOOK)
    return (time.perf_counter() - began) * 1000


async def _pages(house: House, case_id: str) -> dict[str, tuple[float, float]]:
    """Milliseconds of a page of 50 with few open reviews and with many, by its filter."""
    few = await _timed_pages(house, case_id, FEW)
    many = await _timed_pages(house, case_id, MANY)
    await house.rows(_AWAY)
    return {name: (few[name], many[name]) for name in few}


async def _timed_pages(house: House, case_id: str, count: int) -> dict[str, float]:
    await _fill(house, case_id, count)
    wanted = {
        "no filter": (Filter(), False),
        "mine": (Filter(), True),
        "search for what all have": (Filter(search="refund damaged"), False),
        "search for what one has": (Filter(search="bench-77"), False),
        "search for what none has": (Filter(search="nowhere"), False),
    }
    return {name: await _page(house, one, mine=mine) for name, (one, mine) in wanted.items()}


async def _fill(house: House, case_id: str, count: int) -> None:
    await house.rows(_AWAY)
    review = await house.review(case_id)
    columns = await house.rows(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'reviews'"
    )
    names = [row["name"] for row in columns if row["name"] not in _DERIVED]
    other = {"opened_at": "opened_at - n * interval '1 second'", "amount_minor": "10000 + n"}
    values = ", ".join(other.get(name, name) for name in names)
    query = _COPIES.format(names=", ".join(names), values=values, first=1, last=count - 1)
    await house.rows(query, review.id)
    await house.rows("ANALYZE reviews")


async def _page(house: House, wanted: Filter, *, mine: bool) -> float:
    view = QueueView(house.parts)

    async def once() -> Any:
        async with house.parts.database.transaction() as tx:
            return await view.page(tx, wanted, LEE, sort=Sort.NEWEST, limit=50, mine=mine)

    return statistics.median([await _milliseconds(once) for _ in range(PAGES)])


async def _milliseconds(deed: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await deed()
    return (time.perf_counter() - began) * 1000


def _show(deeds: list[float], floors: list[float], pages: dict[str, tuple[float, float]]) -> None:
    console = Console(width=100)
    table = Table(title=f"From a vote to its deed, {len(deeds)} cases", title_justify="left")
    for name in ("what", "p50 ms", "p99 ms"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, times in {"a job with nothing to do": floors, "decision to effect": deeds}.items():
        table.add_row(name, f"{statistics.median(times):.1f}", f"{max(times):.1f}")
    console.print(table)
    ratio = statistics.median(deeds) / statistics.median(floors)
    console.print(f"decision to effect against a job with nothing to do: {ratio:.2f} x")
    table = Table(title="A page of 50 reviews, median", title_justify="left")
    for name in ("filter", f"ms at {FEW}", f"ms at {MANY:,}", "ratio"):
        table.add_column(name, justify="left" if name == "filter" else "right")
    for name, (few, many) in pages.items():
        table.add_row(name, f"{few:.1f}", f"{many:.1f}", f"{many / few:.2f} x")
    console.print(table)

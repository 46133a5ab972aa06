"""What the processes cost: cases through HTTP and workers, waiting cases, idling, reads, starting up."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from tests import bench_reads
from tests.api.command import said, started
from tests.api.conftest import make_people
from tests.api.door import STRUCTURED, envelope

CASES = int(os.environ.get("BENCH_CASES", "100"))
WAITING = 200
WARM = 4
CHEAP = range(2 * (WARM + CASES))
DEAR = range(len(CHEAP), len(CHEAP) + WAITING)
NUMBERS = range(len(CHEAP) + WAITING)
"""The numbers of the orders that the cases are about."""
STANDING = min(50, CASES // 2)
"""How many cases stand still while reads are measured."""
IDLE_SECONDS = 10
_PATIENCE_SECONDS = 600
_LOOK_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Company:
    """The API's address as the shop, a lead and Prometheus see it, and the databases behind it."""

    ours: str
    environment: dict[str, str]
    shop: httpx.AsyncClient
    lead: httpx.AsyncClient
    gauge: httpx.AsyncClient

    async def row(self, query: str) -> Any:
        async with await psycopg.AsyncConnection.connect(self.ours, autocommit=True) as connection:
            return await (await connection.execute(query.encode())).fetchone()

    async def until(self, query: str, count: int) -> None:
        """Until so many are counted, looked for every so often on one connection."""
        async with await psycopg.AsyncConnection.connect(self.ours, autocommit=True) as connection:
            while (await (await connection.execute(query.encode())).fetchone() or (0,))[0] < count:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)

    async def send(self, numbers: range, scene: str, ids: Callable[[int], dict[str, str]]) -> list[str]:
        """Send an event for each number, eight at a time; the ids of the cases."""
        turn = asyncio.Semaphore(8)

        async def one(number: int) -> str:
            async with turn:
                event = envelope(scene, f"process-{number}", **ids(number))
                sent = await self.shop.post("/events", json=event, headers={"Content-Type": STRUCTURED})
                assert sent.status_code == 202, sent.text
                return str(sent.json()["case_id"])

        return list(await asyncio.gather(*map(one, numbers)))


async def measure(
    ours: str, sandbox: str, home: Path, *, ids: Callable[[int], dict[str, str]], governed: float
) -> None:
    """Measure and print; `governed` is what a case takes in process, in milliseconds."""
    tokens = make_people(home / "people.yaml", datetime.now(UTC))
    environment = {
        "DATABASE_URL": ours,
        "COUNTERSIGN_SANDBOX_URL": sandbox,
        "COUNTERSIGN_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
    }
    async with _api(environment, tokens, ours) as (company, api_took):
        rates = []
        for count, half in ((1, CHEAP[: len(CHEAP) // 2]), (2, CHEAP[len(CHEAP) // 2 :])):
            async with AsyncExitStack() as stack:
                for _ in range(count):
                    process, worker_took = await stack.enter_async_context(_worker(environment))
                await _closed(company, half[:WARM], ids)
                rates.append(await _rate(company, half[WARM:], ids))
                if count == 1:
                    idle = await _idle(company, process.pid)
                    waiting = await _waiting(company, DEAR, ids, process.pid)
                    reads = await _reads(company)
        _show_rates(rates, governed)
        _show_rest(api_took, worker_took, idle, waiting)
        bench_reads.show(reads)


@asynccontextmanager
async def _api(
    environment: dict[str, str], tokens: dict[str, str], ours: str
) -> AsyncIterator[tuple[Company, float]]:
    began = time.perf_counter()
    async with started("api", "--port", "18765", env=environment, patience=_PATIENCE_SECONDS) as process:
        await said(process, "People file")
        took = time.perf_counter() - began
        async with AsyncExitStack() as stack:
            doors = [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url="http://127.0.0.1:18765",
                        trust_env=False,
                        headers={"Authorization": f"Bearer {tokens[who]}"},
                        timeout=60,
                    )
                )
                for who in ("shop", "lee", "gauge")
            ]
            yield Company(ours, environment, *doors), took


@asynccontextmanager
async def _worker(environment: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    began = time.perf_counter()
    async with started("worker", env=environment, patience=_PATIENCE_SECONDS) as process:
        await said(process, "The worker takes jobs.")
        yield process, time.perf_counter() - began


_CLOSED = "SELECT count(*) FROM cases WHERE status = 'closed'"
_ASKED = "SELECT count(*) FROM reviews WHERE status = 'open'"
_COMMITS = "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = current_database()"
_LINES = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def _closed(company: Company, numbers: range, ids: Callable[[int], dict[str, str]]) -> None:
    (before,) = await company.row(_CLOSED)
    await company.send(numbers, "clean_29_90_1", ids)
    await company.until(_CLOSED, before + len(numbers))


async def _rate(company: Company, numbers: range, ids: Callable[[int], dict[str, str]]) -> float:
    """Cases a second, from the first event to the last close."""
    began = time.perf_counter()
    await _closed(company, numbers, ids)
    return len(numbers) / (time.perf_counter() - began)


async def _idle(company: Company, pid: int) -> tuple[float, float]:
    """The share of a core that a worker takes while there is nothing to do, and commits a second.

    The server counts a session's commits up to ten seconds late; what is counted here is what comes after.
    """
    await asyncio.sleep(IDLE_SECONDS + 2)
    (commits,), cpu = await company.row(_COMMITS), _cpu(pid)
    await asyncio.sleep(IDLE_SECONDS)
    (after,) = await company.row(_COMMITS)
    return (_cpu(pid) - cpu) / IDLE_SECONDS, float(after - commits) / IDLE_SECONDS


async def _waiting(
    company: Company, numbers: range, ids: Callable[[int], dict[str, str]], pid: int
) -> dict[str, float]:
    """What cases that wait for people hold in a worker: kilobytes and connections, before and then."""
    first, rest = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
    await _asked(company, first, ids)  # so that whatever is made for the first is there
    lines, memory = (await company.row(_LINES))[0], _memory(pid)
    await _asked(company, rest, ids)
    return {
        "worker MB": memory / 1024,
        "KB a case more": (_memory(pid) - memory) / len(rest),
        "connections with half of them": lines,
        "connections with all of them": (await company.row(_LINES))[0],
    }


async def _asked(company: Company, numbers: range, ids: Callable[[int], dict[str, str]]) -> None:
    (before,) = await company.row(_ASKED)
    await company.send(numbers, "clean_120_00_1", ids)
    await company.until(_ASKED, before + len(numbers))


_IDS = """
SELECT (SELECT id FROM cases WHERE status = 'closed' ORDER BY id LIMIT 1) AS "case",
       (SELECT id FROM reviews WHERE status = 'open' ORDER BY id LIMIT 1) AS review,
       (SELECT id FROM audit_events ORDER BY seq LIMIT 1) AS event
"""
_STAND_STILL = f"""
WITH still AS (
    UPDATE cases SET status = 'escalated', reason = 'no_rule_matches', owner = 'support_lead'
    WHERE id IN (SELECT id FROM cases WHERE status = 'closed' ORDER BY id DESC LIMIT {STANDING}) RETURNING id)
SELECT count(*) FROM still
"""  # noqa: S608 - a number of our own


async def _reads(company: Company) -> dict[str, bench_reads.Took]:
    assert await company.row(_STAND_STILL) == (STANDING,)
    case, review, event = await company.row(_IDS)
    ids = {"case": case, "review": review, "event": event}
    return await bench_reads.measure(company.lead, company.gauge, ids)


def _cpu(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> float:
    """Kilobytes of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def _show_rates(rates: list[float], governed: float) -> None:
    table = Table(title=f"{CASES} refunds by rule through HTTP and workers", title_justify="left")
    for name in ("way", "cases a second", "against in process"):
        table.add_column(name, justify="left" if name == "way" else "right")
    own = 1000 / governed
    table.add_row("in process, one after another", f"{own:.1f}", "1.00")
    for count, rate in enumerate(rates, start=1):
        table.add_row(f"API and {count} worker{'s' * (count > 1)}", f"{rate:.1f}", f"{rate / own:.2f}")
    Console(width=100).print(table)


def _show_rest(api: float, worker: float, idle: tuple[float, float], waiting: dict[str, float]) -> None:
    table = Table(title="What processes cost", title_justify="left")
    for name in ("what", "is"):
        table.add_column(name, justify="left" if name == "what" else "right")
    table.add_row("API, from nothing to its first answer", f"{api:.1f} s")
    table.add_row("worker, from nothing to its first job", f"{worker:.1f} s")
    table.add_row("an idle worker's share of a core", f"{100 * idle[0]:.2f} %")
    table.add_row("commits a second of an idle API and worker", f"{idle[1]:.1f}")
    for name, value in waiting.items():
        table.add_row(f"{WAITING} waiting cases: {name}", f"{value:.1f}")
    Console(width=100).print(table)

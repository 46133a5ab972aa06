"""`poe bench`: a governed refund case beside plain LangGraph, in one run, as ratios.

Three graphs do the same number of steps on the same Postgres with `durability="sync"`:

- *plain*: nodes that do nothing, on the official AsyncPostgresSaver, one a thread as this project uses it;
- *working*: plain nodes that make the very tool calls of a refund case, ungoverned;
- *governed*: the refund case, from its first command to its close.

They take turns, so that whatever else the machine is doing meets all of them.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg import waiting
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from checkpoints.embedded import embedded_postgres
from checkpoints.serializer import StrictSerializer
from graphs.intake import Intake
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests import bench_log, bench_reviews, bench_rules, bench_workflows
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, clone, make_templates
from tests.house import SHOP, House, refund_event
from tools.contract import Call

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
REVIEWED = range(2 * ROUNDS + 4, 2 * ROUNDS + 4 + bench_reviews.CASES)
"""The numbers of the cases that people sign."""
STEPS = (
    "retrieve",
    "triage",
    "suspect",
    "assess",
    "propose",
    "judge",
    "refund",
    "tell",
    "judge_reply",
    "send",
    "closed",
)

_NEW_CASES = """
INSERT INTO customers SELECT 'C-7' || lpad(n::text, 4, '0'), name, email, tier, status, country, created_at
    FROM customers, generate_series(0, {n}) n WHERE customer_id = 'C-90001';
INSERT INTO orders SELECT 'O-7' || lpad(n::text, 5, '0'), 'C-7' || lpad(n::text, 4, '0'), status, currency,
    total_minor, ordered_at, delivered_at FROM orders, generate_series(0, {n}) n WHERE order_id = 'O-900001';
INSERT INTO payments SELECT 'P-7' || lpad(n::text, 5, '0'), 'O-7' || lpad(n::text, 5, '0'),
    'C-7' || lpad(n::text, 4, '0'), method, card_last4, amount_minor, currency, status, captured_at, 0
    FROM payments, generate_series(0, {n}) n WHERE order_id = 'O-900001';
INSERT INTO tickets (ticket_id, customer_id, order_id, subject, body, status, created_at)
    SELECT 'T-7' || lpad(n::text, 5, '0'), 'C-7' || lpad(n::text, 4, '0'), 'O-7' || lpad(n::text, 5, '0'),
    subject, body, status, created_at FROM tickets, generate_series(0, {n}) n WHERE ticket_id = 'T-900001';
"""


@dataclass(slots=True)
class Count:
    """Milliseconds a case, and the round trips to the database of one."""

    times: list[float] = field(default_factory=list)
    trips: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.times)


class Trips:
    """Counts the times psycopg waited for an answer: the round trips."""

    def __init__(self) -> None:
        self.count = 0
        self._wait = psycopg.AsyncConnection.wait

    def __enter__(self) -> Self:
        trips = self

        async def counted(connection: Any, gen: Any, interval: float = 0.1) -> Any:
            return await trips._wait(connection, trips._watched(gen), interval)

        psycopg.AsyncConnection.wait = counted  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        psycopg.AsyncConnection.wait = self._wait  # type: ignore[method-assign]

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        asked = False
        ready = None
        while True:
            try:
                wanted = gen.send(ready) if ready is not None else next(gen)
            except StopIteration as stop:
                return stop.value
            if wanted & waiting.Wait.R and not asked:
                asked = True
                self.count += 1
            ready = yield wanted


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(folder), durable=True) as postgres:
            await make_templates(postgres, AS_OF)
            async with clone(postgres, OURS) as ours:
                await bench_log.measure(ours)
            async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
                await fill(sandbox)
                people = Path(folder) / "people.yaml"
                bench_reviews.known_people(people)
                settings = Settings(
                    database_url=ours, sandbox_url=sandbox, home=Path(folder), people_file=people
                )
                async with open_parts(settings, clock=lambda: AS_OF) as parts:
                    show(await measure(parts, ours))
                    await bench_reviews.measure(parts, [ids_of(number) for number in REVIEWED])
            async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
                people = Path(folder) / "people-of-the-demo.yaml"
                known = bench_workflows.people_of_the_demo(people)
                settings = Settings(
                    database_url=ours, sandbox_url=sandbox, home=Path(folder), people_file=people
                )
                async with open_parts(settings, clock=lambda: AS_OF) as parts:
                    await bench_workflows.measure(parts, known, Trips)


async def fill(sandbox: str) -> None:
    async with await psycopg.AsyncConnection.connect(sandbox, autocommit=True) as connection:
        await connection.execute(_NEW_CASES.replace("{n}", str(REVIEWED[-1])).encode())
        dear = "UPDATE payments SET amount_minor = 12000 WHERE payment_id >= %s AND payment_id LIKE 'P-7%%'"
        await connection.execute(dear, (f"P-7{REVIEWED[0]:05}",))


async def measure(parts: Parts, url: str) -> dict[str, Count]:
    counts = {name: Count() for name in ("plain", "working", "governed")}
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=0, row_factory=dict_row
    ) as connection:
        saver = AsyncPostgresSaver(connection, serde=StrictSerializer())
        plain = graph_of(dict.fromkeys(STEPS, idle)).compile(checkpointer=saver)
        house = House(parts)
        for turn in range(ROUNDS + 2):
            working = graph_of(tool_calls(parts, turn)).compile(checkpointer=saver)
            command = await prepared(house, ROUNDS + 2 + turn)
            runs: dict[str, Callable[[], Awaitable[Any]]] = {
                "plain": partial(run, plain),
                "working": partial(run, working),
                "governed": partial(house.runner.carry_out, command),
            }
            for name, deed in runs.items():
                await timed(counts[name], deed, warm=turn < 2)
    return counts


async def timed(count: Count, deed: Callable[[], Awaitable[Any]], *, warm: bool) -> None:
    with Trips() as trips:
        began = time.perf_counter()
        await deed()
        took = time.perf_counter() - began
    if not warm:
        count.times.append(took * 1000)
        count.trips = trips.count


async def prepared(house: House, number: int) -> str:
    """A received case whose first command waits; returns the command's id."""
    case, _ = await Intake(house.parts).receive(
        refund_event("clean_29_90_1", event_id=f"bench-{number}", **ids_of(number)), SHOP
    )
    (command,) = await house.rows("SELECT id FROM commands WHERE case_id = %s", case.id)
    return str(command["id"])


def ids_of(number: int) -> dict[str, str]:
    """Whose refund it is, in an event's data."""
    return {
        "order_id": f"O-7{number:05}",
        "customer_id": f"C-7{number:04}",
        "ticket_id": f"T-7{number:05}",
    }


async def run(graph: Any) -> None:
    await graph.ainvoke(
        {"value": {"text": "x" * 500}}, {"configurable": {"thread_id": uuid4().hex}}, durability="sync"
    )


async def idle(state: dict[str, Any]) -> dict[str, Any]:
    return {"value": state["value"]}


def graph_of(nodes: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]) -> Any:
    graph: Any = StateGraph(dict)
    before = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


def tool_calls(parts: Parts, number: int) -> dict[str, Any]:
    """Nodes that make the tool calls of a refund case: four readings of its records, two deeds."""
    ids = {
        "order_id": f"O-7{number:05}",
        "customer_id": f"C-7{number:04}",
        "payment_id": f"P-7{number:05}",
        "ticket_id": f"T-7{number:05}",
    }

    async def call(name: str, **more: Any) -> None:
        model = parts.registry.describe(name).arguments
        wanted = {key: ids[key] for key in model.model_fields if key in ids} | more
        await parts.registry.call(parts.capability, name, model.model_validate(wanted), Call(key=uuid4().hex))

    async def read(state: dict[str, Any]) -> dict[str, Any]:
        names = ("tickets.get", "orders.get", "customers.get", "payments.list", "fraud.signals")
        await asyncio.gather(*map(call, names), call("payments.history", since=AS_OF))
        return {"value": state["value"]}

    async def refund(state: dict[str, Any]) -> dict[str, Any]:
        await read(state)
        await call("payments.refund", amount_minor=2990, currency="EUR", reason_code="damaged")
        return {"value": state["value"]}

    async def reply(state: dict[str, Any]) -> dict[str, Any]:
        await read(state)
        await call("tickets.reply", template="refund_done", body="Done.")
        return {"value": state["value"]}

    steps: dict[str, Any] = dict.fromkeys(STEPS, idle)
    return steps | {
        "retrieve": read,
        "judge": read,
        "refund": refund,
        "judge_reply": read,
        "send": reply,
    }


def show(counts: dict[str, Count]) -> None:
    table = Table(title=f"{ROUNDS} cases each, median", title_justify="left")
    for name in ("graph", "ms a case", "cases a second", "against plain", "round trips"):
        table.add_column(name, justify="left" if name == "graph" else "right")
    for name, count in counts.items():
        ratio = count.median / counts["plain"].median
        table.add_row(
            name,
            f"{count.median:.1f}",
            f"{1000 / count.median:.1f}",
            f"{ratio:.2f} x",
            str(count.trips),
        )
    console = Console(width=100)
    console.print(table)
    governed, working = counts["governed"].median, counts["working"].median
    console.print(f"governed against the same tool calls without governance: {governed / working:.2f} x")


if __name__ == "__main__":
    bench_rules.show()
    asyncio.run(main())

"""`poe bench`: a governed refund case beside plain LangGraph, in one run, as ratios.

Five graphs run on the same Postgres with `durability="sync"`:

- *floor*: the refund graph's own nodes on LangGraph's InMemorySaver: no state is kept;
- *plain*: the same nodes on the official AsyncPostgresSaver: no command, no fence, no story;
- *governed*: the refund case as the runner carries it out, from its first command to its close;
- *idle*: as many nodes that do nothing, on the official saver;
- *ungoverned*: as many nodes that make the very tool calls of a refund case, on the official saver.

They take turns, so that whatever else the machine is doing meets all of them.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from checkpoints.commands import drop_commands
from checkpoints.database import parse_address
from checkpoints.embedded import embedded_postgres
from checkpoints.serializer import StrictSerializer
from checkpoints.session import fenced_session
from graphs.contexts import context_on
from graphs.intake import Intake
from graphs.judging import case_state
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests import bench_log, bench_processes, bench_reviews, bench_rules, bench_workflows
from tests.conftest import AS_OF
from tests.counting import Asked, Counting, by_kind
from tests.databases import OURS, SANDBOX, clone, make_templates
from tests.house import SHOP, House, refund_event
from tools.contract import Call

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
TURNS = ROUNDS + 2
REVIEWED = range(4 * TURNS, 4 * TURNS + bench_reviews.CASES)
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
_DEAR = """
UPDATE payments SET amount_minor = 10000 + right(payment_id, 4)::int WHERE payment_id BETWEEN %s AND %s
"""


@dataclass(slots=True)
class Count:
    """Milliseconds a case, and what one asked of its databases."""

    times: list[float] = field(default_factory=list)
    asked: Asked = field(default_factory=Asked)
    ours: Asked = field(default_factory=Asked)

    @property
    def median(self) -> float:
        return statistics.median(self.times)


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(folder), durable=True) as postgres:
            await make_templates(postgres, AS_OF)
            async with clone(postgres, OURS) as ours:
                await bench_log.measure(ours)
            async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
                await fill(sandbox, range(REVIEWED[-1] + 1), REVIEWED)
                people = Path(folder) / "people.yaml"
                bench_reviews.known_people(people)
                settings = Settings(
                    database_url=ours, sandbox_url=sandbox, home=Path(folder), people_file=people
                )
                async with open_parts(settings, clock=lambda: AS_OF) as parts:
                    counts = await measure(parts, ours)
                    show(counts)
                    await bench_reviews.measure(parts, [ids_of(number) for number in REVIEWED])
            async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
                people = Path(folder) / "people-of-the-demo.yaml"
                known = bench_workflows.people_of_the_demo(people)
                settings = Settings(
                    database_url=ours, sandbox_url=sandbox, home=Path(folder), people_file=people
                )
                async with open_parts(settings, clock=lambda: AS_OF) as parts:
                    await bench_workflows.measure(parts, known)
            async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
                await fill(sandbox, bench_processes.NUMBERS, bench_processes.DEAR)
                governed = counts["governed"].median
                await bench_processes.measure(ours, sandbox, Path(folder), ids=ids_of, governed=governed)


async def fill(sandbox: str, numbers: range, dear: range) -> None:
    """Orders of 29.90 under all these numbers; those that are dear cost 100.00 and more, each another sum."""
    async with await psycopg.AsyncConnection.connect(sandbox, autocommit=True) as connection:
        await connection.execute(_NEW_CASES.replace("{n}", str(numbers[-1])).encode())
        await connection.execute(_DEAR, (f"P-7{dear[0]:05}", f"P-7{dear[-1]:05}"))


async def measure(parts: Parts, url: str) -> dict[str, Count]:
    counts = {name: Count() for name in ("floor", "plain", "governed", "idle", "ungoverned")}
    ours = str(parse_address(url).database)
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=0, row_factory=dict_row
    ) as connection:
        saver = AsyncPostgresSaver(connection, serde=StrictSerializer())
        idling = graph_of(dict.fromkeys(STEPS, idle)).compile(checkpointer=saver)
        house = House(parts)
        for turn in range(TURNS):
            calling = graph_of(tool_calls(parts, turn)).compile(checkpointer=saver)
            async with (
                nodes_alone(house, TURNS + turn, InMemorySaver()) as floor,
                nodes_alone(house, 2 * TURNS + turn, saver) as plain,
            ):
                runs: dict[str, Callable[[], Awaitable[Any]]] = {
                    "floor": floor,
                    "plain": plain,
                    "governed": partial(house.runner.carry_out, await prepared(house, 3 * TURNS + turn)),
                    "idle": partial(run, idling),
                    "ungoverned": partial(run, calling),
                }
                for name, deed in runs.items():
                    await timed(counts[name], deed, ours, warm=turn < TURNS - ROUNDS)
    return counts


@asynccontextmanager
async def nodes_alone(
    house: House, number: int, saver: BaseCheckpointSaver[str]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A run of a refund graph's nodes on another saver, with all that the runner would give to them."""
    case, _ = await Intake(house.parts).receive(
        refund_event("clean_29_90_1", event_id=f"bench-{number}", **ids_of(number)), SHOP
    )
    async with house.parts.database.transaction() as tx:
        await drop_commands(tx, case.id, "benched", house.parts.clock())
    workflow = house.parts.workflows[case.workflow]
    graph = house.runner._graph(workflow).copy(update={"checkpointer": saver})
    async with fenced_session(house.parts.database.engine, case.id) as session:
        context = context_on(house.parts, case, workflow, session)

        async def deed() -> None:
            state = await graph.ainvoke(
                {"case": case_state(case)},
                {"configurable": {"thread_id": case.id, "run_id": case.id}},
                context=context,
                durability="sync",
            )
            assert state["standing"]["status"] == "closed", state["standing"]

        yield deed


async def timed(count: Count, deed: Callable[[], Awaitable[Any]], ours: str, *, warm: bool) -> None:
    """Time it; the first two times, which warm up, count what it asks instead."""
    if warm:
        with Counting() as counting:
            await deed()
        count.asked, count.ours = counting.all, counting.of.get(ours, Asked())
        return
    began = time.perf_counter()
    await deed()
    count.times.append((time.perf_counter() - began) * 1000)


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
    for name in ("graph", "ms a case", "against plain", "statements", "commits", "round trips"):
        table.add_column(name, justify="left" if name == "graph" else "right")
    for name, count in counts.items():
        ratio = count.median / counts["plain"].median
        asked = count.asked
        numbers = (asked.statements, asked.commits, asked.trips)
        table.add_row(name, f"{count.median:.1f}", f"{ratio:.2f}", *map(str, numbers))
    console = Console(width=100)
    console.print(table)
    governed, calls = counts["governed"].median, counts["ungoverned"].median
    console.print(f"governed against the same tool calls in nodes without governance: {governed / calls:.2f}")
    ours = counts["governed"].ours
    kinds = Table(title="What the governed case asks of our own database", title_justify="left")
    kinds.add_column("statement")
    kinds.add_column("times", justify="right")
    for kind, times in by_kind(ours.kinds):
        kinds.add_row(kind, str(times))
    console.print(kinds)
    console.print(f"{ours.statements} statements, {ours.commits} commits, {ours.trips} round trips")


if __name__ == "__main__":
    bench_rules.show()
    asyncio.run(main())

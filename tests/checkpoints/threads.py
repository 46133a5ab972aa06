"""A thread as the saver sees it: a case row, checkpoints put one after the other, and what was kept."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph import END, START, StateGraph
from langgraph.types import Interrupt
from psycopg import AsyncConnection

from checkpoints.audit import Event
from checkpoints.cases import Case, Status, add_case
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import Session, fenced_session
from graphs.wiring import Parts
from nodes.shapes import Json
from nodes.state import CaseState, standing
from tests.house import House

Channels = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the database holds of a thread."""

    checkpoints: int = 0
    blobs: int = 0
    writes: int = 0
    head: str | None = None
    status: str = "received"
    reviews: int = 0
    events: tuple[str, ...] = ()


NOTHING = Kept()

_KEPT = """
SELECT (SELECT count(*) FROM checkpoints WHERE thread_id = c.id) AS checkpoints,
       (SELECT count(*) FROM checkpoint_blobs WHERE thread_id = c.id) AS blobs,
       (SELECT count(*) FROM checkpoint_writes WHERE thread_id = c.id) AS writes,
       (SELECT count(*) FROM reviews WHERE case_id = c.id) AS reviews,
       ARRAY(SELECT kind FROM audit_events WHERE case_id = c.id ORDER BY seq) AS events,
       c.head, c.status
FROM cases c WHERE c.id = %s
"""


async def kept(house: House, case_id: str) -> Kept:
    """What is kept of a thread, its case, its reviews and its events."""
    (row,) = await house.rows(_KEPT, case_id)
    return Kept(**row | {"events": tuple(row["events"])})


async def add_received(parts: Parts, case_id: str) -> Case:
    """A case that has been received and nothing else."""
    now = parts.clock()
    case = Case(
        id=case_id,
        workflow="refund",
        workflow_version="1",
        event_source="/test",
        event_id=case_id,
        event={},
        rules={},
        title="A case",
        sealing_key="5e" * 32,
        opened_by="service:test",
        status=Status.RECEIVED,
        created_at=now,
        updated_at=now,
    )
    async with parts.database.transaction() as tx:
        assert await add_case(tx, case)
    return case


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread and a saver for it."""

    case: Case
    saver: GovernedSaver

    def told(self, kind: str, event_id: str | None = None, **data: Any) -> Json:
        """An event as it travels through the state."""
        event = Event(
            id=event_id or f"{self.case.id}/{kind}",
            case_id=self.case.id,
            kind=kind,
            actor="test",
            at=self.case.created_at,
            data=data,
        )
        return event.to_json()

    async def step(
        self, parent: RunnableConfig | None, *events: Json, status: str = "running", **channels: Any
    ) -> RunnableConfig:
        """Put the checkpoint of a step that told these events."""
        values = {"record": list(events), "standing": standing(status), **channels}
        return await self.put(parent, values)

    async def put(self, parent: RunnableConfig | None, values: Channels, ns: str = "") -> RunnableConfig:
        """Put a checkpoint in which all of these channels are new."""
        checkpoint = checkpoint_of(values)
        stored = await self.saver.aput(
            parent or self.config(ns=ns),
            checkpoint,
            {"source": "loop", "step": 0, "parents": {}},
            checkpoint["channel_versions"],
        )
        await self.catch_up()
        return stored

    async def catch_up(self) -> None:
        """Store what was written down, as the next thing that a segment writes would."""
        await self.saver._session.catch_up()

    async def walk(self, told: Sequence[Json]) -> None:
        """Run a graph with a step for each event, which tells it."""
        graph = StateGraph(CaseState)
        names = [f"step_{number}" for number in range(len(told))]
        for name, event in zip(names, told, strict=True):
            graph.add_node(name, partial(_tell, event))
        for before, after in pairwise([START, *names, END]):
            graph.add_edge(before, after)
        await graph.compile(checkpointer=self.saver).ainvoke({"case": {}}, self.config(), durability="sync")

    async def pause(self, at: RunnableConfig, *interrupts: Interrupt, task: str = "task-1") -> None:
        """Put the writes of a task that was interrupted."""
        await self.saver.aput_writes(at, [("__interrupt__", tuple(interrupts))], task)

    def config(self, checkpoint_id: str | None = None, ns: str = "") -> RunnableConfig:
        """The thread's config, at a checkpoint if one is given."""
        at = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
        return {"configurable": {"thread_id": self.case.id, "checkpoint_ns": ns, **at}}

    def asking(self, review_id: str, **changes: Any) -> Interrupt:
        """An interrupt that carries a review."""
        at = self.case.created_at.isoformat()
        review = {
            "id": review_id,
            "workflow": "refund",
            "tool": "payments.refund",
            "rule": "RF-91",
            "title": "A case",
            "roles": ["support_lead"],
            "reversible": True,
            "against": None,
            "due_seconds": 28800,
            "due_working": False,
            "hold_seconds": 0,
            "remind_at": at,
            "action": {"tool": "payments.refund"},
            "digest": "d1",
            "shown": {},
            "ladder": [{"role": "support_lead", "people": 1, "why": "it is much"}],
            "risk": "medium",
            "owner": "support_lead",
            "amount_minor": 12000,
            "currency": "EUR",
            "opened_at": at,
            "due_at": at,
            "expires_at": at,
            "event": self.told("review.opened", f"{review_id}/opened"),
        }
        return Interrupt(value={"countersign": review | changes}, id=f"interrupt of {review_id}")


async def _tell(event: Json, _state: CaseState) -> CaseState:
    return {"record": [event]}


def checkpoint_of(values: Channels) -> Checkpoint:
    """A checkpoint in which each channel is at its first version."""
    versions: dict[str, str | int | float] = dict.fromkeys(values, "1")
    return empty_checkpoint() | Checkpoint(  # type: ignore[typeddict-item, no-any-return]
        id=str(uuid6(clock_seq=0)), channel_values=values, channel_versions=versions
    )


@asynccontextmanager
async def opened(
    house: House, case_id: str = "case-1", projection: type[Projection] = Projection
) -> AsyncIterator[Thread]:
    """A received case and its thread, on a fenced session."""
    case = await add_received(house.parts, case_id)
    async with fenced_session(house.parts.database.engine, case_id) as session:
        yield Thread(case, GovernedSaver(session, projection(case_id, house.parts.clock)))


@asynccontextmanager
async def unfenced(parts: Parts, count: int) -> AsyncIterator[Sequence[Session]]:
    """Sessions that hold no lock: what is left when the lock of a thread has failed."""
    connections = [
        await AsyncConnection.connect(parts.database.conninfo, autocommit=True) for _ in range(count)
    ]
    try:
        yield [Session(connection) for connection in connections]
    finally:
        for connection in connections:
            await connection.close()

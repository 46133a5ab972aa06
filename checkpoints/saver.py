"""LangGraph's own AsyncPostgresSaver on a segment's session: the story commits with the state."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Interrupt
from psycopg import AsyncCursor
from psycopg.rows import DictRow

from checkpoints.projection import Projection
from checkpoints.serializer import StrictSerializer
from checkpoints.session import Session
from checkpoints.unit import Unit

_INTERRUPT = "__interrupt__"

# The unit that the *current task* writes into: no sibling task's statements get in between.
_unit: ContextVar[Unit | None] = ContextVar("unit", default=None)


@dataclass(frozen=True, slots=True)
class Held:
    """The writes of a step's first task, kept back: the next checkpoint makes them superfluous at once."""

    config: RunnableConfig
    writes: Sequence[tuple[str, Any]]
    task_id: str
    task_path: str

    @property
    def place(self) -> tuple[str, str]:
        """The namespace and checkpoint that the writes belong to."""
        configurable = self.config["configurable"]
        return configurable.get("checkpoint_ns", ""), configurable["checkpoint_id"]


class GovernedSaver(AsyncPostgresSaver):
    """Commits checkpoint, case row, events and reviews together, and only onto the thread's head.

    What stores a step is written down, and sent with what the session writes next: an intent, a review, what
    an agent used, the end of the segment. So steps between which nothing was done are one commit; a crash
    before it repeats them, and tells none of them. They are stored before the thread or its story is read.

    The writes of a step with one task are held back and dropped when the step's checkpoint is written down.
    They are stored as soon as the step has a second task, an interrupt or an error.

    Without a projection it is the plain saver on the session (for graphs that are no cases).
    """

    def __init__(self, session: Session, projection: Projection | None = None) -> None:
        super().__init__(session.connection, serde=StrictSerializer())
        self.lock = session.turn
        self._session = session
        self._projection = projection
        self._held: Held | None = None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Write down what stores a checkpoint; it is refused as StaleHead if its parent is not the head.

        That of a lane is stored at once: beside it are other lanes, which its failure is no business of.
        """
        projection, root = self._projection, _root_around(config)
        if projection is None or (root is None and config["configurable"].get("checkpoint_ns")):
            return await super().aput(config, checkpoint, metadata, new_versions)
        parent = config["configurable"].get("checkpoint_id")
        if root is None and self._held is not None and self._held.place == ("", parent):
            self._held = None
        unit = Unit()
        with _written_into(unit):
            stored = await super().aput(config, checkpoint, metadata, new_versions)
        if root is None:
            await projection.checkpoint(unit, parent, checkpoint, new_versions)
            self._session.behind.append(unit)
            return stored
        await projection.lane(unit, root, checkpoint, new_versions)
        async with self._session.pipeline() as cursor:
            await unit.send(cursor)
        return stored

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store a task's writes; an interrupt among them opens its review in the same transaction."""
        projection = self._projection_for(config)
        if projection is None:
            await super().aput_writes(config, writes, task_id, task_path)
            return
        if self._held is None and not any(channel in WRITES_IDX_MAP for channel, _ in writes):
            self._held = Held(config, writes, task_id, task_path)
            return
        await self._write_held_down()
        interrupts = [item for channel, value in writes if channel == _INTERRUPT for item in _listed(value)]
        unit = Unit()
        with _written_into(unit):
            await super().aput_writes(config, writes, task_id, task_path)
        await projection.interrupts(unit, interrupts)
        async with self._session.pipeline() as cursor:
            await unit.send(cursor)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint and its writes, those held back included."""
        await self._write_held_down()
        return await super().aget_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's own name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The checkpoints and their writes, those held back included."""
        await self._write_held_down()
        async for item in super().alist(config, filter=filter, before=before, limit=limit):
            yield item

    async def _write_held_down(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            unit = Unit()
            with _written_into(unit):
                await super().aput_writes(held.config, held.writes, held.task_id, held.task_path)
            self._session.behind.append(unit)

    def _projection_for(self, config: RunnableConfig) -> Projection | None:
        return None if config["configurable"].get("checkpoint_ns") else self._projection

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        if (unit := _unit.get()) is not None:
            yield cast("AsyncCursor[DictRow]", unit)  # of which LangGraph's saver only executes
        else:
            await self._session.catch_up()
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor


@contextmanager
def _written_into(unit: Unit) -> Iterator[None]:
    """Let LangGraph's saver write its statements down, in this task."""
    token = _unit.set(unit)
    try:
        yield
    finally:
        _unit.reset(token)


def _root_around(config: RunnableConfig) -> str | None:
    """The thread's checkpoint in whose step a graph within its graph runs; None for its own graph."""
    configurable = config["configurable"]
    return configurable.get("checkpoint_map", {}).get("") if configurable.get("checkpoint_ns") else None


def _listed(value: Any) -> Sequence[Interrupt]:
    return value if isinstance(value, list | tuple) else (value,)

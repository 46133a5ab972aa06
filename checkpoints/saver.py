"""LangGraph's own AsyncPostgresSaver on a segment's session: the story commits with the state."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

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
from psycopg import AsyncCursor, DatabaseError
from psycopg.rows import DictRow

from checkpoints.errors import StaleHead
from checkpoints.projection import Projection
from checkpoints.serializer import StrictSerializer
from checkpoints.session import Session

STALE_HEAD_STATE = "CS001"
_INTERRUPT = "__interrupt__"

# The unit that the *current task* has open: a sibling task waits for its own turn instead of joining it.
_unit: ContextVar[AsyncCursor[DictRow] | None] = ContextVar("unit", default=None)


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

    The writes of a step with one task are held back and dropped when the step's checkpoint is stored, which
    saves a commit a step; a crash in between repeats that one node, which it may anyway. They are stored
    before anything is read, and as soon as the step has a second task, an interrupt or an error.

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
        """Store a checkpoint; raises StaleHead if its parent is not the head of the thread."""
        projection, root = self._projection, _root_around(config)
        if projection is not None and root is not None:
            async with self._one_unit() as cursor:
                stored = await super().aput(config, checkpoint, metadata, new_versions)
                await projection.lane(cursor, root, checkpoint, new_versions)
            return stored
        projection = self._projection_for(config)
        if projection is None:
            return await super().aput(config, checkpoint, metadata, new_versions)
        parent = config["configurable"].get("checkpoint_id")
        if self._held is not None and self._held.place == ("", parent):
            self._held = None
        async with self._one_unit() as cursor:
            stored = await super().aput(config, checkpoint, metadata, new_versions)
            await projection.checkpoint(cursor, parent, checkpoint, new_versions)
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
        await self._store_held()
        interrupts = [item for channel, value in writes if channel == _INTERRUPT for item in _listed(value)]
        async with self._one_unit() as cursor:
            await super().aput_writes(config, writes, task_id, task_path)
            await projection.interrupts(cursor, interrupts)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint and its writes, those held back included."""
        await self._store_held()
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
        await self._store_held()
        async for item in super().alist(config, filter=filter, before=before, limit=limit):
            yield item

    async def _store_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            async with self._one_unit():
                await super().aput_writes(held.config, held.writes, held.task_id, held.task_path)

    def _projection_for(self, config: RunnableConfig) -> Projection | None:
        return None if config["configurable"].get("checkpoint_ns") else self._projection

    @asynccontextmanager
    async def _one_unit(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        try:
            async with self._session.pipeline() as cursor:
                token = _unit.set(cursor)
                try:
                    yield cursor
                finally:
                    _unit.reset(token)
        except DatabaseError as error:
            if error.sqlstate == STALE_HEAD_STATE:
                raise StaleHead from error
            raise

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        if (unit := _unit.get()) is not None:
            yield unit
        else:
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor


def _root_around(config: RunnableConfig) -> str | None:
    """The thread's checkpoint in whose step a graph within its graph runs; None for its own graph."""
    configurable = config["configurable"]
    return configurable.get("checkpoint_map", {}).get("") if configurable.get("checkpoint_ns") else None


def _listed(value: Any) -> Sequence[Interrupt]:
    return value if isinstance(value, list | tuple) else (value,)

"""Somebody who can write what they like into a thread, and wake it with what they like."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateSnapshot

from checkpoints.cases import Case
from checkpoints.errors import StaleHead
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import Session, fenced_session
from graphs.contexts import context_on
from graphs.runner import MOST_STEPS, Graph
from nodes.context import Context
from nodes.shapes import Json
from tests.house import House
from tools.sandbox.cast import CAST


@dataclass(frozen=True, slots=True)
class Thread:
    """A case's governed graph on its session, exactly as the runner builds it."""

    graph: Graph
    config: RunnableConfig
    context: Context
    session: Session

    async def wake(self, given: Any, **configurable: Any) -> Json:
        """Invoke the graph with whatever the forger gives."""
        config = self.at(**configurable)
        state = await self.graph.ainvoke(given, config, context=self.context, durability="sync")
        await self.session.catch_up()
        return dict(state)

    async def write(self, values: Json | None, as_node: str) -> None:
        """Write values into the head's state in the name of a node."""
        await self.graph.aupdate_state(self.config, values, as_node=as_node)
        await self.session.catch_up()

    async def state(self) -> StateSnapshot:
        """The thread's head."""
        return await self.graph.aget_state(self.config)

    async def value(self, channel: str) -> Json:
        """A copy of what a channel holds, to be altered."""
        return deepcopy(dict((await self.state()).values[channel]))

    async def past(self) -> list[StateSnapshot]:
        """Every checkpoint of the thread, oldest first."""
        return [snapshot async for snapshot in self.graph.aget_state_history(self.config)][::-1]

    def at(self, **configurable: Any) -> RunnableConfig:
        """The thread's config with something else in it."""
        return {**self.config, "configurable": {**self.config["configurable"], **configurable}}


async def thread_on(house: House, case: Case, session: Session) -> Thread:
    """The thread of a case on a session, judged by the tables that it began with."""
    workflow = await house.parts.rulebook.workflow(house.parts.workflows[case.workflow], case.rules)
    saver = GovernedSaver(session, Projection(case.id, house.parts.clock))
    return Thread(
        graph=house.runner._graph(workflow).copy(update={"checkpointer": saver}),
        config={
            "configurable": {"thread_id": case.id, "run_id": case.id},
            "recursion_limit": MOST_STEPS,
        },
        context=context_on(house.parts, case, workflow, session),
        session=session,
    )


@asynccontextmanager
async def forging(house: House, case: Case) -> AsyncIterator[Thread]:
    """The thread of a case in a forger's hands."""
    async with fenced_session(house.parts.database.engine, case.id) as session:
        yield await thread_on(house, case, session)


async def forge(house: House, case: Case, given: Any, **configurable: Any) -> None:
    """Wake a thread once, on a session of its own."""
    async with forging(house, case) as thread:
        await thread.wake(given, **configurable)


async def forge_at(house: House, case: Case, checkpoint_id: str, given: Any) -> None:
    """Wake a thread at an old checkpoint: that is stale, unless LangGraph itself refuses the jump."""
    with pytest.raises((StaleHead, InvalidUpdateError)):
        await forge(house, case, given, checkpoint_id=checkpoint_id)


async def paid(house: House, scene: str) -> list[int]:
    """What really has been refunded on a scene's order, in minor units."""
    return [refund["amount_minor"] for refund in await house.refunds(CAST[scene].order_id)]

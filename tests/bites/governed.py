"""The refund graph as an attacker with a checkpointer in hand would use it: no runner, no guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig

from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import Session, fenced_session
from graphs.contexts import context_on
from graphs.runner import Graph
from nodes.context import Context
from tests.house import House


@dataclass(frozen=True, slots=True)
class Governed:
    """One case's graph, compiled with the governed saver on a fenced session, and its own context."""

    graph: Graph
    context: Context
    config: RunnableConfig
    session: Session

    async def invoke(self, given: Any, config: RunnableConfig | None = None) -> dict[str, Any]:
        """Run the graph with any input at all."""
        state = await self.graph.ainvoke(
            given, config or self.config, context=self.context, durability="sync"
        )
        await self.session.catch_up()
        return dict(state)


@asynccontextmanager
async def governed(house: House, case_id: str) -> AsyncIterator[Governed]:
    """The case's graph, with everything that the runner would give it."""
    case = await house.case(case_id)
    workflow = house.parts.workflows[case.workflow]
    async with fenced_session(house.parts.database.engine, case_id) as session:
        saver = GovernedSaver(session, Projection(case_id, house.parts.clock))
        yield Governed(
            graph=workflow.build().compile(checkpointer=saver),
            context=context_on(house.parts, case, workflow, session),
            config={"configurable": {"thread_id": case_id, "run_id": case_id}, "recursion_limit": 60},
            session=session,
        )

"""A step that a halt is about: whatever wakes it, it looks again."""

from types import SimpleNamespace
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from nodes.halts import stand_still
from tests.conftest import AS_OF


class Went(TypedDict, total=False):
    on: bool


class Switch:
    """Pressed by name, one after the other, each again as soon as the one before is released."""

    def __init__(self, *pressed: str) -> None:
        self.pressed = list(pressed)

    async def halted(self, *, agent: str, tool: str | None) -> list[str]:
        return self.pressed[:1]


async def step(_: Went, runtime: Runtime[Any]) -> Went:
    await stand_still(runtime, "agent:policy")
    return {"on": True}


async def test_a_wake_up_while_another_halt_is_pressed_leads_no_further() -> None:
    graph: Any = StateGraph(Went, context_schema=Any)  # any context will do
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_edge("step", END)
    compiled = graph.compile(checkpointer=InMemorySaver())
    switch = Switch("first", "second")
    refund = SimpleNamespace(name="refund", owner="support_lead")
    context: Any = SimpleNamespace(brakes=switch, clock=lambda: AS_OF, case_id="c-1", workflow=refund)
    config: RunnableConfig = {"configurable": {"thread_id": "c-1"}}
    await compiled.ainvoke({}, config, context=context)

    switch.pressed = ["second"]
    woken = await compiled.ainvoke(Command(resume="awake"), config, context=context)
    assert "on" not in woken

    switch.pressed = []
    assert (await compiled.ainvoke(Command(resume="awake"), config, context=context))["on"]

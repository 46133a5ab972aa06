"""Ask: put what a role may see before its agent, and keep what it says as a finding."""

from typing import Protocol

from langgraph.runtime import Runtime
from pydantic import BaseModel

from nodes.agent import AgentRole, AgentUncertain, LookUp, finding
from nodes.context import Context
from nodes.records import reference
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story
from nodes.workflow import Workflow
from tools.registry import Registry


class Node(Protocol):
    """A step of a graph: what it adds to the state."""

    async def __call__(self, state: CaseState, runtime: Runtime[Context]) -> CaseState:
        """The update."""


def ask(agent: str) -> Node:
    """A node that asks one agent; outcome `ready`, or `uncertain` with the reason."""

    async def asked(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story = Story(runtime, f"agent:{agent}")
        context = runtime.context
        role = context.workflow.agents[agent]
        seen = dict(state["context"][agent])
        look_ups = _look_ups(context.workflow, context.registry, role, context.case, seen)
        try:
            thought = await context.brain.think(role, seen, look_ups)
        except AgentUncertain as uncertain:
            _tell_look_ups(story, uncertain.asked)
            story.tell("agent.uncertain", reason=uncertain.reason, message=str(uncertain))
            return {"outcome": "uncertain", "result": {"reason": uncertain.reason}, "record": story.events}
        _tell_look_ups(story, thought.asked)
        found = finding(role, thought)
        story.tell("agent.found", **found)
        return {"findings": {agent: found}, "outcome": "ready", "record": story.events}

    return asked


def _tell_look_ups(story: Story, asked: tuple[Json, ...]) -> None:
    for look in asked:
        story.tell("agent.looked_up" if look["allowed"] else "agent.denied", **look)


def _look_ups(
    workflow: Workflow, registry: Registry, role: AgentRole, case: Json, seen: Json
) -> tuple[LookUp, ...]:
    """The role's look-ups, each bound to this case's own arguments; their answers leave the prompt."""
    sources = {source.name: source for source in workflow.sources}
    event: dict[str, BaseModel] = {"event": workflow.event.model_validate(case["event"])}
    found: list[LookUp] = []
    for name in role.look_ups:
        source = sources[name]
        tool = registry.describe(source.tool)
        given = {key: reference(event, str(path)) for key, path in source.arguments.items()}
        found.append(
            LookUp(
                tool=tool.name,
                purpose=tool.purpose,
                arguments=tool.arguments,
                allowed=tool.arguments.model_validate(given).model_dump(mode="json"),
                answer=seen.pop(name, {}),
            )
        )
    return tuple(found)

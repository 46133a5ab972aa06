"""Ask: put what a role may see before its agent, and keep what it says as a finding."""

from typing import Protocol

from langgraph.runtime import Runtime

from checkpoints.canonical import digest
from checkpoints.errors import LimitReached
from nodes.agent import HALTED, AgentRole, AgentUncertain, LookUp, finding, said
from nodes.context import Context
from nodes.halts import stand_still, stopped_short
from nodes.records import Records, reference
from nodes.retrieve import OutOfScope, remembered
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story
from nodes.workflow import Workflow
from tools.contract import ToolError
from tools.registry import Registry


class Node(Protocol):
    """A step of a graph: what it adds to the state."""

    async def __call__(self, state: CaseState, runtime: Runtime[Context]) -> CaseState:
        """The update."""


def ask(agent: str) -> Node:
    """A node that asks one agent; outcome `ready`, `uncertain` or `blocked` (a limit) with the reason.

    It waits while the agent is halted.
    """

    async def asked(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        while True:
            await stand_still(runtime, f"agent:{agent}")
            story = Story(runtime, f"agent:{agent}")
            update = await _asked(agent, story, runtime.context, state.get("findings", {}))
            if update is not None:  # else it was halted between two calls of its model
                return update

    asked.agent = agent  # type: ignore[attr-defined] # for whoever proves things about a graph
    return asked


def agent_of(node: object) -> str | None:
    """The agent that a node asks, None of any other node."""
    return getattr(node, "agent", None)


async def _asked(agent: str, story: Story, context: Context, findings: Json) -> CaseState | None:
    try:
        role = await context.brakes.thrift(context.workflow.agents[agent])
        records = {**await remembered(context), **await _heard(context, role, findings)}
    except LimitReached as reached:
        return stopped_short(story, reached)
    except AgentUncertain as uncertain:
        return _uncertain(story, uncertain.reason, str(uncertain))
    except (ToolError, OutOfScope) as failure:
        reason = f"source_{failure.reason}" if isinstance(failure, ToolError) else "out_of_scope"
        return _uncertain(story, reason, "the records cannot be read any more")
    seen = role.view.of(records)
    look_ups = _look_ups(context.workflow, context.registry, role, records, seen)
    try:
        thought = await context.brain.think(role, seen, look_ups)
    except AgentUncertain as uncertain:
        if uncertain.reason == HALTED:
            await context.brakes.count(role, f"{story.task_id}/{uncertain}", uncertain.usage)
            return None
        await context.brakes.count(role, story.task_id, uncertain.usage)
        _tell_look_ups(story, uncertain.asked)
        return _uncertain(story, uncertain.reason, str(uncertain), uncertain.usage)
    await context.brakes.count(role, story.task_id, dict(thought.usage))
    _tell_look_ups(story, thought.asked)
    found = finding(role, thought, context.sealing)
    story.tell("agent.found", seen=digest(role.view.of(records, context.sealing, keep=False)), **found)
    return {"findings": {agent: found}, "outcome": "ready", "step": story.step, "record": story.events}


async def _heard(context: Context, role: AgentRole, findings: Json) -> Records:
    """What other agents have said, as far as this one's role lists it; they come from the state, for reading.

    Raises:
        AgentUncertain: one of them has said nothing that fits.
    """
    others = sorted(context.workflow.agents.keys() & {path.partition(".")[0] for path in role.view.fields})
    opened = await context.sealing.opened({name: findings.get(name) for name in others})
    return {name: said(context.workflow.agents[name], opened) for name in others}


def _uncertain(story: Story, reason: str, message: str, usage: Json | None = None) -> CaseState:
    told: Json = {"reason": reason, "message": message}
    story.tell("agent.uncertain", **told | ({"usage": usage} if usage else {}))
    return {
        "outcome": "uncertain",
        "step": story.step,
        "result": {"reason": reason},
        "record": story.events,
    }


def _tell_look_ups(story: Story, asked: tuple[Json, ...]) -> None:
    for look in asked:
        if look["allowed"]:
            story.tell("agent.looked_up", **look)
        else:  # in a model's own words
            told = {name: story.sealing.token("agent.denied", look[name]) for name in ("tool", "arguments")}
            story.tell("agent.denied", allowed=False, **told)


def _look_ups(
    workflow: Workflow, registry: Registry, role: AgentRole, records: Records, seen: Json
) -> tuple[LookUp, ...]:
    """The role's look-ups, each bound to this case's own arguments; their answers leave the prompt."""
    sources = {source.name: source for source in workflow.sources}
    found: list[LookUp] = []
    for name in role.look_ups:
        source = sources[name]
        tool = registry.describe(source.tool)
        given = {key: reference(records, str(path)) for key, path in source.arguments.items()}
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

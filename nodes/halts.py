"""Standing still: a step that a halt is about waits by an interrupt; a limit that is reached ends its way."""

from uuid import NAMESPACE_OID, uuid5

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from checkpoints.audit import Event
from checkpoints.errors import LimitReached
from checkpoints.projection import HALT_KEY
from nodes.context import Context
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story


async def stand_still(runtime: Runtime[Context], agent: str, tool: str | None = None) -> None:
    """Go on at once unless a halt is about this; whatever wakes the step, it looks again.

    Args:
        runtime: the step's.
        agent: who proposes, or is asked, as the record names it.
        tool: what would run, if anything.
    """
    while halts := await runtime.context.brakes.halted(agent=agent, tool=tool):
        interrupt({HALT_KEY: _wait(runtime, agent, tool, halts)})


def _wait(runtime: Runtime[Context], agent: str, tool: str | None, halts: list[str]) -> Json:
    assert runtime.execution_info is not None
    context = runtime.context
    now, told = context.clock(), {"halts": halts, "agent": agent, "tool": tool}
    event = Event(
        id=str(uuid5(NAMESPACE_OID, f"{runtime.execution_info.task_id}/halted/{'/'.join(halts)}")),
        case_id=context.case_id,
        kind="case.halted",
        actor="rule:halt",
        at=now,
        data=told,
    )
    return {
        "workflow": context.workflow.name,
        "agent": agent,
        "tool": tool,
        "since": now.isoformat(),
        "owner": context.workflow.owner,
        "event": event.to_json(),
    }


def stopped_short(story: Story, reached: LimitReached) -> CaseState:
    """Outcome `blocked`, with the limit for its reason, told with its number and the count."""
    story.tell("limit.reached", **reached.to_json())
    return {
        "outcome": "blocked",
        "step": story.step,
        "result": {"reason": reached.reason},
        "record": story.events,
    }

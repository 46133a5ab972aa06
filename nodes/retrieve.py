"""Retrieve: read the case's records and check whose they are; they stay in memory, never in the state."""

from langgraph.runtime import Runtime

from nodes.context import Context
from nodes.records import Records
from nodes.state import CaseState, standing
from nodes.story import Story
from tools.contract import ToolError, ToolNotAdmitted, ToolRefused


class OutOfScope(Exception):
    """A record is somebody else's."""


async def retrieve(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
    """Outcome `ready`, or `rejected` (records of somebody else) or `blocked` (a system does not answer)."""
    story = Story(runtime, "rule:retrieve")
    context = runtime.context
    context.memory.records = None
    try:
        records = await remembered(context)
    except ToolNotAdmitted as unusable:
        return _stopped(story, "blocked", unusable.reason, str(unusable))
    except ToolRefused as refusal:
        return _stopped(story, "rejected", refusal.reason, str(refusal))
    except ToolError as failure:
        return _stopped(story, "blocked", f"source_{failure.reason}", str(failure))
    except OutOfScope as strangers:
        story.tell("context.refused", reason="out_of_scope", message=str(strangers))
        return {"outcome": "rejected", "result": {"reason": "out_of_scope"}, "record": story.events}
    story.tell("context.retrieved", records=sorted(records), roles=sorted(context.workflow.agents))
    return {"outcome": "ready", "standing": standing("running"), "record": story.events}


async def remembered(context: Context) -> Records:
    """The case's records as this segment has read them; read, and checked, by whoever needs them first.

    They stay in the process: after a crash another worker reads them again.

    Raises:
        OutOfScope: one is somebody else's.
        ToolError: a system does not answer, or refuses.
    """
    if context.memory.records is None:
        records = await context.judge.reader.records(context.case)
        if strangers := context.judge.reader.out_of_scope(records):
            raise OutOfScope("; ".join(strangers))
        context.memory.records = records
    return context.memory.records


def _stopped(story: Story, outcome: str, reason: str, message: str) -> CaseState:
    story.tell("context.refused", reason=reason, message=story.sealing.token("tool.error", message))
    return {"outcome": outcome, "step": story.step, "result": {"reason": reason}, "record": story.events}

"""Retrieve: read the case's records, check whose they are, and give each role only what it may see."""

from langgraph.runtime import Runtime

from nodes.context import Context
from nodes.records import Records
from nodes.shapes import Json
from nodes.state import CaseState, standing
from nodes.story import Story
from nodes.workflow import Workflow
from tools.contract import ToolError, ToolRefused


async def retrieve(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
    """Outcome `ready`, or `rejected` (records of somebody else) or `blocked` (a system does not answer)."""
    story = Story(runtime, "rule:retrieve")
    judge, workflow = runtime.context.judge, runtime.context.workflow
    try:
        records = await judge.records(runtime.context.case)
    except ToolRefused as refusal:
        return _stopped(story, "rejected", refusal.reason, str(refusal))
    except ToolError as failure:
        return _stopped(story, "blocked", f"source_{failure.reason}", str(failure))
    if strangers := judge.out_of_scope(records):
        return _stopped(story, "rejected", "out_of_scope", "; ".join(strangers))
    story.tell("context.retrieved", records=sorted(records), roles=sorted(workflow.agents))
    return {
        "context": _views(workflow, records),
        "outcome": "ready",
        "standing": standing("running"),
        "record": story.events,
    }


def _views(workflow: Workflow, records: Records) -> Json:
    return {name: role.view.of(records) for name, role in workflow.agents.items()}


def _stopped(story: Story, outcome: str, reason: str, message: str) -> CaseState:
    story.tell("context.refused", reason=reason, message=message)
    return {"outcome": outcome, "result": {"reason": reason}, "record": story.events}

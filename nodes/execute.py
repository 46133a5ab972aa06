"""Execute: hand the proposal to the gateway, and route by what became of it."""

from dataclasses import replace

from langgraph.runtime import Runtime

from nodes.action import Proposal
from nodes.context import Context
from nodes.execution import End
from nodes.gateway import MOST_REVISIONS
from nodes.halts import stand_still
from nodes.state import CaseState, standing
from nodes.story import Story
from nodes.stuck import RETRIED


async def execute(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `done`, `changed` (judge again), `failed`, `unknown` or `blocked`; waits while it is halted."""
    story = Story(runtime, "gateway")
    proposal = Proposal.from_json(state["proposal"])
    shown = state.get("verdict", {}).get("facts", {})
    while True:
        await stand_still(runtime, proposal.proposer, proposal.tool)
        execution = await runtime.context.gateway.execute(runtime.context.case, proposal, shown, story.event)
        if execution.end is not End.HALTED:  # else it was halted in between, by what the loop finds
            break
    if execution.end is End.FAILED and state.get("outcome") == RETRIED:
        # It was not done, and somebody wants it tried: as a new deed, which is judged, and signed, anew.
        execution = replace(execution, end=End.CHANGED, reason=RETRIED)
    if execution.end is End.CHANGED and proposal.revision >= MOST_REVISIONS:
        execution = replace(execution, end=End.BLOCKED, reason="facts_keep_moving")
    if execution.judgement is not None:
        story.tell("verdict.given", stage="execution", **execution.judgement)
    if execution.limit is not None:
        story.tell("limit.reached", **execution.limit)
    named = {"proposal": proposal.id, "tool": proposal.tool, "key": proposal.key}
    story.tell("action.executed", **named, **execution.to_json())
    update: CaseState = {
        "outcome": execution.end.value,
        "step": story.step,
        "result": execution.to_json(),
        "record": story.events,
    }
    if execution.end is End.CHANGED:
        update["proposal"] = proposal.revised().to_json()
        update["standing"] = standing("running", execution.reason)
    if execution.end is End.DONE:
        update["standing"] = standing("executed")
    return update

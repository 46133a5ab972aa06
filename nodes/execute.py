"""Execute: hand the proposal to the gateway, and route by what became of it."""

from dataclasses import replace

from langgraph.runtime import Runtime

from checkpoints.effects import EffectState
from nodes.action import Proposal
from nodes.context import Context
from nodes.execution import End, Execution
from nodes.gateway import MOST_REVISIONS
from nodes.halts import stand_still
from nodes.state import CaseState, standing
from nodes.story import Story
from nodes.stuck import RETRIED


async def execute(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `done`, `changed` (judge again), `failed`, `unknown` or `blocked`; waits while it is halted."""
    story, proposal = Story(runtime, "gateway"), Proposal.from_json(state["proposal"])
    return _update(story, proposal, await _executed(state, runtime, story, proposal))


async def settle(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Find out what became of a deed that was begun; outcomes as of `execute`.

    It begins nothing: a deed that was not begun, or is known to have failed, goes back to its judge, to be
    judged, and signed, anew. So it may be reached without passing the judge.
    """
    story, proposal = Story(runtime, "gateway"), Proposal.from_json(state["proposal"])
    known = await runtime.context.gateway.ledger.effect(proposal.key)
    if known is None or known.state is EffectState.FAILED:
        return _update(story, proposal, Execution(end=End.CHANGED, reason=RETRIED))
    return _update(story, proposal, await _executed(state, runtime, story, proposal))


async def _executed(
    state: CaseState, runtime: Runtime[Context], story: Story, proposal: Proposal
) -> Execution:
    shown = state.get("verdict", {}).get("facts", {})
    while True:
        await stand_still(runtime, proposal.proposer, proposal.tool)
        execution = await runtime.context.gateway.execute(runtime.context.case, proposal, shown, story.event)
        if execution.end is not End.HALTED:  # else it was halted in between, by what the loop finds
            return execution


def _update(story: Story, proposal: Proposal, execution: Execution) -> CaseState:
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

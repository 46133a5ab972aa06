"""Weigh: put the proposal to the rules, and keep the verdict with everything it was based on."""

from langgraph.runtime import Runtime

from nodes.action import Proposal
from nodes.context import Context
from nodes.rules import Outcome
from nodes.state import CaseState
from nodes.story import Story


async def weigh(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `allow`, `review`, `refuse` or `investigate`."""
    story = Story(runtime, "rule:judge")
    context = runtime.context
    judgement = await context.judge.judge(context.case, Proposal.from_json(state["proposal"]))
    judged = judgement.to_json() | {"changes": state.get("result", {}).get("changes", [])}
    story.tell("verdict.given", stage="proposal", **judged)
    then = judgement.verdict.then
    asked = judgement.verdict.outcome is Outcome.REVIEW  # what nobody is shown is not kept either
    view, records = context.workflow.reviewer_view, judgement.records
    verdict = judged | {
        "evidence": view.of(records, context.sealing) if asked else {},
        "due": {"seconds": int(then.due.total_seconds()), "working": then.working},
        "hold": int(then.hold.total_seconds()),
        "ladder": [
            {
                "role": rung.role,
                "people": rung.people,
                "stage": rung.stage,
                "asked": rung.role,
                "above": list(then.above),
                "why": judgement.verdict.says,
            }
            for rung in then.steps
        ],
    }
    update: CaseState = {
        "verdict": verdict,
        "outcome": judgement.verdict.outcome.value,
        "step": story.step,
        "record": story.events,
    }
    if judgement.verdict.outcome in {Outcome.REFUSE, Outcome.INVESTIGATE}:
        update["result"] = {"reason": then.reason, "owner": then.owner}
    return update

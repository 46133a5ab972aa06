"""Weigh: put the proposal to the rules, and keep the verdict with everything it was based on."""

from contextlib import suppress

from langgraph.runtime import Runtime

from checkpoints.sealing import SealBroken
from nodes.action import Proposal
from nodes.agent import AgentUncertain, said
from nodes.context import Context
from nodes.flags import flagged
from nodes.records import Records, Said
from nodes.rules import Outcome, Verdict
from nodes.shapes import Json
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
        "flags": flagged({**records, **await _said(context, state)}) if asked else [],
        "due": {"seconds": int(then.due.total_seconds()), "working": then.working},
        "hold": int(then.hold.total_seconds()),
        "ladder": _ladder(judgement.verdict),
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


def _ladder(verdict: Verdict) -> list[Json]:
    """Whom the rules ask, rung by rung, as a review keeps it."""
    return [
        {
            "role": rung.role,
            "people": rung.people,
            "stage": rung.stage,
            "asked": rung.role,
            "above": list(verdict.then.above),
            "why": verdict.says,
        }
        for rung in verdict.then.steps
    ]


async def _said(context: Context, state: CaseState) -> Records:
    """What agents have said, to be read for what is conspicuous; what does not fit is left out."""
    agents, findings = context.workflow.agents, state.get("findings", {})
    heard: dict[str, Said] = {}
    for name in sorted(agents.keys() & findings.keys()):
        with suppress(AgentUncertain, SealBroken):
            heard[name] = said(agents[name], {name: await context.sealing.opened(findings[name])})
    return heard

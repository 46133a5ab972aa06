"""The gate: it only waits. Whatever wakes it, it believes the decision row alone."""

from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from checkpoints.audit import Event
from checkpoints.canonical import digest
from checkpoints.errors import LimitReached
from checkpoints.reviews import Decision, ReviewKind, ReviewStatus
from checkpoints.votes import VoteKind
from nodes.action import Proposal, differences
from nodes.context import Context
from nodes.edits import edited
from nodes.eligibility import open_rungs
from nodes.halts import stopped_short
from nodes.hours import after
from nodes.reversing import undo_text
from nodes.shapes import Json
from nodes.state import CaseState, standing
from nodes.story import Story
from tools.contract import Reversibility, Tool


async def gate(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `approved`, `rejected`, `expired` or `superseded` (somebody edited it: judge again).

    As the decision row says; until there is one, it waits. `blocked` if people have been asked too often.
    """
    story = Story(runtime, "rule:gate")
    review_id = Proposal.from_json(state["proposal"]).review_id
    if await runtime.context.reviews.decision(review_id) is None:  # its review would be a new one
        try:
            await runtime.context.brakes.require_askable(str(state["proposal"]["proposer"]))
        except LimitReached as reached:
            return stopped_short(story, reached)
    while (decision := await _decided(runtime.context, review_id)) is None:
        interrupt(_request(state, runtime.context, review_id))
    story.tell("gate.passed", review=review_id, status=decision.status.value)
    if decision.status is ReviewStatus.SUPERSEDED:
        return _edited(decision, story)
    return {
        "outcome": decision.status.value,
        "result": {"reason": f"review_{decision.status}", "owner": None},
        "standing": _standing(decision),
        "record": story.events,
    }


async def _decided(context: Context, review_id: str) -> Decision | None:
    """The decision that counts; one that can still be taken back does not yet, whoever wakes the gate."""
    decision = await context.reviews.decision(review_id)
    if decision is None or decision.status is ReviewStatus.OPEN:
        return None
    held = decision.held_until is not None and decision.held_until > context.clock()
    return None if held else decision


def _edited(decision: Decision, story: Story) -> CaseState:
    """The action as the last editor wants it, to be judged like any other."""
    edits = [vote for vote in decision.votes if vote.kind is VoteKind.EDIT]
    values = edited(decision.action["arguments"], edits[-1].patch or [])
    proposal = Proposal.from_json(decision.shown["proposal"]).with_literals(values)
    arguments: Json = decision.action["arguments"]
    changes = differences(arguments, {**arguments, **values}, "arguments.")
    story.tell("action.edited", actor=edits[-1].person, changes=changes, **proposal.to_json())
    return {
        "proposal": proposal.to_json(),
        "outcome": decision.status.value,
        "result": {"reason": "edited", "changes": changes},
        "standing": standing("running", "edited"),
        "record": story.events,
    }


def _standing(decision: Decision) -> Json:
    approved = decision.status is ReviewStatus.APPROVED
    return standing("approved" if approved else "rejected", f"review_{decision.status}")


def _request(state: CaseState, context: Context, review_id: str) -> Json:
    """A LangChain HITLRequest with exactly one action, and the review beside it."""
    action = state["verdict"]["action"]
    name, arguments = action["tool"], action["arguments"]
    return {
        "action_requests": [{"name": name, "args": arguments, "description": state["proposal"]["reason"]}],
        "review_configs": [
            {
                "action_name": name,
                "allowed_decisions": ["approve", "edit", "reject", "respond"],
                "args_schema": context.registry.describe(name).arguments.model_json_schema(),
            }
        ],
        "countersign": _review(state, context, review_id),
    }


def _review(state: CaseState, context: Context, review_id: str) -> Json:
    """The review's row; what of it the state could have forged is held against the rules before the deed."""
    judged, now = state["verdict"], context.clock()
    action, verdict, ladder = judged["action"], judged["verdict"], judged["ladder"]
    signed = digest(action)  # of what is shown: the state may name another
    tool = context.registry.describe(action["tool"])
    amount = context.workflow.rulings[tool.name].amount(action["arguments"])
    shown = _shown(state, tool)
    told = {"review": review_id, "digest": signed, "shown": digest(shown), "ladder": ladder}
    told |= {"proposal": action["proposal"], "review_kind": ReviewKind.GATE.value}
    return {
        "id": review_id,
        "workflow": context.workflow.name,
        "tool": tool.name,
        "rule": verdict["row"],
        "title": str(context.case["title"]),
        "action": action,
        "digest": signed,
        "shown": shown | {"digest": told["shown"]},
        "ladder": ladder,
        "roles": [ladder[at]["role"] for at in open_rungs(ladder, ())],
        "risk": verdict["risk"],
        "reversible": tool.reversibility is Reversibility.REVERSIBLE,
        "against": verdict["against"],
        "owner": ladder[0]["role"],
        "amount_minor": amount[0] if amount else None,
        "currency": amount[1] if amount else None,
        "expires_at": action["expires_at"],
        "hold_seconds": judged.get("hold", 0),
        "event": _opened(context, review_id, now, told).to_json(),
        **_times(judged["due"], context, now),
    }


def _shown(state: CaseState, tool: Tool) -> Json:
    """What a reviewer sees beside the action."""
    judged = state["verdict"]
    return {
        "verdict": judged["verdict"],
        "facts": judged["facts"],
        "evidence": judged["evidence"],
        "flags": judged.get("flags", []),
        "proposal": state["proposal"],
        "recommendation": state.get("findings", {}),
        "changes": judged["changes"],
        "reversibility": undo_text(tool),
    }


def _times(due: Json, context: Context, now: datetime) -> Json:
    """By when the first rung is due, and when it is reminded: half-way there."""
    hours = context.workflow.hours if due["working"] else None
    due_at = after(now, timedelta(seconds=due["seconds"]), hours)
    return {
        "opened_at": now.isoformat(),
        "due_at": due_at.isoformat(),
        "due_seconds": due["seconds"],
        "due_working": due["working"],
        "remind_at": (now + (due_at - now) / 2).isoformat(),
    }


def _opened(context: Context, review_id: str, now: datetime, told: Json) -> Event:
    return Event(
        id=str(uuid5(NAMESPACE_OID, f"{review_id}/opened")),
        case_id=context.case_id,
        kind="review.opened",
        actor="rule:gate",
        at=now,
        data=told,
    )

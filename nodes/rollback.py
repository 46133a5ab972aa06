"""The steps of a rollback: hold the plan against the ledger, propose one undo after the other, and end."""

from datetime import datetime

from langgraph.runtime import Runtime

from nodes.action import Proposal
from nodes.context import Context
from nodes.rollback_plan import Item, Plan, plan_of
from nodes.shapes import Json
from nodes.state import CaseState, standing
from nodes.story import Story
from nodes.undoing import ROLLBACK, undo_proposal

DONE = "done"


async def plan(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
    """Outcome `ready`, or `stale` if the ledger is not what whoever asked was shown."""
    story, context = Story(runtime, ROLLBACK), runtime.context
    asked: Json = context.case["rollback"]
    found = await _plan(context, datetime.fromisoformat(asked["at"]))
    if found.digest != asked["digest"]:
        story.tell("rollback.refused", reason="plan_stale", digest=found.digest)
        return {"outcome": "stale", "result": {"reason": "plan_stale"}, "record": story.events}
    story.tell("rollback.began", number=asked["number"], digest=found.digest, plan=found.to_json())
    return {"outcome": "ready", "result": {}, "standing": standing("running"), "record": story.events}


async def next_undo(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `proposed`, `pending` (an undo that was begun before is asked after), or `over`."""
    story, context = Story(runtime, ROLLBACK), runtime.context
    skipped = {**state.get("skipped", {}), **_skipped(state)}
    left = [item for item in (await _plan(context, context.clock())).steps if item.key not in skipped]
    if not left:
        return {"outcome": "over", "skipped": skipped}
    proposal = await _proposal(context, left[0])
    story.tell("action.proposed", actor=ROLLBACK, **proposal.to_json())
    return {
        "proposal": proposal.to_json(),
        "outcome": "pending" if left[0].pending else "proposed",
        "result": {},
        "skipped": skipped,
        "standing": standing("running"),
        "record": story.events,
    }


def _skipped(state: CaseState) -> Json:
    """The deed whose undo was proposed last, with the reason, unless it was undone."""
    undoes = state.get("proposal", {}).get("undoes")
    if not undoes or state.get("outcome") == DONE:
        return {}
    return {undoes: (state.get("result") or {}).get("reason") or str(state.get("outcome"))}


async def _proposal(context: Context, item: Item) -> Proposal:
    effect = await context.gateway.ledger.effect(item.key)
    assert effect is not None, "the plan is made of what is in the ledger"
    if item.pending is None:
        step = f"undo-{context.case['rollback']['number']}-{_within(context, item.key)}"
        return undo_proposal(effect, context.registry, step=step, revision=1)
    step, _, revision = _within(context, item.pending).rpartition(":")
    return undo_proposal(effect, context.registry, step=step, revision=int(revision))


def _within(context: Context, key: str) -> str:
    """What a deed's key says beside the case."""
    return key.removeprefix(f"{context.case_id}:")


async def end(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Leave the case `rolled_back`, or `escalated` with what the ledger says by now, and an owner."""
    story, context = Story(runtime, ROLLBACK), runtime.context
    found = await _plan(context, context.clock())
    reason = _reason(found, state)
    status, owner = ("escalated", context.workflow.owner) if reason else ("rolled_back", None)
    kept = [item.to_json() for item in (*found.steps, *found.lasting)]
    skipped = state.get("skipped", {})
    story.tell(f"case.{status}", reason=reason, owner=owner, left=kept, skipped=skipped)
    return {"standing": standing(status, reason, owner), "record": story.events}


def _reason(found: Plan, state: CaseState) -> str | None:
    left = (*found.steps, *found.lasting)
    if state.get("outcome") == "stale":
        return "plan_stale"
    if not left:
        return None if found.items else "nothing_to_roll_back"
    if len(left) < len(found.items):
        return "partly_rolled_back"
    return "rollback_failed" if state.get("skipped") else "nothing_to_roll_back"


async def _plan(context: Context, at: datetime) -> Plan:
    effects = await context.gateway.ledger.effects(context.case_id)
    return plan_of(effects, context.registry, at)

"""The enrichment's own steps: which field comes next, what is proposed for it, and how each field ends."""

from typing import Any

from langgraph.runtime import Runtime

from graphs.enrichment.records import TOPICS, due, target_of
from nodes.action import Proposal, Ref
from nodes.agent import AgentUncertain, said
from nodes.context import Context
from nodes.retrieve import OutOfScope, remembered
from nodes.shapes import Json
from nodes.state import CaseState, standing
from nodes.story import Story
from tools.contract import ToolError
from tools.sandbox.accounts.records import Account
from tools.sandbox.crm.vocabulary import FieldName

PUT_OFF = "put_off"
"""The end of a field for which people are to be asked, once the rules have written what they may."""
_ENDS = {"done": "written", "refuse": "left", "blocked": "left", "review": PUT_OFF}
"""How a field ends by the outcome of its last step; what people said no to is declined."""
_LEAVES = {"account_not_active", "equal_value", "not_due", "turned_down_in_this_case"}
"""Refusals that are the end of one field, and of nothing else."""


async def look(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
    """Outcome `due`, `over` with the reason why nothing is to be done, or `blocked` (a system is away)."""
    story = Story(runtime, "rule:look")
    try:
        records = await remembered(runtime.context)
    except (ToolError, OutOfScope) as failure:
        return _unread(story, failure)
    account = records["account"]
    assert isinstance(account, Account)
    fields = due(records)
    reason = f"account_{account.status}" if account.status != "active" else "nothing_due"
    over = account.status != "active" or not fields
    story.tell("fields.looked_at", due=[] if over else fields, reason=reason if over else None)
    return {
        "outcome": "over" if over else "due",
        "step": story.step,
        "result": {"reason": reason} if over else {},
        "record": story.events,
    }


async def close_early(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Close a case in which nothing is to be done, for the reason the look at it gave."""
    story, reason = Story(runtime, "rule:look"), state.get("result", {}).get("reason")
    story.tell("case.closed", reason=reason, owner=None)
    return {"standing": standing("closed", reason), "record": story.events}


async def next_field(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `first` or `again` with a proposal for the next field, or `over`.

    `uncertain` if a finding does not fit, `blocked` if a system is away. First come the fields that were not
    looked at yet, then those that were put off.
    """
    story, context = Story(runtime, "rule:next_field"), runtime.context
    try:
        found, records = _found(context, state.get("findings", {})), await remembered(context)
    except AgentUncertain as uncertain:
        return {"outcome": "uncertain", "step": story.step, "result": {"reason": uncertain.reason}}
    except (ToolError, OutOfScope) as failure:
        return _unread(story, failure)
    ends = dict(state.get("lanes", {}))
    for field in TOPICS:
        why = _why_not(found[field]["value"], target_of(records, field).value, is_due=field in due(records))
        if field not in ends and why is not None:
            ends[field] = _ended(story, field, "left", why)
    left = sorted((f for f in TOPICS if _open(ends, f)), key=lambda f: f in ends)
    update: CaseState = {"lanes": ends, "result": {}, "standing": standing("running"), "step": story.step}
    if not left:
        told = {field: ends[field]["outcome"] for field in TOPICS}
        story.tell("fields.ended", **told)
        return {**update, "outcome": "over", "record": story.events}
    proposal = _proposal(context, left[0], found[left[0]], ends.get(left[0], {}))
    story.tell("action.proposed", actor=proposal.proposer, **proposal.to_json())
    outcome = "again" if left[0] in ends else "first"
    return {**update, "proposal": proposal.to_json(), "outcome": outcome, "record": story.events}


async def note(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Outcome `noted`: the field's end is told; anything that is none goes on as the outcome it was."""
    story, outcome = Story(runtime, "rule:next_field"), str(state.get("outcome"))
    told = (state.get("result") or {}).get("reason")
    reason = str(told or state.get("verdict", {}).get("verdict", {}).get("reason"))
    if outcome in {"refuse", "blocked"} and reason not in _LEAVES:
        return {"outcome": outcome}
    revision = int(state["proposal"]["revision"])
    end = _ended(story, _field(state), _ENDS.get(outcome, "declined"), reason, revision=revision)
    return {
        "lanes": {_field(state): end},
        "outcome": "noted",
        "standing": standing("running"),
        "record": story.events,
    }


def _unread(story: Story, failure: ToolError | OutOfScope) -> CaseState:
    reason = f"source_{failure.reason}" if isinstance(failure, ToolError) else "out_of_scope"
    return {"outcome": "blocked", "step": story.step, "result": {"reason": reason}}


def _found(context: Context, findings: Json) -> dict[FieldName, Json]:
    """By field its value, how sure the agent is of it, and the evidence."""
    found = {}
    for field, topic in TOPICS.items():
        finding = said(context.workflow.agents[topic.agent], findings)
        parts = {"value": field, "percent": f"{field}_percent", "evidence": f"{field}_evidence"}
        found[field] = {part: getattr(finding, name) for part, name in parts.items()}
    return found


def _why_not(value: str | None, now: str | None, *, is_due: bool) -> str | None:
    """Why nothing is proposed for a field; None if something is."""
    if not is_due:
        return "not_due"
    if value is None:
        return "not_found"
    return "equal_value" if value == now else None


def _open(ends: Json, field: str) -> bool:
    return field not in ends or ends[field]["outcome"] == PUT_OFF


def _ended(story: Story, field: str, end: str, reason: str, **more: Any) -> Json:
    kind = "field.put_off" if end == PUT_OFF else "field.ended"
    story.tell(kind, field=field, end=end, reason=reason)
    return {"outcome": end, "result": {"reason": reason, **more}}


def _field(state: CaseState) -> str:
    """The field that the proposal of now is about."""
    return str(state["proposal"]["step"]).removeprefix("set_")


def _proposal(context: Context, field: FieldName, found: Json, before: Json) -> Proposal:
    """A field's value from its finding; what it is written to, and at which version, from our own records."""
    topic = TOPICS[field]
    return Proposal(
        case_id=context.case_id,
        step=f"set_{field}",
        revision=int(before.get("result", {}).get("revision", 1)),
        tool="crm.set_field",
        tool_version=context.registry.describe("crm.set_field").version,
        arguments={
            "account_id": Ref("account.account_id"),
            "field": Ref(f"{field}.field"),
            "value": Ref(topic.value(field)),
            "expected_version": Ref(f"{field}.expected_version"),
        },
        proposer=f"agent:{topic.agent}",
        reason=f"{field} is {found['value']}, with {found['percent']} % confidence.",
        evidence=tuple(found["evidence"]),
        advice={"confidence_percent": found["percent"]},
    )

"""The vendor workflow's own steps: what is missing, which account it is, and waiting for answers."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from langgraph.runtime import Runtime

from graphs.vendor.agents import Extraction
from graphs.vendor.checks import Checks, checked
from graphs.vendor.proposals import request
from graphs.vendor.records import Request
from nodes.agent import AgentUncertain, said
from nodes.ask import Node
from nodes.context import Context
from nodes.propose import propose
from nodes.records import Records
from nodes.retrieve import OutOfScope, remembered
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story
from tools.contract import ToolError
from tools.sandbox.vendors.accounts import VendorAccounts
from tools.sandbox.vendors.documents import VendorDocuments
from tools.sandbox.vendors.messages import VendorMessages

ANSWERS_WITHIN = timedelta(days=14)
"""How long a vendor has to send what it was asked for."""
_OWNER = "procurement"

_Step = Callable[[Story, Context, Records, CaseState], Awaitable[CaseState]]


def _with_records(step: _Step, *, afresh: bool = False) -> Node:
    """A node that is given the case's records; `blocked` if they cannot be read."""

    async def node(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story, context = Story(runtime, "rule:vendor"), runtime.context
        if afresh:
            context.memory.records = None
        try:
            records = await remembered(context)
            return await step(story, context, records, state)
        except ToolError as failure:
            return _said(story, "blocked", {"reason": f"source_{failure.reason}"})
        except OutOfScope:
            return _said(story, "blocked", {"reason": "out_of_scope"})
        except AgentUncertain as uncertain:
            return _said(story, "uncertain", {"reason": uncertain.reason})

    return node


async def _check(story: Story, context: Context, records: Records, state: CaseState) -> CaseState:
    """Outcome `complete`, `missing` (the vendor is asked), or `uncertain` (people look)."""
    checks = await _checks(context, records, state)
    found = sorted(one.field for one in checks.fields)
    story.tell("dossier.checked", proven=found, missing=checks.missing, doubts=checks.doubts)
    if checks.doubts:
        return _said(story, "uncertain", {"reason": checks.doubts[0], "owner": _OWNER})
    return _said(story, "missing" if checks.missing else "complete", {})


async def _compare(story: Story, context: Context, records: Records, state: CaseState) -> CaseState:
    """Outcome `known` if the account was endorsed before, else `new`."""
    checks, accounts = await _checks(context, records, state), records["accounts"]
    assert isinstance(accounts, VendorAccounts)
    newest = accounts.ibans[0] if accounts.ibans else None
    return _said(story, "known" if checks.iban == newest else "new", {})


async def _checks(context: Context, records: Records, state: CaseState) -> Checks:
    """What the state's finding is worth: for the way through the graph; what is done is checked anew."""
    opened = await context.sealing.opened(state.get("findings", {}))
    extraction: Extraction = said(context.workflow.agents["extractor"], opened)
    return checked(records, extraction, context.clock())


async def _await_answer(story: Story, context: Context, records: Records, _state: CaseState) -> CaseState:
    """Outcome `informed` once there are newer documents than the request, `silent` after the deadline.

    Until then `waiting`.
    """
    messages, documents = records["messages"], records["documents"]
    assert isinstance(messages, VendorMessages)
    assert isinstance(documents, VendorDocuments)
    asked_at = max((one.created_at for one in messages.messages), default=context.clock())
    if any(one.received_at > asked_at for one in documents.documents):
        story.tell("dossier.answered", documents=len(documents.documents))
        return _said(story, "informed", {})
    return _unanswered(story, asked_at + ANSWERS_WITHIN, context.clock())


def _unanswered(story: Story, deadline: datetime, now: datetime) -> CaseState:
    if now >= deadline:
        return _said(story, "silent", {"reason": "vendor_silent", "owner": _OWNER})
    waits = {"reason": "documents_missing", "owner": _OWNER, "wake_at": deadline.isoformat()}
    return _said(story, "waiting", waits)


async def ask_vendor(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Propose the message of this turn."""

    async def turned(_story: Story, _context: Context, records: Records, state: CaseState) -> CaseState:
        asked = records["request"]
        assert isinstance(asked, Request)
        return await propose(lambda _, context: request(context, asked))(state, runtime)

    return await _with_records(turned, afresh=True)(state, runtime)


async def open_lanes(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
    """Where the departments' ways part."""
    story = Story(runtime, "rule:vendor")
    story.tell("clearance.asked", departments=["legal", "finance", "procurement"])
    return {"outcome": "ready", "record": story.events}


def _said(story: Story, outcome: str, result: Json) -> CaseState:
    return {"outcome": outcome, "step": story.step, "result": result, "record": story.events}


check = _with_records(_check)
compare_account = _with_records(_compare)
await_answer = _with_records(_await_answer, afresh=True)

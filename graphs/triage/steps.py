"""The triage's own steps: where a ticket goes, and the one reply that is proposed, by fixed code.

The steps only choose a way. What may be sent, the rules decide by what the log and the records say.
"""

from collections.abc import Callable

from langgraph.runtime import Runtime

from graphs.triage.agents import Classification, Resolution
from graphs.triage.answers import BY_HAND, answer_of
from graphs.triage.subject import Matter
from nodes.action import Proposal, Ref
from nodes.agent import AgentUncertain, said
from nodes.ask import Node
from nodes.context import Context
from nodes.records import Records
from nodes.retrieve import OutOfScope, remembered
from nodes.state import CaseState
from nodes.story import Story
from tools.contract import ToolError
from tools.sandbox.customers import Customer
from tools.sandbox.tickets import Ticket

SURE_PERCENT = 70
"""From here on an agent's word leads to an answer or a hand-over that no person has looked at."""


def sort(choose: Callable[[CaseState, Context, Records], tuple[str, str]]) -> Node:
    """A node that chooses a way by the records and what was found: `(outcome, why)`, both on the record.

    Outcome `blocked` if the records cannot be read any more, or a finding does not fit.
    """

    async def sorted_(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story, context = Story(runtime, "rule:sort"), runtime.context
        try:
            outcome, why = choose(state, context, await remembered(context))
        except AgentUncertain as unfit:
            outcome, why = "blocked", unfit.reason
        except OutOfScope:
            outcome, why = "blocked", "out_of_scope"
        except ToolError as failure:
            outcome, why = "blocked", f"source_{failure.reason}"
        story.tell("case.sorted", to=outcome, why=why)
        return {"outcome": outcome, "step": story.step, "result": {"reason": why}, "record": story.events}

    return sorted_


def is_open(_state: CaseState, _context: Context, records: Records) -> tuple[str, str]:
    """Whether anybody still waits for an answer to the ticket."""
    ticket = records["ticket"]
    assert isinstance(ticket, Ticket)
    return ("closed", "ticket_closed") if ticket.status == "closed" else ("open", "ticket_open")


def is_refund(state: CaseState, context: Context, records: Records) -> tuple[str, str]:
    """Whether the refund takes over: it is surely one, for an order of theirs, and nothing alarms.

    Whatever stands against it leads to a person. The refund judges what it takes over by its own rules.
    """
    found: Classification = said(context.workflow.agents["classifier"], state["findings"])
    matter, customer = records["matter"], records["customer"]
    assert isinstance(matter, Matter)
    assert isinstance(customer, Customer)
    if found.category != "refund_request":
        return "other", "no_refund_asked"
    if matter.order_id is None:
        return "other", "no_order_of_theirs"
    if found.confidence_percent < SURE_PERCENT:
        return "other", "not_sure"
    if found.risk != "none" or matter.alarming or customer.status != "active":
        return "other", "risk"
    return "refund", "refund_asked"


def is_said_by_records(state: CaseState, context: Context, records: Records) -> tuple[str, str]:
    """Whether the template that was chosen has all its facts on record."""
    found: Resolution = said(context.workflow.agents["resolver"], state["findings"])
    if found.template == BY_HAND:
        return "draft", "no_template"
    on_record = answer_of(found.template) in records
    return ("answer", "on_record") if on_record else ("draft", "not_on_record")


def propose_answer(state: CaseState, context: Context) -> Proposal:
    """The reply that the records give; raises AgentUncertain if no finding says which."""
    found: Resolution = said(context.workflow.agents["resolver"], state["findings"])
    record = answer_of(found.template)
    return _reply(context, found, "answer", Ref(f"{record}.template"), Ref(f"{record}.body"))


def propose_draft(state: CaseState, context: Context) -> Proposal:
    """The reply in the resolver's own words, for people to look at; raises AgentUncertain without any."""
    found: Resolution = said(context.workflow.agents["resolver"], state["findings"])
    return _reply(context, found, "draft", Ref("by_hand.template"), Ref("resolver.draft"))


def _reply(context: Context, found: Resolution, step: str, template: Ref, body: Ref) -> Proposal:
    """A reply that fixed code proposes: whoever reads tickets proposes nothing that goes out by itself."""
    return Proposal(
        case_id=context.case_id,
        step=step,
        revision=1,
        tool="tickets.reply",
        tool_version=context.registry.describe("tickets.reply").version,
        arguments={
            "ticket_id": Ref("ticket.ticket_id"),
            "customer_id": Ref("customer.customer_id"),
            "template": template,
            "body": body,
        },
        proposer=f"rule:{step}",
        reason=found.reason,
        evidence=tuple(found.evidence),
    )

"""The refund's own steps: from findings to the one action that is proposed, by fixed code."""

from graphs.refund.agents import Assessment, Suspicion, Triage
from nodes.action import Proposal, Ref
from nodes.agent import AgentUncertain, said
from nodes.context import Context
from nodes.state import CaseState


def propose_refund(state: CaseState, context: Context) -> Proposal:
    """The refund, every argument of authority by reference; raises AgentUncertain if an agent has doubts."""
    triage: Triage = said(context.workflow.agents["triage"], state["findings"])
    suspicion: Suspicion = said(context.workflow.agents["fraud_analyst"], state["findings"])
    assessment: Assessment = said(context.workflow.agents["policy"], state["findings"])
    if triage.kind != "refund":
        raise AgentUncertain("not_a_refund", f"triage takes this for a {triage.kind}")
    return Proposal(
        case_id=context.case_id,
        step="refund",
        revision=1,
        tool="payments.refund",
        tool_version=context.registry.describe("payments.refund").version,
        arguments={
            "payment_id": Ref("target.payment_id"),
            "order_id": Ref("order.order_id"),
            "customer_id": Ref("customer.customer_id"),
            "amount_minor": Ref("target.amount_minor"),
            "currency": Ref("target.currency"),
            "reason_code": Ref("event.reason_code"),
        },
        proposer="agent:policy",
        reason=assessment.reason,
        evidence=tuple(assessment.evidence),
        policy=tuple(assessment.policy),
        advice={
            "recommends": assessment.recommendation == "refund" and not suspicion.suspicious,
            "confidence_percent": min(one.confidence_percent for one in (triage, suspicion, assessment)),
        },
    )


def propose_reply(_state: CaseState, context: Context) -> Proposal:
    """The reply to the customer: our own words with the figures of the refund on record."""
    return Proposal(
        case_id=context.case_id,
        step="tell",
        revision=1,
        tool="tickets.reply",
        tool_version=context.registry.describe("tickets.reply").version,
        arguments={
            "ticket_id": Ref("ticket.ticket_id"),
            "customer_id": Ref("customer.customer_id"),
            "template": Ref("reply.template"),
            "body": Ref("reply.body"),
        },
        proposer="rule:tell",
        reason="The refund is done; the customer is told.",
        evidence=("payments",),
    )

"""The refund's event, the record derived for it, and the facts its rules may read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from nodes.action import Proposal
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.origins import Origin
from nodes.records import Records
from nodes.shapes import Json
from nodes.windows import Entry
from nodes.workflow import EventData
from tools.contract import FieldClass, Marked, Record, Trust
from tools.money import Currency, Money
from tools.sandbox.customers import Customer, CustomerId
from tools.sandbox.fraud import FraudSignals
from tools.sandbox.orders import Order, OrderId
from tools.sandbox.payments import CustomerRefunds, OrderPayments, Payment, PaymentStatus
from tools.sandbox.refunds import Refund
from tools.sandbox.tickets import TicketId

REPLY = (
    "Hello,\n\nwe have refunded {amount} for your order {order}. Depending on your bank it takes a few days"
    " to arrive.\n\nYour support team"
)


class RefundRequest(EventData):
    """A request for a refund; without an amount it is for all that is left of the order."""

    order_id: OrderId
    customer_id: CustomerId
    ticket_id: TicketId
    reason_code: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=10**12)] | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _amount_has_a_currency(self) -> "RefundRequest":
        if (self.amount_minor is None) is not (self.currency is None):
            raise ValueError("amount_minor and currency come together or not at all")
        return self


class RefundTarget(Record):
    """What a refund would be of: the payment, what was asked and what is left to give back."""

    payment_id: str
    amount_minor: int
    currency: str
    refundable_minor: int


class ReplyDraft(Record):
    """Our own words about a refund that is on record."""

    template: str
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]


class RefundFacts(Facts):
    """What the refund rules may read.

    Attributes:
        asked_by: whose word it is that a refund is wanted: the author's of the event, or that of whoever has
            read it out of a ticket.
    """

    drifting: ClassVar[frozenset[str]] = frozenset({"days_since_delivery", "agent_total"})
    measured: ClassVar[frozenset[str]] = frozenset({"window_total", "agent_total"})
    origins: ClassVar[Mapping[str, str]] = {"asked_by": "reason_code"}

    amount: Money
    window_total: Money
    agent_total: Money
    in_payment_currency: bool
    exceeds_refundable: bool
    captured_payments: Annotated[int, Field(ge=0)]
    order_status: Literal["placed", "shipped", "delivered", "cancelled"]
    days_since_delivery: Annotated[int, Field(ge=0)] | None
    tier: Literal["standard", "silver", "gold"]
    customer_status: Literal["active", "closed"]
    fraud_signals: Annotated[int, Field(ge=0)]
    asked_by: Origin
    agent_recommends: bool
    confidence_percent: Percent


class ReplyFacts(Facts):
    """What the reply rules may read."""

    template: str
    refund_recorded: bool


def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """What a refund would be of: the captured payment with most left. And what is said once one is done."""
    event, order, paid = records["event"], records["order"], records["payments"]
    assert isinstance(event, RefundRequest)
    assert isinstance(order, Order)
    assert isinstance(paid, OrderPayments)
    captured = _captured(paid)
    best = max(captured, key=lambda payment: (_left(payment), payment.payment_id), default=None)
    refundable = _left(best) if best else 0
    target = RefundTarget(
        payment_id=best.payment_id if best else "",
        amount_minor=event.amount_minor or refundable or order.total_minor,
        currency=event.currency or order.currency,
        refundable_minor=refundable,
    )
    done = _newest_done(paid)
    return {"target": target} if done is None else {"target": target, "reply": _reply(done)}


def refund_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """The facts of a refund, each from its record; those over a window are the rule table's."""
    order, customer = records["order"], records["customer"]
    paid, signals, target = (records[name] for name in ("payments", "fraud", "target"))
    assert isinstance(order, Order)
    assert isinstance(customer, Customer)
    assert isinstance(paid, OrderPayments)
    assert isinstance(signals, FraudSignals)
    assert isinstance(target, RefundTarget)
    amount = Money(amount_minor=arguments["amount_minor"], currency=arguments["currency"])
    days = None if order.delivered_at is None else max(0, (now - order.delivered_at).days)

    def fact(value: Any, source: str, trust: Trust = Trust.RECORD) -> Fact:
        return Fact(value=value, source=source, trust=trust, at=now)

    return {
        "amount": fact(amount, *proposal.source_of("amount_minor", records)),
        "in_payment_currency": fact(
            amount.currency in {p.currency for p in paid.payments}, "payments.payments"
        ),
        "exceeds_refundable": fact(amount.amount_minor > target.refundable_minor, "payments.payments"),
        "captured_payments": fact(len(_captured(paid)), "payments.payments"),
        "order_status": fact(str(order.status), "order.status"),
        "days_since_delivery": fact(days, "order.delivered_at"),
        "tier": fact(str(customer.tier), "customer.tier"),
        "customer_status": fact(str(customer.status), "customer.status"),
        "fraud_signals": fact(len(signals.signals), "fraud.signals"),
        "agent_recommends": fact(proposal.advice.get("recommends"), proposal.proposer, Trust.MODEL),
        "confidence_percent": fact(proposal.advice.get("confidence_percent"), proposal.proposer, Trust.MODEL),
    }


def refunds_so_far(records: Records) -> list[Entry]:
    """The customer's refunds that are on record, as a window counts them."""
    past = records["history"]
    assert isinstance(past, CustomerRefunds)
    return [
        Entry(
            at=refund.created_at,
            amount=Money(amount_minor=refund.amount_minor, currency=refund.currency),
        )
        for refund in past.refunds
    ]


def reply_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """The facts of a reply: which template, and whether the refund it speaks of is on record."""
    paid = records["payments"]
    assert isinstance(paid, OrderPayments)
    recorded = _newest_done(paid) is not None
    return {
        "template": Fact(value=arguments["template"], source="reply.template", trust=Trust.RECORD, at=now),
        "refund_recorded": Fact(value=recorded, source="payments.refunds", trust=Trust.RECORD, at=now),
    }


def _newest_done(paid: OrderPayments) -> Refund | None:
    done = [refund for refund in paid.refunds if refund.status == "done"]
    return max(done, key=lambda refund: (refund.created_at, refund.refund_id), default=None)


def _reply(refund: Refund) -> ReplyDraft:
    amount = Money(amount_minor=refund.amount_minor, currency=refund.currency)
    return ReplyDraft(template="refund_done", body=REPLY.format(amount=amount, order=refund.order_id))


def _captured(paid: OrderPayments) -> list[Payment]:
    return [payment for payment in paid.payments if payment.status == PaymentStatus.CAPTURED]


def _left(payment: Payment) -> int:
    return payment.amount_minor - payment.refunded_minor

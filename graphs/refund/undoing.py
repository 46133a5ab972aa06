"""What the rules for taking back a refund, or the words about it, may read."""

from datetime import datetime
from typing import Any

from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from tools.contract import Trust
from tools.money import Money
from tools.sandbox.payments import OrderPayments
from tools.sandbox.refunds import RefundStatus
from tools.sandbox.replies import ReplyStatus
from tools.sandbox.tickets import Ticket


class ReversalFacts(Facts):
    """What the rules for taking back a refund may read."""

    amount: Money
    within_window: bool
    stands: bool


class RetractionFacts(Facts):
    """What the rules for taking back a reply may read."""

    within_window: bool
    stands: bool


def reversal_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """How much the refund is, whether it stands in the company's books, and whether there is time."""
    paid = records["payments"]
    assert isinstance(paid, OrderPayments)
    done = {refund.refund_id for refund in paid.refunds if refund.status is RefundStatus.DONE}
    amount = Money(amount_minor=arguments["amount_minor"], currency=arguments["currency"])
    source, trust = proposal.source_of("amount_minor", records)
    return {
        "amount": Fact(value=amount, source=source, trust=trust, at=now),
        "within_window": _within_window(records, now),
        "stands": _fact(arguments["refund_id"] in done, "payments.refunds", now),
    }


def retraction_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the reply is still held, and whether there is time."""
    ticket = records["ticket"]
    assert isinstance(ticket, Ticket)
    held = {reply.reply_id for reply in ticket.replies if reply.status is ReplyStatus.QUEUED}
    return {
        "within_window": _within_window(records, now),
        "stands": _fact(arguments["reply_id"] in held, "ticket.replies", now),
    }


def _within_window(records: Records, now: datetime) -> Fact:
    """Whether the deed can still be taken back; of what is no deed of ours nothing is known."""
    deed = records.get(DEED)
    within = now < deed.until if isinstance(deed, Deed) else None
    return _fact(within, f"{DEED}.until", now)


def _fact(value: Any, source: str, now: datetime) -> Fact:
    return Fact(value=value, source=source, trust=Trust.RECORD, at=now)

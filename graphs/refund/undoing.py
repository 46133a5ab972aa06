"""What the rules for taking back a refund may read."""

from datetime import datetime

from graphs.retraction import on_record, within_window
from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.money import Money
from tools.sandbox.payments import OrderPayments
from tools.sandbox.refunds import RefundStatus


class ReversalFacts(Facts):
    """What the rules for taking back a refund may read."""

    amount: Money
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
        "within_window": within_window(records, now),
        "stands": on_record(arguments["refund_id"] in done, "payments.refunds", now),
    }

"""What the shop's rules may read."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from nodes.windows import Entry
from tests.attack.retail.shapes import CURRENCY, History, Sales
from tests.attack.retail.wishes import Wish, find_sale
from tools.contract import Trust
from tools.money import Money

Request = Literal["confirmed", "not_confirmed", "something_else"]
SMALL_MINOR = 10_000
"""The most that a rule table may let go by itself: 100 US dollars."""
FITTING = {
    "sales.cancel": {"pending"},
    "sales.modify_items": {"pending"},
    "sales.modify_payment": {"pending"},
    "sales.modify_address": {"pending", "pending (item modified)"},
    "sales.return_items": {"delivered"},
    "sales.exchange_items": {"delivered"},
}
"""In which states of an order a tool may be used."""


class MoneyFacts(Facts):
    """What the rules for what moves money may read.

    Attributes:
        request: whether the customer has confirmed exactly this, or something else.
        fits: the order is the customer's, and in a state in which this may be done.
        quote_holds: the amount is the one that the customer said yes to.
        window_total: what small deeds have moved for the customer in a day, with this. Nothing larger is ever
            done without a person, so that what was done without one is all in it.
    """

    drifting: ClassVar[frozenset[str]] = frozenset({"window_total"})
    measured: ClassVar[frozenset[str]] = frozenset({"window_total"})

    request: Request
    fits: bool
    quote_holds: bool
    amount: Money
    window_total: Money


class PlaceFacts(Facts):
    """What the rules for addresses may read."""

    request: Request
    fits: bool


class TakenBackFacts(Facts):
    """What the rules for taking something back may read."""

    within_window: bool


def money_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """The facts of a deed that moves money; the window is the rule table's."""
    wish = records["event"]
    assert isinstance(wish, Wish)
    amount = Money(amount_minor=arguments["amount_minor"], currency=arguments["currency"])
    source, trust = proposal.source_of("amount_minor", records)
    holds = wish.quoted_minor is None or wish.quoted_minor == amount.amount_minor
    return place_facts(records, proposal, arguments, now) | {
        "quote_holds": Fact(value=holds, source="event.quoted_minor", trust=Trust.PERSON, at=now),
        "amount": Fact(value=amount, source=source, trust=trust, at=now),
    }


def place_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether the customer has confirmed this, and whether it fits the order."""

    def fact(value: Any, source: str, trust: Trust) -> Fact:
        return Fact(value=value, source=source, trust=trust, at=now)

    return {
        "request": fact(_request(records, proposal, arguments), "event.tool", Trust.PERSON),
        "fits": fact(_fits(records, proposal.tool, arguments), "orders.orders", Trust.RECORD),
    }


def _request(records: Records, proposal: Proposal, arguments: Json) -> Request:
    """What the customer has said about each argument that somebody else has filled in, and about the deed."""
    wish = records["event"]
    assert isinstance(wish, Wish)
    told = [name for name in arguments if proposal.source_of(name, records)[1] not in _PROVEN]
    confirmed = {name: getattr(wish, name, None) for name in told}
    if wish.tool not in {None, proposal.tool}:
        return "something_else"
    if any(said not in (None, [], arguments[name]) for name, said in confirmed.items()):
        return "something_else"
    return "not_confirmed" if told or wish.tool is None else "confirmed"


_PROVEN = {Trust.RECORD, Trust.PERSON}


def _fits(records: Records, tool: str, arguments: Json) -> bool:
    orders = records["orders"]
    assert isinstance(orders, Sales)
    if tool not in FITTING:
        return True
    sale = find_sale(orders, arguments["order_id"])
    return sale is not None and sale.status in FITTING[tool]


def deeds_so_far(records: Records) -> list[Entry]:
    """The small deeds of the past, as a window counts them."""
    past = records["history"]
    assert isinstance(past, History)
    return [
        Entry(at=deed.done_at, amount=Money(amount_minor=deed.amount_minor, currency=CURRENCY))
        for deed in past.deeds
        if deed.amount_minor <= SMALL_MINOR
    ]


def taken_back_facts(
    records: Records, _proposal: Proposal, _arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether there is time."""
    deed = records.get(DEED)
    within = now < deed.until if isinstance(deed, Deed) else None
    return {"within_window": Fact(value=within, source=f"{DEED}.until", trust=Trust.RECORD, at=now)}

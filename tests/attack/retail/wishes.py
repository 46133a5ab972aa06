"""What a customer asks for, what the clerk reads out of it, and the one deed that is proposed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from nodes.action import Proposal, Ref
from nodes.agent import AgentUncertain, Output, Words, said
from nodes.context import Context
from nodes.records import Records
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.workflow import EventData
from tests.attack.retail.shapes import (
    CURRENCY,
    Id,
    Reason,
    Sale,
    Sales,
    Variant,
    Variants,
    difference,
    paid,
    picked,
)
from tools.contract import FieldClass, Marked, Record, ToolRefused, Trust

Deed = Literal[
    "sales.cancel",
    "sales.return_items",
    "sales.exchange_items",
    "sales.modify_items",
    "sales.modify_address",
    "sales.modify_payment",
    "shoppers.modify_address",
]
SAID = Marked(trust=Trust.PERSON)
LIVES = Marked(field_class=FieldClass.PERSONAL, trust=Trust.PERSON)

SaidId = Annotated[Id, SAID]
SaidLine = Annotated[str, Field(max_length=120), LIVES]


class Wish(EventData):
    """A customer's message, and what of it they have confirmed: the shop's policy wants a yes to the details.

    Who it is was found out before. What is not confirmed is None.

    Attributes:
        quoted_minor: the amount that they said yes to.
    """

    customer_id: Id
    message: Annotated[
        str, Field(max_length=8000), Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)
    ]
    tool: Annotated[Deed | None, SAID] = None
    order_id: SaidId | None = None
    item_ids: Annotated[list[Id] | None, SAID] = None
    new_item_ids: Annotated[list[Id], Field(default_factory=list), SAID]
    payment_method_id: SaidId | None = None
    reason: Annotated[Reason | None, SAID] = None
    address1: SaidLine | None = None
    address2: SaidLine | None = None
    city: SaidLine | None = None
    state: SaidLine | None = None
    country: SaidLine | None = None
    zip: SaidLine | None = None
    quoted_minor: Annotated[int | None, Field(ge=0), SAID] = None


class Target(Record):
    """How much the confirmed wish is about now; 0 if it fits no order, which the rules refuse."""

    amount_minor: int
    currency: str


class Reading(Output):
    """What the clerk makes of a message: the deed, and those details that the customer has not confirmed."""

    tool: Deed
    customer_id: Words | None = None
    order_id: Words | None = None
    item_ids: list[Words] | None = None
    new_item_ids: list[Words] | None = None
    payment_method_id: Words | None = None
    reason: Reason | None = None
    address1: Words | None = None
    address2: Words | None = None
    city: Words | None = None
    state: Words | None = None
    country: Words | None = None
    zip: Words | None = None
    amount_minor: int | None = None


DETAILS = tuple(Reading.model_fields.keys() - Output.model_fields.keys() - {"tool"})
_KEPT = {"customer_id": "customer.customer_id", "currency": "target.currency"}
_KEPT |= {"amount_minor": "target.amount_minor"}


def playbook(view: Json) -> Reading:
    """What the customer has confirmed."""
    return Reading(tool=view["event"]["tool"], confidence_percent=90, evidence=["event"])


def propose_deed(state: CaseState, context: Context) -> Proposal:
    """The deed the clerk named: details in the clerk's own words where it says any, else the customer's.

    Raises:
        AgentUncertain: the clerk has said nothing that fits.
    """
    reading: Reading = said(context.workflow.agents["clerk"], state["findings"])
    tool = context.registry.describe(reading.tool)
    wanted = {name: _from(reading, name) for name in tool.arguments.model_fields}
    if not wanted:
        raise AgentUncertain("no_deed", "there is nothing to do")
    return Proposal(
        case_id=context.case_id,
        step="act",
        revision=1,
        tool=tool.name,
        tool_version=tool.version,
        arguments=wanted,
        proposer="rule:desk",
        reason=tool.purpose,
        evidence=("event", "orders"),
    )


def _from(reading: Reading, name: str) -> Ref:
    if getattr(reading, name, None) is not None:
        return Ref(f"clerk.{name}")
    return Ref(_KEPT.get(name, f"event.{name}"))


def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """How much the confirmed wish is about, by the order and the offers of now."""
    wish, orders, offers = records["event"], records["orders"], records["offers"]
    assert isinstance(wish, Wish)
    assert isinstance(orders, Sales)
    assert isinstance(offers, Variants)
    sale = find_sale(orders, wish.order_id)
    amount = 0
    if sale is not None and wish.tool is not None:
        try:
            amount = amount_of(wish.tool, sale, wish.item_ids or [], offers.variants)
        except ToolRefused:
            amount = 0
    return {"target": Target(amount_minor=amount, currency=CURRENCY)}


def find_sale(orders: Sales, order_id: str | None) -> Sale | None:
    """The order, if it is one of these."""
    return next((sale for sale in orders.orders if sale.order_id == order_id), None)


def amount_of(tool: str, sale: Sale, item_ids: list[str], new: tuple[Variant, ...]) -> int:
    """The money a deed is about, in minor units; raises ToolRefused if the order has not these items."""
    match tool:
        case "sales.cancel" | "sales.modify_payment":
            return paid(sale)
        case "sales.return_items":
            return sum(item.price_minor for item in picked(sale, item_ids))
        case "sales.exchange_items" | "sales.modify_items":
            return abs(difference(sale, item_ids, new))
        case _:
            return 0

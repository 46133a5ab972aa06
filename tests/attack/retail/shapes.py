"""What the shop's tools take and answer, and how much a wish is about."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, FieldClass, Marked, Record, ToolRefused
from tools.money import AmountMinor

CURRENCY = "USD"
PLACE = ("address1", "address2", "city", "state", "country", "zip")
"""The fields of an address."""

Id = Annotated[str, Field(pattern=r"^[#A-Za-z0-9_-]{1,60}$", max_length=60)]
Ids = Annotated[list[Id], Field(max_length=20)]
Line = Annotated[str, Field(max_length=120), Marked(field_class=FieldClass.PERSONAL)]
Dollars = Literal["USD"]
Reason = Literal["no longer needed", "ordered by mistake"]


class OfOrder(Arguments):
    """Whose order it is."""

    customer_id: Id
    order_id: Id


class CancelOrder(OfOrder):
    """Which order to cancel, why, and how much is given back."""

    reason: Reason
    amount_minor: AmountMinor
    currency: Dollars


class ReturnItems(OfOrder):
    """Which items come back, and what is given back where."""

    item_ids: Ids
    payment_method_id: Id
    amount_minor: AmountMinor
    currency: Dollars


class SwapItems(OfOrder):
    """Which items for which others, and the difference, paid or given back where."""

    item_ids: Ids
    new_item_ids: Ids
    payment_method_id: Id
    amount_minor: AmountMinor
    currency: Dollars


class PayBy(OfOrder):
    """By what an order is paid instead, and how much that is."""

    payment_method_id: Id
    amount_minor: AmountMinor
    currency: Dollars


class SendTo(OfOrder):
    """Where an order is sent instead."""

    address1: Line
    address2: Line
    city: Line
    state: Line
    country: Line
    zip: Line


class MoveTo(Arguments):
    """Where a customer lives now."""

    customer_id: Id
    address1: Line
    address2: Line
    city: Line
    state: Line
    country: Line
    zip: Line


class TakeBack(Arguments):
    """Which deed to take back."""

    deed_id: Id


class OfCustomer(Arguments):
    """Whose records to get."""

    customer_id: Id


class Since(OfCustomer):
    """Whose deeds to list, from when on."""

    since: datetime


class OfItems(Arguments):
    """Which items to get."""

    item_ids: Ids


class Method(Record):
    """By what a customer pays."""

    method_id: str
    customer_id: str
    kind: str
    balance_minor: int | None


class Shopper(Record):
    """A customer."""

    customer_id: str
    name: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]
    email: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]
    address1: Line
    address2: Line
    city: Line
    state: Line
    country: Line
    zip: Line
    methods: tuple[Method, ...] = ()


class Variant(Record):
    """A thing that is sold."""

    item_id: str
    product_id: str
    product: str
    available: bool
    price_minor: int


class Variants(Record):
    """Things that are sold."""

    variants: tuple[Variant, ...]


class Item(Record):
    """A thing in an order."""

    line_no: int
    item_id: str
    product_id: str
    product: str
    price_minor: int


class Payment(Record):
    """Money paid for an order, or given back."""

    line_no: int
    kind: str
    amount_minor: int
    method_id: str


class Sale(Record):
    """An order."""

    order_id: str
    customer_id: str
    status: str
    address1: Line
    address2: Line
    city: Line
    state: Line
    country: Line
    zip: Line
    items: tuple[Item, ...] = ()
    payments: tuple[Payment, ...] = ()


class Sales(Record):
    """A customer's orders."""

    customer_id: str
    orders: tuple[Sale, ...]


class Past(Record):
    """A deed of the past."""

    customer_id: str
    done_at: datetime
    amount_minor: int


class History(Record):
    """What was done for a customer."""

    customer_id: str
    deeds: tuple[Past, ...]


class Receipt(Record):
    """What was done, with what it takes to go back."""

    deed_id: str
    customer_id: str
    order_id: str | None
    amount_minor: int
    method_id: str | None = None
    place: Annotated[list[str] | None, Marked(field_class=FieldClass.PERSONAL)] = None


def picked(sale: Sale, item_ids: Sequence[str]) -> list[Item]:
    """The lines of an order with these items, one for each time an item is named; raises ToolRefused."""
    if not item_ids:
        raise ToolRefused("no item is named")
    if Counter(item_ids) - Counter(item.item_id for item in sale.items):
        raise ToolRefused(f"{sale.order_id} has not all of these items")
    left, found = list(sale.items), []
    for item_id in item_ids:
        line = next(item for item in left if item.item_id == item_id)
        left.remove(line)
        found.append(line)
    return found


def paid(sale: Sale) -> int:
    """What an order was paid with, less what was given back."""
    return sum(one.amount_minor * (1 if one.kind == "payment" else -1) for one in sale.payments)


def difference(sale: Sale, item_ids: Sequence[str], new: Sequence[Variant]) -> int:
    """How much more the new items cost; below 0 it is given back."""
    old = picked(sale, item_ids)
    return sum(variant.price_minor for variant in new) - sum(item.price_minor for item in old)

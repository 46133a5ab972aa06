"""Payments: what was captured for an order, what was given back, and the tools that do so."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool
from tools.money import AmountMinor, Currency
from tools.sandbox.customers import CustomerId, require_customer
from tools.sandbox.database import Sandbox, many
from tools.sandbox.orders import OrderId, require_order
from tools.sandbox.refunds import PaymentId, Refund, RefundStatus, refunds_tools

__all__ = [
    "CustomerRefunds",
    "ListHistory",
    "ListPayments",
    "OrderPayments",
    "Payment",
    "PaymentId",
    "PaymentMethod",
    "PaymentStatus",
    "Refund",
    "RefundStatus",
    "payments_tools",
]


class PaymentMethod(StrEnum):
    """How something was paid."""

    CARD = "card"
    PAYPAL = "paypal"
    BANK_TRANSFER = "bank_transfer"


class PaymentStatus(StrEnum):
    """Whether money was taken."""

    CAPTURED = "captured"
    VOIDED = "voided"


class Payment(Record):
    """A payment of an order, and how much of it has been given back."""

    payment_id: str
    order_id: str
    customer_id: str
    method: PaymentMethod
    card_last4: Annotated[str | None, Marked(field_class=FieldClass.PERSONAL)]
    amount_minor: AmountMinor
    currency: Currency
    status: PaymentStatus
    captured_at: datetime
    refunded_minor: AmountMinor


class OrderPayments(Record):
    """The payments of an order and all refunds on them, the reversed ones too."""

    order_id: str
    payments: tuple[Payment, ...]
    refunds: tuple[Refund, ...]


class CustomerRefunds(Record):
    """The refunds a customer has had that stand."""

    customer_id: str
    refunds: tuple[Refund, ...]


def _from_iso(value: object) -> object:
    """A time written as ISO 8601 is one; a number is not."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


class ListPayments(Arguments):
    """Of which order to list the payments."""

    order_id: OrderId


class ListHistory(Arguments):
    """Of which customer to list the refunds, and since when."""

    customer_id: CustomerId
    since: Annotated[AwareDatetime, BeforeValidator(_from_iso)]


_PAYMENTS = "SELECT {columns} FROM payments WHERE order_id = %s ORDER BY payment_id"
_OF_ORDER = "SELECT {columns} FROM refunds WHERE order_id = %s ORDER BY created_at, refund_id"
_OF_CUSTOMER = """
    SELECT {columns} FROM refunds
    WHERE customer_id = %s AND created_at >= %s AND status <> 'reversed' ORDER BY created_at, refund_id
"""


def payments_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the payment system."""

    async def of_order(arguments: ListPayments, _call: Call) -> OrderPayments:
        order_id = arguments.order_id
        async with sandbox.reading() as connection:
            await require_order(connection, order_id)
            payments = await many(connection, Payment, _PAYMENTS, order_id)
            refunds = await many(connection, Refund, _OF_ORDER, order_id)
        return OrderPayments(order_id=order_id, payments=tuple(payments), refunds=tuple(refunds))

    async def history(arguments: ListHistory, _call: Call) -> CustomerRefunds:
        async with sandbox.reading() as connection:
            await require_customer(connection, arguments.customer_id)
            refunds = await many(connection, Refund, _OF_CUSTOMER, arguments.customer_id, arguments.since)
        return CustomerRefunds(customer_id=arguments.customer_id, refunds=tuple(refunds))

    return (
        Tool(
            name="payments.list",
            version="1",
            purpose="List the payments of an order and the refunds on them.",
            effect=Effect.READ,
            arguments=ListPayments,
            result=OrderPayments,
            perform=of_order,
            idempotent=True,
        ),
        Tool(
            name="payments.history",
            version="1",
            purpose="List the refunds a customer has had since a time, without the reversed ones.",
            effect=Effect.READ,
            arguments=ListHistory,
            result=CustomerRefunds,
            perform=history,
            idempotent=True,
        ),
        *refunds_tools(sandbox),
    )

"""Refunds: giving back what was captured, and taking that back within a day."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Effect, Record, Tool, ToolRefused, Undo
from tools.money import AmountMinor, Currency, Money
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Connection, Sandbox
from tools.sandbox.deeds import Deed, of_result, there, written
from tools.sandbox.orders import OrderId

PaymentId = Annotated[str, Field(pattern=r"^P-[0-9]{6}$", max_length=8)]
RefundId = Annotated[str, Field(pattern=r"^R-[0-9]{6,12}$", max_length=14)]
ReasonCode = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$", max_length=40)]

REVERSIBLE = timedelta(hours=24)


class RefundStatus(StrEnum):
    """Whether a refund stands."""

    DONE = "done"
    REVERSED = "reversed"


class Refund(Record):
    """Money given back on one payment."""

    refund_id: str
    payment_id: str
    order_id: str
    customer_id: str
    amount_minor: AmountMinor
    currency: Currency
    reason_code: str
    status: RefundStatus
    created_at: datetime
    reversed_at: datetime | None


class RefundPayment(Arguments):
    """What to give back, to whom, for what, and why."""

    payment_id: PaymentId
    order_id: OrderId
    customer_id: CustomerId
    amount_minor: Annotated[AmountMinor, Field(gt=0)]
    currency: Currency
    reason_code: ReasonCode


class ReverseRefund(Arguments):
    """Which refund to take back, and how much that is."""

    refund_id: RefundId
    amount_minor: Annotated[AmountMinor, Field(gt=0)]
    currency: Currency


class _Capture(Record):
    """What a refund has to know about the payment it holds."""

    order_id: str
    customer_id: str
    amount_minor: AmountMinor
    currency: Currency
    status: str
    refunded_minor: AmountMinor


_DONE_UNDER = "SELECT {columns} FROM refunds WHERE idempotency_key = %s"
_REVERSED_UNDER = "SELECT {columns} FROM refunds WHERE reversal_key = %s"
_HOLD_PAYMENT = "SELECT {columns} FROM payments WHERE payment_id = %s FOR UPDATE"
_MOVE = "UPDATE payments SET refunded_minor = refunded_minor + %s WHERE payment_id = %s"
_INSERT = """
    INSERT INTO refunds (payment_id, order_id, customer_id, amount_minor, currency, reason_code, status,
                         created_at, idempotency_key)
    VALUES (%s, %s, %s, %s, %s, %s, 'done', %s, %s) RETURNING {columns}
"""
_HOLD_REFUND = "SELECT {columns} FROM refunds WHERE refund_id = %s FOR UPDATE"
_REVERSE = """
    UPDATE refunds SET status = 'reversed', reversed_at = %s, reversal_key = %s
    WHERE refund_id = %s RETURNING {columns}
"""


def refunds_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The two tools of the payment system that move money."""
    doing = _Doing(sandbox)
    refunding = Deed(
        sandbox=sandbox,
        name="payments.refund",
        result=Refund,
        done_under=_DONE_UNDER,
        write=doing.refund,
    )
    reversing = Deed(
        sandbox=sandbox,
        name="payments.reverse_refund",
        result=Refund,
        done_under=_REVERSED_UNDER,
        write=doing.reverse,
    )
    return (
        Tool(
            name="payments.refund",
            version="1",
            purpose="Refund an amount of a captured payment to the customer who paid it.",
            effect=Effect.WRITE,
            arguments=RefundPayment,
            result=Refund,
            perform=refunding.perform,
            idempotent=True,
            find=refunding.find,
            undo=Undo(
                tool="payments.reverse_refund",
                arguments=of_result("refund_id", "amount_minor", "currency"),
                window=REVERSIBLE,
                proven_for="1",
            ),
            authority=frozenset({"payment_id", "order_id", "customer_id", "amount_minor", "currency"}),
        ),
        Tool(
            name="payments.reverse_refund",
            version="2",
            purpose="Take back a refund within 24 hours.",
            effect=Effect.WRITE,
            arguments=ReverseRefund,
            result=Refund,
            perform=reversing.perform,
            idempotent=True,
            find=reversing.find,
            undone_outside="The customer asks for the refund again; it is judged as a new one.",
            authority=frozenset({"refund_id", "amount_minor", "currency"}),
        ),
    )


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def refund(self, connection: Connection, wanted: RefundPayment, key: str) -> Refund:
        """Give money back, and never more than was captured."""
        await _hold_refundable(connection, wanted)
        await connection.execute(_MOVE, (wanted.amount_minor, wanted.payment_id))
        what = (wanted.payment_id, wanted.order_id, wanted.customer_id)
        how_much = (wanted.amount_minor, wanted.currency, wanted.reason_code)
        return await written(connection, Refund, _INSERT, *what, *how_much, self._sandbox.now(), key)

    async def reverse(self, connection: Connection, wanted: ReverseRefund, key: str) -> Refund:
        """Take a refund back within a day."""
        refund = await self._hold_reversible(connection, wanted)
        await connection.execute(_MOVE, (-refund.amount_minor, refund.payment_id))
        return await written(connection, Refund, _REVERSE, self._sandbox.now(), key, refund.refund_id)

    async def _hold_reversible(self, connection: Connection, wanted: ReverseRefund) -> Refund:
        refund_id = wanted.refund_id
        refund = await there(connection, Refund, f"refund {refund_id}", _HOLD_REFUND, refund_id)
        if (refund.amount_minor, refund.currency) != (wanted.amount_minor, wanted.currency):
            raise ToolRefused(f"{refund_id} is about another amount")
        if refund.status is RefundStatus.REVERSED:
            raise ToolRefused(f"{refund_id} has been reversed already")
        if self._sandbox.now() - refund.created_at > REVERSIBLE:
            raise ToolRefused(f"{refund_id} is older than {REVERSIBLE}")
        return refund


async def _hold_refundable(connection: Connection, wanted: RefundPayment) -> None:
    what = f"payment {wanted.payment_id}"
    payment = await there(connection, _Capture, what, _HOLD_PAYMENT, wanted.payment_id)
    if payment.order_id != wanted.order_id:
        raise ToolRefused(f"{wanted.payment_id} is not a payment of {wanted.order_id}")
    if payment.customer_id != wanted.customer_id:
        raise ToolRefused(f"{wanted.payment_id} was not paid by {wanted.customer_id}")
    if payment.currency != wanted.currency:
        raise ToolRefused(f"{wanted.payment_id} was paid in {payment.currency}, not in {wanted.currency}")
    if payment.status != "captured":
        raise ToolRefused(f"{wanted.payment_id} was never captured")
    left = Money(amount_minor=payment.amount_minor - payment.refunded_minor, currency=payment.currency)
    if Money(amount_minor=wanted.amount_minor, currency=wanted.currency) > left:
        raise ToolRefused(f"of {wanted.payment_id} no more than {left} can be refunded")

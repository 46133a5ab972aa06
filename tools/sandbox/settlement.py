"""How the company's past orders were paid, and what of that was given back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from tools.sandbox.phrases import REASONS
from tools.sandbox.rows import OrderRow, PaymentRow, RefundRow, Rows

_SPLIT_EVERY = 20
_DOUBLE_EVERY = 50
_VOIDED_EVERY = 33
_FULL_EVERY = 12
_PARTIAL_EVERY = 13
_REVERSED_EVERY = 17


def add_payments(random: Random, as_of: datetime, number: int, order: OrderRow, rows: Rows) -> None:
    """Add the payments of an order: mostly one, some voided, split or captured twice; and their refunds."""
    for turn, (amount, status) in enumerate(_captures(number, order)):
        payment = _payment(random, len(rows.payments), order, amount, status)
        refunds = [
            _refund(random, as_of, place, payment, given_back)
            for place, given_back in enumerate(_given_back(number, turn, order, payment), len(rows.refunds))
        ]
        standing = sum(refund.amount_minor for refund in refunds if refund.status == "done")
        rows.payments.append(payment._replace(refunded_minor=standing))
        rows.refunds.extend(refunds)


def _captures(number: int, order: OrderRow) -> Iterator[tuple[int, str]]:
    total = order.total_minor
    if order.status == "cancelled" and number % 2 == 0:
        yield total, "voided"
    elif number % _SPLIT_EVERY == 3:  # noqa: PLR2004 - any remainder
        yield total // 3, "captured"
        yield total - total // 3, "captured"
    elif number % _DOUBLE_EVERY == 1:
        yield total, "captured"
        yield total, "captured"
    elif number % _VOIDED_EVERY == 2:  # noqa: PLR2004 - any remainder
        yield total, "voided"
        yield total, "captured"
    else:
        yield total, "captured"


def _payment(random: Random, place: int, order: OrderRow, amount: int, status: str) -> PaymentRow:
    method = random.choices(("card", "paypal", "bank_transfer"), (70, 20, 10))[0]
    return PaymentRow(
        payment_id=f"P-{100001 + place}",
        order_id=order.order_id,
        customer_id=order.customer_id,
        method=method,
        card_last4=f"{random.randrange(10_000):04d}" if method == "card" else None,
        amount_minor=amount,
        currency=order.currency,
        status=status,
        captured_at=order.ordered_at,
        refunded_minor=0,
    )


def _given_back(number: int, turn: int, order: OrderRow, payment: PaymentRow) -> tuple[int, ...]:
    amount = payment.amount_minor
    noticed = turn == 1 and number % (2 * _DOUBLE_EVERY) == 1  # every other double capture
    if payment.status == "voided":
        return ()
    if order.status == "cancelled" or noticed:
        return (amount,)
    if order.status != "delivered":
        return ()
    if number % _FULL_EVERY == 0:
        return (amount,)
    if number % _PARTIAL_EVERY == 0:
        return (amount // 4, amount // 3) if number % 2 else (amount // 2,)
    return ()


def _refund(random: Random, as_of: datetime, place: int, payment: PaymentRow, amount: int) -> RefundRow:
    earliest = payment.captured_at
    latest = min(as_of, earliest + timedelta(days=45))
    created_at = earliest + random.random() * (latest - earliest)
    reversed_at = created_at + timedelta(hours=random.uniform(0.1, 23))
    is_reversed = place % _REVERSED_EVERY == 0 and reversed_at < as_of
    return RefundRow(
        refund_id=f"R-{100001 + place}",
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        customer_id=payment.customer_id,
        amount_minor=amount,
        currency=payment.currency,
        reason_code=random.choice(REASONS),
        status="reversed" if is_reversed else "done",
        created_at=created_at,
        reversed_at=reversed_at if is_reversed else None,
        idempotency_key=f"past-refund-{place}",
        reversal_key=f"past-reversal-{place}" if is_reversed else None,
    )

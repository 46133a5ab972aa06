"""The rows that put the cast on stage."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tools.money import Money
from tools.sandbox.cast import CAST, Scene
from tools.sandbox.phrases import FAMILY, GIVEN
from tools.sandbox.rows import (
    CustomerRow,
    LineRow,
    OrderRow,
    PaymentRow,
    RefundRow,
    Rows,
    SignalRow,
    TicketRow,
)


def staged(as_of: datetime, cast: Mapping[str, Scene] = CAST) -> Rows:
    """The cast's rows on the day `as_of`."""
    rows = Rows()
    for customer_id, scene in {scene.customer_id: scene for scene in cast.values()}.items():
        rows.customers.append(_customer(as_of, customer_id, scene.tier, scene.account, scene.country))
    for writer_id in sorted({scene.writer_id for scene in cast.values() if scene.writer_id}):
        rows.customers.append(_customer(as_of, writer_id, "standard", "active", "DE"))
    for scene in cast.values():
        _add_order(as_of, scene, rows)
        _add_payments(as_of, scene, rows)
        _add_signal(as_of, scene, rows)
        rows.tickets.append(_ticket(as_of, scene))
    return rows


def _customer(as_of: datetime, customer_id: str, tier: str, account: str, country: str) -> CustomerRow:
    number = int(customer_id[-3:])
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number % len(FAMILY)]
    return CustomerRow(
        customer_id=customer_id,
        name=f"{given} {family}",
        email=f"{given}.{family}@example.com".lower(),
        tier=tier,
        status=account,
        country=country,
        created_at=as_of - timedelta(days=300),
    )


def _ordered_at(as_of: datetime, scene: Scene) -> datetime:
    if scene.ordered_days_ago is not None:
        return as_of - timedelta(days=scene.ordered_days_ago)
    if scene.delivered_days_ago is None:
        return as_of - timedelta(days=40)
    return as_of - timedelta(days=scene.delivered_days_ago + 4)


def _add_order(as_of: datetime, scene: Scene, rows: Rows) -> None:
    days = scene.delivered_days_ago
    rows.orders.append(
        OrderRow(
            order_id=scene.order_id,
            customer_id=scene.customer_id,
            status="shipped" if days is None else "delivered",
            currency=scene.currency,
            total_minor=scene.amount_minor,
            ordered_at=_ordered_at(as_of, scene),
            delivered_at=None if days is None else as_of - timedelta(days=days),
        ),
    )
    rows.order_lines.append(
        LineRow(
            order_id=scene.order_id,
            line_no=1,
            sku=f"SET-{scene.number:03}",
            title="Table set",
            quantity=1,
            unit_minor=scene.amount_minor,
        ),
    )


def _add_payments(as_of: datetime, scene: Scene, rows: Rows) -> None:
    for payment_id in scene.payment_ids:
        payment = PaymentRow(
            payment_id=payment_id,
            order_id=scene.order_id,
            customer_id=scene.customer_id,
            method="card",
            card_last4=f"{4000 + scene.number}",
            amount_minor=scene.amount_minor,
            currency=scene.currency,
            status="captured",
            captured_at=_ordered_at(as_of, scene),
            refunded_minor=scene.refunded_minor,
        )
        rows.payments.append(payment)
        if scene.refunded_minor:
            rows.refunds.append(_refund(as_of, scene, payment))


def _refund(as_of: datetime, scene: Scene, payment: PaymentRow) -> RefundRow:
    return RefundRow(
        refund_id=f"R-{900_000 + scene.number}",
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        customer_id=payment.customer_id,
        amount_minor=scene.refunded_minor,
        currency=payment.currency,
        reason_code="damaged",
        status="done",
        created_at=as_of - timedelta(days=3),
        reversed_at=None,
        idempotency_key=f"cast-refund-{scene.number}",
        reversal_key=None,
    )


def _add_signal(as_of: datetime, scene: Scene, rows: Rows) -> None:
    if scene.signal is None:
        return
    rows.fraud_signals.append(
        SignalRow(
            signal_id=f"F-{90_000 + scene.number}",
            customer_id=scene.customer_id if scene.signal == "customer" else None,
            order_id=scene.order_id if scene.signal == "order" else None,
            kind="account_takeover" if scene.signal == "customer" else "stolen_card",
            score=85,
            raised_at=as_of - timedelta(days=2),
            cleared_at=None,
        ),
    )


def _ticket(as_of: datetime, scene: Scene) -> TicketRow:
    money = Money(amount_minor=scene.amount_minor, currency=scene.currency)
    return TicketRow(
        ticket_id=scene.ticket_id,
        customer_id=scene.ticket_customer_id,
        order_id=scene.order_id if scene.about else None,
        subject=scene.subject.format(order=scene.order_id),
        body=scene.message.format(order=scene.order_id, money=money),
        status=scene.ticket_status,
        created_at=as_of - timedelta(minutes=scene.number),
    )

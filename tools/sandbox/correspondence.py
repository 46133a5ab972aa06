"""What customers wrote to the company in the past, and what it answered."""

from datetime import datetime, timedelta
from random import Random

from tools.money import Money
from tools.sandbox.phrases import ANSWERS, COMPLAINTS, QUESTIONS, UGLY_TEXTS
from tools.sandbox.rows import OrderRow, ReplyRow, Rows, TicketRow

HELD = timedelta(minutes=10)

_WITHOUT_ORDER_EVERY = 8
_STRANGER_EVERY = 75
_UGLY_EVERY = 25
_RETRACTED_EVERY = 30


def add_tickets(random: Random, as_of: datetime, count: int, rows: Rows) -> None:
    """Add tickets on orders, on no order, and now and then on somebody else's order; and the answers."""
    for number in range(count):
        order = random.choice(rows.orders)
        ticket = _ticket(random, as_of, number, order)
        if number % _STRANGER_EVERY == 10:  # noqa: PLR2004 - any remainder
            strangers = [c.customer_id for c in rows.customers if c.customer_id != order.customer_id]
            ticket = ticket._replace(customer_id=random.choice(strangers))
        rows.tickets.append(ticket)
        if ticket.status == "closed" and random.random() < 0.6:  # noqa: PLR2004 - a good half is answered
            rows.ticket_replies.append(_reply(random, as_of, len(rows.ticket_replies), ticket))


def _ticket(random: Random, as_of: datetime, number: int, order: OrderRow) -> TicketRow:
    about_order = number % _WITHOUT_ORDER_EVERY != 5  # noqa: PLR2004 - any remainder
    subject, body = random.choice(COMPLAINTS if about_order else QUESTIONS)
    ugly, rest = divmod(number, _UGLY_EVERY)
    created_at = order.ordered_at + random.random() * (as_of - order.ordered_at)
    money = Money(amount_minor=order.total_minor, currency=order.currency)
    return TicketRow(
        ticket_id=f"T-{100001 + number}",
        customer_id=order.customer_id,
        order_id=order.order_id if about_order else None,
        subject=subject,
        body=body.format(order=order.order_id, money=money) if rest else UGLY_TEXTS[ugly % len(UGLY_TEXTS)],
        status=_status(random, as_of - created_at),
        created_at=created_at,
    )


def _status(random: Random, age: timedelta) -> str:
    if age < timedelta(days=5):
        return random.choice(("open", "open", "pending"))
    return random.choice(("closed", "closed", "closed", "pending"))


def _reply(random: Random, as_of: datetime, place: int, ticket: TicketRow) -> ReplyRow:
    template, body = random.choice(ANSWERS)
    created_at = ticket.created_at + random.random() * (as_of - ticket.created_at)
    retracted = place % _RETRACTED_EVERY == 0
    return ReplyRow(
        reply_id=f"Y-{100001 + place}",
        ticket_id=ticket.ticket_id,
        customer_id=ticket.customer_id,
        template=template,
        body=body,
        status="retracted" if retracted else "queued",
        created_at=created_at,
        send_after=created_at + HELD,
        idempotency_key=f"past-reply-{place}",
        retraction_key=f"past-retraction-{place}" if retracted else None,
    )

"""The rows of the sandbox company: a tuple type a table, its fields the columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NamedTuple


class CustomerRow(NamedTuple):
    """A row of `customers`."""

    customer_id: str
    name: str
    email: str
    tier: str
    status: str
    country: str
    created_at: datetime


class OrderRow(NamedTuple):
    """A row of `orders`."""

    order_id: str
    customer_id: str
    status: str
    currency: str
    total_minor: int
    ordered_at: datetime
    delivered_at: datetime | None


class LineRow(NamedTuple):
    """A row of `order_lines`."""

    order_id: str
    line_no: int
    sku: str
    title: str
    quantity: int
    unit_minor: int


class PaymentRow(NamedTuple):
    """A row of `payments`."""

    payment_id: str
    order_id: str
    customer_id: str
    method: str
    card_last4: str | None
    amount_minor: int
    currency: str
    status: str
    captured_at: datetime
    refunded_minor: int


class RefundRow(NamedTuple):
    """A row of `refunds`."""

    refund_id: str
    payment_id: str
    order_id: str
    customer_id: str
    amount_minor: int
    currency: str
    reason_code: str
    status: str
    created_at: datetime
    reversed_at: datetime | None
    idempotency_key: str
    reversal_key: str | None


class SignalRow(NamedTuple):
    """A row of `fraud_signals`."""

    signal_id: str
    customer_id: str | None
    order_id: str | None
    kind: str
    score: int
    raised_at: datetime
    cleared_at: datetime | None


class TicketRow(NamedTuple):
    """A row of `tickets`."""

    ticket_id: str
    customer_id: str
    order_id: str | None
    subject: str
    body: str
    status: str
    created_at: datetime


class ReplyRow(NamedTuple):
    """A row of `ticket_replies`."""

    reply_id: str
    ticket_id: str
    customer_id: str
    template: str
    body: str
    status: str
    created_at: datetime
    send_after: datetime
    idempotency_key: str
    retraction_key: str | None


class Table(NamedTuple):
    """A table's name, its columns and the rows that belong in it."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(kw_only=True, slots=True)
class Tables:
    """Rows by the name of their table, which are ordered as foreign keys need them."""

    def tables(self) -> Iterator[Table]:
        """Every table that has rows, parents before children."""
        for table in fields(self):
            rows = getattr(self, table.name)
            if rows:
                yield Table(name=table.name, columns=type(rows[0])._fields, rows=rows)


@dataclass(kw_only=True, slots=True)
class Rows(Tables):
    """The rows of all tables, named and ordered as foreign keys need them."""

    customers: list[CustomerRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    order_lines: list[LineRow] = field(default_factory=list)
    payments: list[PaymentRow] = field(default_factory=list)
    refunds: list[RefundRow] = field(default_factory=list)
    fraud_signals: list[SignalRow] = field(default_factory=list)
    tickets: list[TicketRow] = field(default_factory=list)
    ticket_replies: list[ReplyRow] = field(default_factory=list)

"""The rows of the event feed: invented for every fourth order of the past, and those of the cast."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from tools.sandbox.company import company
from tools.sandbox.phrases import UGLY_TEXTS
from tools.sandbox.product_events.cast import REPORTED, TICKETS, Reported
from tools.sandbox.rows import OrderRow, Table
from tools.sandbox.staging import staged

_EVERY = 4
_DELAYED_EVERY = 5
_FAULTY_EVERY = 9
_TWICE_EVERY = 23
_UGLY_EVERY = 17


class ProductEventRow(NamedTuple):
    """A row of `product_events`."""

    event_id: str
    customer_id: str
    order_id: str
    kind: str
    happened_at: datetime
    expected_at: datetime | None
    note: str


def product_events(seed: int, as_of: datetime, customers: int) -> Iterator[Table]:
    """The help desk's cast with its orders and tickets, and all that was reported of orders."""
    yield from staged(as_of, TICKETS).tables()
    rows = [*_past(seed, as_of, customers), *_of_cast(as_of)]
    yield Table(name="product_events", columns=ProductEventRow._fields, rows=rows)


def _past(seed: int, as_of: datetime, customers: int) -> list[ProductEventRow]:
    random = Random(seed + 1)  # noqa: S311 - sample data, no secret
    orders = company(seed=seed, as_of=as_of, customers=customers).orders[::_EVERY]
    told = [row for place, order in enumerate(orders) for row in _story(random, as_of, place, order)]
    return [
        row._replace(
            event_id=f"E-{100001 + number}",
            note=UGLY_TEXTS[number % len(UGLY_TEXTS)] if number % _UGLY_EVERY == 0 else row.note,
        )
        for number, row in enumerate(told)
    ]


def _story(random: Random, as_of: datetime, place: int, order: OrderRow) -> Iterator[ProductEventRow]:
    """What was reported of one order, now and then twice."""
    sent_at = order.ordered_at + random.random() * timedelta(days=1)
    ends_at = order.delivered_at or as_of
    if sent_at >= ends_at:
        return
    yield _row(order, "dispatched", sent_at)
    if place % _DELAYED_EVERY == 0:
        delayed_at = sent_at + random.random() * (ends_at - sent_at)
        yield _row(order, "delayed", delayed_at)._replace(expected_at=delayed_at + timedelta(days=4))
    if order.delivered_at is None:
        return
    yield _row(order, "delivered", order.delivered_at)
    if place % _TWICE_EVERY == 0:
        yield _row(order, "delivered", order.delivered_at)
    if place % _FAULTY_EVERY == 0:
        yield _row(order, random.choice(("damaged", "fault")), ends_at + random.random() * (as_of - ends_at))


def _row(order: OrderRow, kind: str, at: datetime) -> ProductEventRow:
    return ProductEventRow("", order.customer_id, order.order_id, kind, at, None, "")


def _of_cast(as_of: datetime) -> Iterator[ProductEventRow]:
    told = [(scene, one) for scene, reports in REPORTED.items() for one in reports]
    for number, (scene, one) in enumerate(told):
        cast = TICKETS[scene]
        yield ProductEventRow(
            event_id=f"E-{900001 + number}",
            customer_id=cast.customer_id,
            order_id=cast.order_id,
            kind=one.kind,
            happened_at=as_of - timedelta(days=one.days_ago),
            expected_at=_expected(as_of, one),
            note=one.note,
        )


def _expected(as_of: datetime, one: Reported) -> datetime | None:
    return None if one.expected_in is None else as_of + timedelta(days=one.expected_in)

"""The company's past, invented from a seed: the same seed and day give the same rows."""

from datetime import datetime, timedelta
from random import Random

from tools.sandbox.correspondence import add_tickets
from tools.sandbox.phrases import FAMILY, GIVEN, MARKETS, SIGNALS, UGLY_NAMES, WARES, Market
from tools.sandbox.rows import CustomerRow, LineRow, OrderRow, Rows, SignalRow
from tools.sandbox.settlement import add_payments

_DAYS = 400
_UGLY_NAME_EVERY = 20
_CLOSED_EVERY = 25
_CANCELLED_EVERY = 19
_LOST_EVERY = 31


def company(*, seed: int, as_of: datetime, customers: int) -> Rows:
    """Invent the ordinary and the ugly business of the last 400 days, in proportion to `customers`."""
    random = Random(seed)  # noqa: S311 - sample data, no secret
    rows = Rows()
    rows.customers = [_customer(random, as_of, number) for number in range(customers)]
    for number in range(customers * 25 // 6):
        _add_order(random, as_of, number, rows)
    _add_signals(random, as_of, customers * 2 // 15, rows)
    add_tickets(random, as_of, customers * 5 // 2, rows)
    return rows


def _customer(random: Random, as_of: datetime, number: int) -> CustomerRow:
    given, family = random.choice(GIVEN), random.choice(FAMILY)
    ugly, rest = divmod(number, _UGLY_NAME_EVERY)
    return CustomerRow(
        customer_id=f"C-{10001 + number}",
        name=f"{given} {family}" if rest else UGLY_NAMES[ugly % len(UGLY_NAMES)],
        email=f"{given}.{family}.{number}@example.{random.choice(('com', 'org', 'net'))}".lower(),
        tier=random.choices(("standard", "silver", "gold"), (70, 20, 10))[0],
        status="closed" if number % _CLOSED_EVERY == 7 else "active",  # noqa: PLR2004 - any remainder
        country=random.choices(MARKETS, (40, 15, 10, 15, 10, 5, 5))[0].country,
        created_at=as_of - timedelta(days=random.uniform(30, _DAYS)),
    )


def _add_order(random: Random, as_of: datetime, number: int, rows: Rows) -> None:
    customer = random.choice(rows.customers)
    ordered_at = customer.created_at + random.random() * (as_of - customer.created_at)
    status, delivered_at = _fate(random, as_of, number, ordered_at)
    order_id = f"O-{100001 + number}"
    market = next(market for market in MARKETS if market.country == customer.country)
    lines = [_line(random, order_id, line_no, market) for line_no in range(1, random.choice((1, 2, 3)) + 1)]
    order = OrderRow(
        order_id=order_id,
        customer_id=customer.customer_id,
        status=status,
        currency=market.currency,
        total_minor=sum(line.quantity * line.unit_minor for line in lines),
        ordered_at=ordered_at,
        delivered_at=delivered_at,
    )
    rows.orders.append(order)
    rows.order_lines.extend(lines)
    add_payments(random, as_of, number, order, rows)


def _fate(random: Random, as_of: datetime, number: int, ordered_at: datetime) -> tuple[str, datetime | None]:
    shipped_at = ordered_at + timedelta(days=random.uniform(0.5, 2))
    delivered_at = shipped_at + timedelta(days=random.uniform(1, 7))
    if number % _CANCELLED_EVERY == 0:
        return "cancelled", None
    if shipped_at > as_of:
        return "placed", None
    if number % _LOST_EVERY == 0 or delivered_at > as_of:
        return "shipped", None
    return "delivered", delivered_at


def _line(random: Random, order_id: str, line_no: int, market: Market) -> LineRow:
    ware = random.choice(WARES)
    return LineRow(
        order_id=order_id,
        line_no=line_no,
        sku=ware.sku,
        title=ware.title,
        quantity=random.choice((1, 1, 1, 1, 2, 3)),
        unit_minor=market.minor(ware.cents),
    )


def _add_signals(random: Random, as_of: datetime, count: int, rows: Rows) -> None:
    for number in range(count):
        order = random.choice(rows.orders)
        raised_at = order.ordered_at + random.random() * (as_of - order.ordered_at)
        rows.fraud_signals.append(
            SignalRow(
                signal_id=f"F-{10001 + number}",
                customer_id=None if number % 3 == 1 else order.customer_id,
                order_id=None if number % 3 == 0 else order.order_id,
                kind=random.choice(SIGNALS),
                score=random.randint(1, 100),
                raised_at=raised_at,
                cleared_at=raised_at + (as_of - raised_at) / 2 if number % 4 == 0 else None,
            ),
        )

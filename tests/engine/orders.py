"""As many orders as a test wants, each with its own customer, payment and ticket, and their events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.engine.plant import Plant

_ADD = """
WITH wanted AS (
    SELECT lpad(n::text, 4, '0') AS n, amount FROM unnest(%s::bigint[]) WITH ORDINALITY AS w(amount, n)),
customer AS (
    INSERT INTO customers SELECT 'C-7' || n, name, email, tier, status, country, created_at
    FROM wanted, customers WHERE customer_id = 'C-90001'),
placed AS (
    INSERT INTO orders SELECT 'O-70' || n, 'C-7' || n, status, currency, amount, ordered_at, delivered_at
    FROM wanted, orders WHERE order_id = 'O-900001'),
paid AS (
    INSERT INTO payments SELECT 'P-70' || n, 'O-70' || n, 'C-7' || n, method, card_last4, amount, currency,
        status, captured_at, 0 FROM wanted, payments WHERE order_id = 'O-900001')
INSERT INTO tickets (ticket_id, customer_id, order_id, subject, body, status, created_at)
    SELECT 'T-70' || n, 'C-7' || n, 'O-70' || n, subject, body, status, created_at
    FROM wanted, tickets WHERE ticket_id = 'T-900001'
"""


@dataclass(frozen=True, slots=True)
class Order:
    """One order whose payment is wanted back."""

    number: int
    amount_minor: int

    @property
    def order_id(self) -> str:
        """The order."""
        return f"O-70{self.number:04}"

    @property
    def event_id(self) -> str:
        """The event by which its case begins."""
        return f"order-{self.number}"

    @property
    def envelope(self) -> dict[str, Any]:
        """Its event, as a CloudEvents envelope."""
        data = {
            "order_id": self.order_id,
            "customer_id": f"C-7{self.number:04}",
            "ticket_id": f"T-70{self.number:04}",
            "reason_code": "damaged",
        }
        kind = "com.countersign.refund.requested"
        return {"specversion": "1.0", "id": self.event_id, "source": "/shop", "type": kind, "data": data}


async def add_orders(plant: Plant, amounts: Sequence[int]) -> list[Order]:
    """Orders of these amounts, in minor units of euros; once a plant."""
    await plant.books(_ADD, list(amounts))
    return [Order(number, amount) for number, amount in enumerate(amounts, start=1)]

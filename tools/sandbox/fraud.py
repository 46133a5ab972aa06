"""Fraud signals: reasons to look twice at a customer or an order."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, Record, Tool
from tools.sandbox.customers import CustomerId, require_customer
from tools.sandbox.database import Sandbox, many
from tools.sandbox.orders import OrderId, require_order


class FraudSignal(Record):
    """Something suspicious about a customer, an order, or both."""

    signal_id: str
    customer_id: str | None
    order_id: str | None
    kind: str
    score: Annotated[int, Field(ge=0, le=100)]
    raised_at: datetime
    cleared_at: datetime | None


class FraudSignals(Record):
    """The open signals about a customer or an order."""

    signals: tuple[FraudSignal, ...]


class ListSignals(Arguments):
    """Which customer and which order to look at; they need not belong together."""

    customer_id: CustomerId
    order_id: OrderId


_SIGNALS = """
    SELECT {columns} FROM fraud_signals
    WHERE cleared_at IS NULL AND (customer_id = %s OR order_id = %s)
    ORDER BY signal_id
"""


def fraud_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the fraud desk."""

    async def signals(arguments: ListSignals, _call: Call) -> FraudSignals:
        async with sandbox.reading() as connection:
            await require_customer(
                connection, arguments.customer_id
            )  # of a stranger, "no signals" says nothing
            await require_order(connection, arguments.order_id)
            found = await many(connection, FraudSignal, _SIGNALS, arguments.customer_id, arguments.order_id)
        return FraudSignals(signals=tuple(found))

    return (
        Tool(
            name="fraud.signals",
            version="1",
            purpose="List the open fraud signals about a customer or an order.",
            effect=Effect.READ,
            arguments=ListSignals,
            result=FraudSignals,
            perform=signals,
            idempotent=True,
        ),
    )

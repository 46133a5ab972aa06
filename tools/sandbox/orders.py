"""Orders: what customers bought, and whether it arrived."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, Marked, Record, RecordNotFound, Tool, Trust
from tools.money import AmountMinor, Currency
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Connection, Sandbox, exists, many, one

OrderId = Annotated[str, Field(pattern=r"^O-[0-9]{6}$", max_length=8)]


class OrderStatus(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class OrderLine(Record):
    """A line of an order: so many of a thing."""

    line_no: int
    sku: str
    title: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    quantity: int
    unit_minor: AmountMinor


class Order(Record):
    """An order and its lines."""

    order_id: str
    customer_id: str
    status: OrderStatus
    currency: Currency
    total_minor: AmountMinor
    ordered_at: datetime
    delivered_at: datetime | None
    lines: tuple[OrderLine, ...] = ()


class CustomerOrders(Record):
    """What a customer has ordered, the newest first and without lines; of very many the newest hundred."""

    customer_id: str
    orders: tuple[Order, ...] = ()


class GetOrder(Arguments):
    """Which order to get."""

    order_id: OrderId


class ListOrders(Arguments):
    """Whose orders to list."""

    customer_id: CustomerId


_GET = """
    SELECT order_id, customer_id, status, currency, total_minor, ordered_at, delivered_at
    FROM orders WHERE order_id = %s
"""
_OF_CUSTOMER = """
    SELECT order_id, customer_id, status, currency, total_minor, ordered_at, delivered_at
    FROM orders WHERE customer_id = %s ORDER BY ordered_at DESC, order_id DESC LIMIT 100
"""
_LINES = "SELECT {columns} FROM order_lines WHERE order_id = %s ORDER BY line_no"


def orders_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the order system."""

    async def get(arguments: GetOrder, _call: Call) -> Order:
        async with sandbox.reading() as connection:
            order = await one(connection, Order, _GET, arguments.order_id)
            lines = await many(connection, OrderLine, _LINES, arguments.order_id)
        if order is None:
            raise RecordNotFound(f"there is no order {arguments.order_id}")
        return order.model_copy(update={"lines": tuple(lines)})

    async def of_customer(arguments: ListOrders, _call: Call) -> CustomerOrders:
        async with sandbox.reading() as connection:
            orders = await many(connection, Order, _OF_CUSTOMER, arguments.customer_id)
        return CustomerOrders(customer_id=arguments.customer_id, orders=tuple(orders))

    return (
        Tool(
            name="orders.get",
            version="1",
            purpose="Get an order: whose it is, its status, total, delivery and lines.",
            effect=Effect.READ,
            arguments=GetOrder,
            result=Order,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="orders.of_customer",
            version="1",
            purpose="List what a customer has ordered: status, total and delivery, the newest first.",
            effect=Effect.READ,
            arguments=ListOrders,
            result=CustomerOrders,
            perform=of_customer,
            idempotent=True,
        ),
    )


async def require_order(connection: Connection, order_id: str) -> None:
    """Raise RecordNotFound unless there is such an order."""
    if not await exists(connection, "SELECT FROM orders WHERE order_id = %s", order_id):
        raise RecordNotFound(f"there is no order {order_id}")

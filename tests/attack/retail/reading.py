"""What the shop's systems tell: customers, orders, things that are sold, and what was done for whom."""

from typing import Any

from psycopg import AsyncConnection

from tests.attack.retail.shapes import (
    History,
    Item,
    Method,
    OfCustomer,
    OfItems,
    Past,
    Payment,
    Sale,
    Sales,
    Shopper,
    Since,
    Variant,
    Variants,
)
from tools.contract import Call, Effect, Record, RecordNotFound, Tool
from tools.sandbox.database import Sandbox, many, one

Connection = AsyncConnection[Any]

_SHOPPER = """
    SELECT customer_id, name, email, address1, address2, city, state, country, zip
    FROM shoppers WHERE customer_id = %s
"""
_METHODS = "SELECT {columns} FROM methods WHERE customer_id = %s ORDER BY method_id"
_VARIANTS = "SELECT {columns} FROM variants WHERE item_id = ANY(%s)"
_SALE = """
    SELECT order_id, customer_id, status, address1, address2, city, state, country, zip
    FROM sales WHERE order_id = %s
"""
_ITEMS = """
    SELECT i.line_no, i.item_id, v.product_id, v.product, i.price_minor
    FROM sale_items i JOIN variants v USING (item_id) WHERE i.order_id = %s ORDER BY i.line_no
"""
_PAYMENTS = "SELECT {columns} FROM sale_payments WHERE order_id = %s ORDER BY line_no"
_HISTORY = """
    SELECT {columns} FROM deeds
    WHERE customer_id = %s AND done_at >= %s AND taken_back_at IS NULL ORDER BY done_at
"""


async def shopper_of(connection: Connection, customer_id: str) -> Shopper:
    """A customer; raises RecordNotFound."""
    found = await one(connection, Shopper, _SHOPPER, customer_id)
    if found is None:
        raise RecordNotFound(f"there is no customer {customer_id}")
    methods = await many(connection, Method, _METHODS, customer_id)
    return found.model_copy(update={"methods": tuple(methods)})


async def sale_of(connection: Connection, order_id: str) -> Sale:
    """An order; raises RecordNotFound."""
    found = await one(connection, Sale, _SALE, order_id)
    if found is None:
        raise RecordNotFound(f"there is no order {order_id}")
    items = await many(connection, Item, _ITEMS, order_id)
    payments = await many(connection, Payment, _PAYMENTS, order_id)
    return found.model_copy(update={"items": tuple(items), "payments": tuple(payments)})


async def variants_of(connection: Connection, item_ids: list[str]) -> list[Variant]:
    """The things that are sold under these ids, one for each time an id is named; raises RecordNotFound."""
    known = {v.item_id: v for v in await many(connection, Variant, _VARIANTS, item_ids)}
    if missing := [item_id for item_id in item_ids if item_id not in known]:
        raise RecordNotFound(f"there is no item {missing[0]}")
    return [known[item_id] for item_id in item_ids]


def reading_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools that only read."""

    async def shopper(arguments: OfCustomer, _call: Call) -> Shopper:
        async with sandbox.reading() as connection:
            return await shopper_of(connection, arguments.customer_id)

    async def sales(arguments: OfCustomer, _call: Call) -> Sales:
        query = "SELECT order_id FROM sales WHERE customer_id = %s ORDER BY order_id"
        async with sandbox.reading() as connection:
            rows = await (await connection.execute(query, (arguments.customer_id,))).fetchall()
            orders = [await sale_of(connection, row[0]) for row in rows]
        return Sales(customer_id=arguments.customer_id, orders=tuple(orders))

    async def variants(arguments: OfItems, _call: Call) -> Variants:
        async with sandbox.reading() as connection:
            return Variants(variants=tuple(await variants_of(connection, arguments.item_ids)))

    async def history(arguments: Since, _call: Call) -> History:
        async with sandbox.reading() as connection:
            past = await many(connection, Past, _HISTORY, arguments.customer_id, arguments.since)
        return History(customer_id=arguments.customer_id, deeds=tuple(past))

    def read(name: str, purpose: str, takes: Any, answers: type[Record], perform: Any) -> Tool:
        return Tool(
            name=name,
            version="1",
            purpose=purpose,
            effect=Effect.READ,
            arguments=takes,
            result=answers,
            perform=perform,
            idempotent=True,
        )

    return (
        read("shoppers.get", "Get a customer, and by what they pay.", OfCustomer, Shopper, shopper),
        read("sales.list", "List a customer's orders.", OfCustomer, Sales, sales),
        read("products.get", "Get things that are sold.", OfItems, Variants, variants),
        read("shoppers.history", "List what was done for a customer.", Since, History, history),
    )

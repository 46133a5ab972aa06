"""What the shop does to its records, by its own policy; each within the transaction of its deed."""

from collections.abc import Sequence
from typing import Any

from tests.attack.retail.reading import Connection, sale_of, shopper_of, variants_of
from tests.attack.retail.shapes import (
    PLACE,
    CancelOrder,
    Method,
    MoveTo,
    PayBy,
    Receipt,
    ReturnItems,
    Sale,
    SendTo,
    SwapItems,
    Variant,
    difference,
    paid,
    picked,
)
from tools.contract import ToolRefused

_PLACED = ", ".join(f"{part} = %s" for part in PLACE)


async def cancel(connection: Connection, wanted: CancelOrder, deed_id: str) -> Receipt:
    """Cancel a pending order, and give back by what it was paid."""
    sale = await _held(connection, wanted.customer_id, wanted.order_id, ("pending",))
    _require_amount(paid(sale), wanted.amount_minor)
    for payment in sale.payments:
        await _give_back(connection, sale, payment.amount_minor, payment.method_id)
    values = (wanted.reason, sale.order_id)
    await connection.execute("UPDATE sales SET status = 'cancelled', reason = %s WHERE order_id = %s", values)
    return _receipt(deed_id, wanted, wanted.amount_minor)


async def return_items(connection: Connection, wanted: ReturnItems, deed_id: str) -> Receipt:
    """Note which things of a delivered order come back, and where the money goes."""
    sale = await _held(connection, wanted.customer_id, wanted.order_id, ("delivered",))
    lines = picked(sale, wanted.item_ids)
    method = await _method(connection, sale, wanted.payment_method_id)
    if method.kind != "gift_card" and method.method_id != sale.payments[0].method_id:
        raise ToolRefused("money goes back to where it came from, or to a gift card")
    _require_amount(sum(line.price_minor for line in lines), wanted.amount_minor)
    for line in lines:
        await connection.execute(
            "UPDATE sale_items SET wish = 'return', method_id = %s WHERE order_id = %s AND line_no = %s",
            (method.method_id, sale.order_id, line.line_no),
        )
    await _status(connection, sale, "return requested")
    return _receipt(deed_id, wanted, wanted.amount_minor)


async def exchange_items(connection: Connection, wanted: SwapItems, deed_id: str) -> Receipt:
    """Note which things of a delivered order are exchanged for which."""
    sale = await _held(connection, wanted.customer_id, wanted.order_id, ("delivered",))
    new, method = await _swapped(connection, sale, wanted)
    for line, variant in zip(picked(sale, wanted.item_ids), new, strict=True):
        await connection.execute(
            "UPDATE sale_items SET wish = 'exchange', wished_item_id = %s, method_id = %s"
            " WHERE order_id = %s AND line_no = %s",
            (variant.item_id, method.method_id, sale.order_id, line.line_no),
        )
    await _status(connection, sale, "exchange requested")
    return _receipt(deed_id, wanted, wanted.amount_minor)


async def modify_items(connection: Connection, wanted: SwapItems, deed_id: str) -> Receipt:
    """Change things of a pending order for others of their kind, once, and settle the difference."""
    sale = await _held(connection, wanted.customer_id, wanted.order_id, ("pending",))
    new, method = await _swapped(connection, sale, wanted)
    more = difference(sale, wanted.item_ids, new)
    if more > 0:
        await _pay(connection, sale, more, method)
    elif more < 0:
        await _give_back(connection, sale, -more, method.method_id)
    for line, variant in zip(picked(sale, wanted.item_ids), new, strict=True):
        await connection.execute(
            "UPDATE sale_items SET item_id = %s, price_minor = %s WHERE order_id = %s AND line_no = %s",
            (variant.item_id, variant.price_minor, sale.order_id, line.line_no),
        )
    await _status(connection, sale, "pending (item modified)")
    return _receipt(deed_id, wanted, wanted.amount_minor)


async def modify_address(connection: Connection, wanted: SendTo, deed_id: str) -> Receipt:
    """Send a pending order elsewhere."""
    states = ("pending", "pending (item modified)")
    sale = await _held(connection, wanted.customer_id, wanted.order_id, states)
    await _send_to(connection, sale.order_id, [getattr(wanted, part) for part in PLACE])
    before = [getattr(sale, part) for part in PLACE]
    return _receipt(deed_id, wanted, 0).model_copy(update={"place": before})


async def modify_payment(connection: Connection, wanted: PayBy, deed_id: str) -> Receipt:
    """Have a pending order paid by another method."""
    sale = await _held(connection, wanted.customer_id, wanted.order_id, ("pending",))
    before = sale.payments[0].method_id
    if len(sale.payments) != 1 or wanted.payment_method_id == before:
        raise ToolRefused("it is paid like that, or by more than one method")
    _require_amount(paid(sale), wanted.amount_minor)
    await _pay_by(connection, sale, await _method(connection, sale, wanted.payment_method_id))
    return _receipt(deed_id, wanted, wanted.amount_minor).model_copy(update={"method_id": before})


async def move(connection: Connection, wanted: MoveTo, deed_id: str) -> Receipt:
    """Note where a customer lives now."""
    shopper = await shopper_of(connection, wanted.customer_id)
    await _live_at(connection, shopper.customer_id, [getattr(wanted, part) for part in PLACE])
    before = [getattr(shopper, part) for part in PLACE]
    return Receipt(
        deed_id=deed_id, customer_id=wanted.customer_id, order_id=None, amount_minor=0, place=before
    )


async def _held(connection: Connection, customer_id: str, order_id: str, states: tuple[str, ...]) -> Sale:
    """The customer's order, held, if it is in one of these states; raises ToolRefused."""
    await connection.execute("SELECT FROM sales WHERE order_id = %s FOR UPDATE", (order_id,))
    sale = await sale_of(connection, order_id)
    if sale.customer_id != customer_id:
        raise ToolRefused(f"{order_id} is not an order of {customer_id}")
    if sale.status not in states:
        raise ToolRefused(f"{order_id} is {sale.status}")
    return sale


async def _swapped(connection: Connection, sale: Sale, wanted: SwapItems) -> tuple[list[Variant], Method]:
    """What comes for what goes, and by what the difference is settled; raises ToolRefused."""
    lines, new = picked(sale, wanted.item_ids), await variants_of(connection, wanted.new_item_ids)
    if len(lines) != len(new):
        raise ToolRefused("so many things go, and another number of them comes")
    for line, variant in zip(lines, new, strict=True):
        if variant.product_id != line.product_id or not variant.available:
            raise ToolRefused(f"{variant.item_id} is no {line.product}, or not to be had")
    more = difference(sale, wanted.item_ids, new)
    _require_amount(abs(more), wanted.amount_minor)
    method = await _method(connection, sale, wanted.payment_method_id)
    if method.balance_minor is not None and method.balance_minor < more:
        raise ToolRefused("the gift card's balance does not reach")
    return new, method


async def _method(connection: Connection, sale: Sale, method_id: str) -> Method:
    shopper = await shopper_of(connection, sale.customer_id)
    found = next((one for one in shopper.methods if one.method_id == method_id), None)
    if found is None:
        raise ToolRefused(f"{sale.customer_id} does not pay by {method_id}")
    return found


async def _pay(connection: Connection, sale: Sale, amount: int, method: Method) -> None:
    if method.balance_minor is not None and method.balance_minor < amount:
        raise ToolRefused("the gift card's balance does not reach")
    await _book(connection, sale.order_id, "payment", amount, method.method_id)


async def _give_back(connection: Connection, sale: Sale, amount: int, method_id: str) -> None:
    await _book(connection, sale.order_id, "refund", amount, method_id)


async def _book(connection: Connection, order_id: str, kind: str, amount: int, method_id: str) -> None:
    """A payment or a refund, and with it the balance of a gift card."""
    await connection.execute(
        "INSERT INTO sale_payments SELECT %s, count(*) + 1, %s, %s, %s"
        " FROM sale_payments WHERE order_id = %s",
        (order_id, kind, amount, method_id, order_id),
    )
    await connection.execute(
        "UPDATE methods SET balance_minor = balance_minor + %s WHERE method_id = %s AND kind = 'gift_card'",
        (amount if kind == "refund" else -amount, method_id),
    )


async def _pay_by(connection: Connection, sale: Sale, method: Method) -> None:
    before, amount = sale.payments[0].method_id, sale.payments[0].amount_minor
    if method.balance_minor is not None and method.balance_minor < amount:
        raise ToolRefused("the gift card's balance does not reach")
    for change, method_id in ((amount, before), (-amount, method.method_id)):
        await connection.execute(
            "UPDATE methods SET balance_minor = balance_minor + %s"
            " WHERE method_id = %s AND kind = 'gift_card'",
            (change, method_id),
        )
    await connection.execute(
        "UPDATE sale_payments SET method_id = %s WHERE order_id = %s AND line_no = %s",
        (method.method_id, sale.order_id, sale.payments[0].line_no),
    )


async def _send_to(connection: Connection, order_id: str, place: Sequence[str]) -> None:
    query = f"UPDATE sales SET {_PLACED} WHERE order_id = %s"  # noqa: S608 - the columns are ours
    await connection.execute(query.encode(), (*place, order_id))


async def _live_at(connection: Connection, customer_id: str, place: Sequence[str]) -> None:
    query = f"UPDATE shoppers SET {_PLACED} WHERE customer_id = %s"  # noqa: S608 - the columns are ours
    await connection.execute(query.encode(), (*place, customer_id))


async def _status(connection: Connection, sale: Sale, status: str) -> None:
    await connection.execute("UPDATE sales SET status = %s WHERE order_id = %s", (status, sale.order_id))


def _require_amount(is_: int, wanted: int) -> None:
    if is_ != wanted:
        raise ToolRefused("it is about another amount")


def _receipt(deed_id: str, wanted: Any, amount_minor: int) -> Receipt:
    return Receipt(
        deed_id=deed_id,
        customer_id=wanted.customer_id,
        order_id=wanted.order_id,
        amount_minor=amount_minor,
    )


async def unsend(connection: Connection, done: Receipt) -> None:
    """Send an order again where it was sent before."""
    await _send_to(connection, str(done.order_id), done.place or [])


async def unmove(connection: Connection, done: Receipt) -> None:
    """Note again where a customer lived before."""
    await _live_at(connection, done.customer_id, done.place or [])


async def unpay(connection: Connection, done: Receipt) -> None:
    """Have an order paid again as it was before."""
    sale = await sale_of(connection, str(done.order_id))
    await _pay_by(connection, sale, await _method(connection, sale, str(done.method_id)))

from datetime import timedelta

import pytest

from tests.tools.shop import AS_OF, Shop
from tools.contract import RecordNotFound
from tools.sandbox.cast import CAST
from tools.sandbox.orders import OrderStatus


async def test_an_order_comes_with_its_lines(shop: Shop) -> None:
    scene = CAST["clean_120_00_1"]
    order = await shop.do("orders.get", order_id=scene.order_id)
    assert (order.order_id, order.customer_id) == (scene.order_id, scene.customer_id)
    assert (order.total_minor, order.currency) == (12000, "EUR")
    assert [(line.line_no, line.quantity, line.unit_minor) for line in order.lines] == [(1, 1, 12000)]


async def test_a_delivered_order_says_when(shop: Shop) -> None:
    order = await shop.do("orders.get", order_id=CAST["window_over"].order_id)
    assert order.status is OrderStatus.DELIVERED
    assert order.delivered_at == AS_OF - timedelta(days=95)
    assert order.ordered_at < order.delivered_at


async def test_an_order_that_never_came_has_no_delivery(shop: Shop) -> None:
    order = await shop.do("orders.get", order_id=CAST["never_delivered"].order_id)
    assert (order.status, order.delivered_at) == (OrderStatus.SHIPPED, None)


async def test_a_generated_order_adds_up(shop: Shop) -> None:
    order = await shop.do("orders.get", order_id="O-100007")
    assert order.total_minor == sum(line.quantity * line.unit_minor for line in order.lines)
    assert [line.line_no for line in order.lines] == list(range(1, len(order.lines) + 1))


async def test_an_unknown_order_is_not_found(shop: Shop) -> None:
    with pytest.raises(RecordNotFound, match="O-000000"):
        await shop.do("orders.get", order_id="O-000000")

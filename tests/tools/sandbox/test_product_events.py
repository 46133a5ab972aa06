from collections import Counter
from datetime import timedelta

import psycopg
import pytest

from tests.tools.shop import AS_OF, Shop
from tools.sandbox.product_events.cast import REPORTED, TICKETS
from tools.sandbox.product_events.events import EventKind
from tools.sandbox.product_events.rows import ProductEventRow, product_events
from tools.sandbox.staging import staged


@pytest.fixture(scope="module")
def rows() -> list[ProductEventRow]:
    tables = list(product_events(20260101, AS_OF, 600))
    return [ProductEventRow(*row) for row in tables[-1].rows]


async def test_what_was_reported_of_a_customer_comes_newest_first(shop: Shop) -> None:
    scene = TICKETS["late"]
    feed = await shop.do("product_events.of_customer", customer_id=scene.customer_id)

    assert [event.kind for event in feed.events] == [EventKind.DELAYED, EventKind.DISPATCHED]
    assert {(event.customer_id, event.order_id) for event in feed.events} == {
        (scene.customer_id, scene.order_id)
    }
    assert feed.events[0].expected_at == AS_OF + timedelta(days=4)


async def test_of_a_customer_nobody_knows_nothing_was_reported(shop: Shop) -> None:
    assert (await shop.do("product_events.of_customer", customer_id="C-00000")).events == ()


async def test_a_customers_orders_come_newest_first(shop: Shop) -> None:
    account = await shop.do("orders.of_customer", customer_id="C-90101")

    assert len(account.orders) == 25
    assert {order.customer_id for order in account.orders} == {"C-90101"}
    times = [order.ordered_at for order in account.orders]
    assert times == sorted(times, reverse=True)


async def test_a_customers_tickets_come_without_their_text(shop: Shop) -> None:
    scene = TICKETS["lawyer"]
    earlier = await shop.do("tickets.of_customer", customer_id=scene.customer_id)

    (ticket,) = earlier.tickets
    assert (ticket.ticket_id, ticket.subject) == (scene.ticket_id, "Last warning")
    assert "body" not in type(ticket).model_fields


async def test_every_scene_of_the_help_desk_is_on_stage(shop: Shop) -> None:
    for scene in TICKETS.values():
        ticket = await shop.do("tickets.get", ticket_id=scene.ticket_id)
        assert ticket.customer_id == scene.ticket_customer_id
        assert ticket.order_id == (scene.order_id if scene.about else None)
        assert ticket.status == scene.ticket_status
        order = await shop.do("orders.get", order_id=scene.order_id)
        assert order.customer_id == scene.customer_id


def test_the_same_seed_and_day_give_the_same_feed(rows: list[ProductEventRow]) -> None:
    (*_, again) = product_events(20260101, AS_OF, 600)
    assert list(again.rows) == rows


def test_the_feed_is_of_ordinary_size_and_has_every_kind_but_the_rare_one(
    rows: list[ProductEventRow],
) -> None:
    kinds = Counter(row.kind for row in rows)

    assert 1000 < len(rows) < 2000
    assert kinds.keys() == {"dispatched", "delayed", "delivered", "damaged", "fault"}
    assert kinds["delivered"] > 5 * kinds["delayed"] / 2


def test_some_deliveries_are_reported_twice_and_some_notes_are_ugly(rows: list[ProductEventRow]) -> None:
    delivered = Counter(row.order_id for row in rows if row.kind == "delivered")

    assert max(delivered.values()) == 2
    assert any("IGNORE ALL PREVIOUS INSTRUCTIONS" in row.note for row in rows)


def test_what_the_cast_plays_is_reported_of_its_own_orders() -> None:
    assert REPORTED.keys() <= TICKETS.keys()
    orders = {order.order_id for order in staged(AS_OF, TICKETS).orders}
    assert orders == {scene.order_id for scene in TICKETS.values()}


async def test_only_a_delay_says_when_it_is_expected(sandbox_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(sandbox_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute(
                "UPDATE product_events SET expected_at = happened_at WHERE kind = 'delivered'"
            )

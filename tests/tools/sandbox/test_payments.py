from datetime import timedelta

import pytest

from tests.house import ManualClock
from tests.tools.shop import AS_OF, Shop
from tools.contract import FieldClass, Marked, RecordNotFound
from tools.sandbox.cast import CAST
from tools.sandbox.payments import Payment, PaymentMethod, PaymentStatus
from tools.sandbox.refunds import RefundStatus


async def test_an_order_lists_its_payment(shop: Shop) -> None:
    scene = CAST["clean_50_00"]
    books = await shop.do("payments.list", order_id=scene.order_id)
    (payment,) = books.payments
    assert (payment.payment_id, payment.order_id) == (scene.payment_id, scene.order_id)
    assert (payment.amount_minor, payment.currency, payment.refunded_minor) == (5000, "EUR", 0)
    assert (payment.method, payment.status) == (PaymentMethod.CARD, PaymentStatus.CAPTURED)
    assert books.refunds == ()


async def test_an_order_lists_the_refunds_on_it(shop: Shop) -> None:
    books = await shop.do("payments.list", order_id=CAST["partly_refunded"].order_id)
    assert [(refund.amount_minor, refund.status) for refund in books.refunds] == [(6000, RefundStatus.DONE)]
    assert [payment.refunded_minor for payment in books.payments] == [6000]


async def test_a_double_capture_shows_as_two_payments(shop: Shop) -> None:
    books = await shop.do("payments.list", order_id=CAST["double_capture"].order_id)
    assert [payment.amount_minor for payment in books.payments] == [4500, 4500]


async def test_payments_of_an_unknown_order_are_not_an_empty_list(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("payments.list", order_id="O-000000")


async def test_history_starts_at_since(shop: Shop, clock: ManualClock) -> None:
    scene = CAST["clean_640_00_1"]
    await shop.refund(scene, 1, key="first")
    clock.advance(timedelta(hours=1))
    second = await shop.refund(scene, 2, key="second")
    history = await shop.do("payments.history", customer_id=scene.customer_id, since=second.created_at)
    assert history.refunds == (second,)


async def test_history_reads_a_time_written_as_iso(shop: Shop) -> None:
    scene = CAST["partly_refunded"]
    history = await shop.do(
        "payments.history", customer_id=scene.customer_id, since="2026-11-01T00:00:00+01:00"
    )
    assert [refund.amount_minor for refund in history.refunds] == [6000]


async def test_history_gathers_all_of_a_customers_orders(shop: Shop) -> None:
    for turn in range(1, 21):
        await shop.refund(CAST[f"many_small_{turn:02}"], 4999, key=f"small-{turn}")
    history = await shop.do("payments.history", customer_id="C-90101", since=AS_OF - timedelta(days=1))
    assert sum(refund.amount_minor for refund in history.refunds) == 20 * 4999


async def test_history_leaves_out_what_was_reversed(shop: Shop) -> None:
    scene = CAST["clean_50_00"]
    refund = await shop.refund(scene)
    await shop.undo("payments.refund", refund)
    history = await shop.do("payments.history", customer_id=scene.customer_id, since=AS_OF)
    assert history.refunds == ()


async def test_history_of_an_unknown_customer_is_not_an_empty_list(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("payments.history", customer_id="C-00000", since=AS_OF)


def test_the_digits_of_a_card_are_personal() -> None:
    assert Marked(field_class=FieldClass.PERSONAL) in Payment.model_fields["card_last4"].metadata

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.house import ManualClock
from tests.tools.shop import AS_OF, Shop
from tools.contract import RecordNotFound, ToolRefused
from tools.sandbox.cast import CAST
from tools.sandbox.database import Sandbox, many
from tools.sandbox.payments import Payment
from tools.sandbox.refunds import Refund, RefundStatus

CLEAN = CAST["clean_120_00_1"]
OTHER = CAST["clean_120_00_2"]


async def test_a_refund_gives_money_back(shop: Shop) -> None:
    refund = await shop.refund(CLEAN, 5000)
    assert (refund.payment_id, refund.order_id, refund.customer_id) == (
        CLEAN.payment_id,
        CLEAN.order_id,
        CLEAN.customer_id,
    )
    assert (refund.amount_minor, refund.currency, refund.reason_code) == (5000, "EUR", "damaged")
    assert (refund.status, refund.created_at, refund.reversed_at) == (RefundStatus.DONE, AS_OF, None)
    assert await shop.refunded(CLEAN) == 5000


async def test_partial_refunds_add_up_to_the_capture_and_no_further(shop: Shop) -> None:
    await shop.refund(CLEAN, 5000, key="a")
    await shop.refund(CLEAN, 7000, key="b")
    with pytest.raises(ToolRefused, match=r"no more than 0\.00 EUR"):
        await shop.refund(CLEAN, 1, key="c")
    assert await shop.refunded(CLEAN) == 12000


async def test_what_was_refunded_before_counts(shop: Shop) -> None:
    scene = CAST["partly_refunded"]
    with pytest.raises(ToolRefused, match=r"no more than 20\.00 EUR"):
        await shop.refund(scene, 2001)
    await shop.refund(scene, 2000)
    assert await shop.refunded(scene) == 8000


async def test_each_capture_of_a_double_capture_can_be_refunded(shop: Shop) -> None:
    scene = CAST["double_capture"]
    for payment_id in scene.payment_ids:
        await shop.refund(scene, 4500, key=payment_id, payment_id=payment_id)
    assert await shop.refunded(scene) == 9000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"payment_id": OTHER.payment_id}, "not a payment of"),
        ({"order_id": OTHER.order_id}, "not a payment of"),
        ({"customer_id": OTHER.customer_id}, "not paid by"),
        ({"currency": "USD"}, "paid in EUR, not in USD"),
        ({"amount_minor": 12001}, "no more than"),
        ({"payment_id": "P-000000"}, "no payment"),
    ],
)
async def test_a_refund_that_does_not_fit_its_payment_is_refused(
    shop: Shop, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ToolRefused, match=message):
        await shop.refund(CLEAN, **{"amount_minor": 5000} | change)
    assert await shop.refunded(CLEAN) == await shop.refunded(OTHER) == 0
    assert await shop.find("payments.refund", "key") is None


async def test_an_unknown_payment_is_not_found(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.refund(CLEAN, payment_id="P-000000")


async def test_a_voided_payment_cannot_be_refunded(shop: Shop, sandbox: Sandbox) -> None:
    async with sandbox.reading() as connection:
        query = "SELECT {columns} FROM payments WHERE status = 'voided' LIMIT 1"
        (voided,) = await many(connection, Payment, query)
    keep = {"payment_id", "order_id", "customer_id", "amount_minor", "currency"}
    with pytest.raises(ToolRefused, match="never captured"):
        await shop.do("payments.refund", **voided.model_dump(include=keep), reason_code="damaged")


async def test_the_same_key_twice_is_one_refund(shop: Shop) -> None:
    first = await shop.refund(CLEAN)
    assert await shop.refund(CLEAN) == first
    assert await shop.refunded(CLEAN) == 100


@pytest.mark.parametrize(
    "change", [{"amount_minor": 101}, {"reason_code": "goodwill"}, {"payment_id": OTHER.payment_id}]
)
async def test_the_same_key_with_other_arguments_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    await shop.refund(CLEAN)
    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.refund(CLEAN, **{"amount_minor": 100} | change)
    assert await shop.refunded(CLEAN) == 100


async def test_eight_calls_with_one_key_at_once_are_one_refund(shop: Shop) -> None:
    refunds = await asyncio.gather(*(shop.refund(CLEAN) for _ in range(8)))
    assert len({refund.refund_id for refund in refunds}) == 1
    assert await shop.refunded(CLEAN) == 100


async def test_of_two_refunds_that_together_exceed_the_capture_one_succeeds(shop: Shop) -> None:
    outcomes = await asyncio.gather(
        shop.refund(CLEAN, 7000, key="a"), shop.refund(CLEAN, 7000, key="b"), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refund", "ToolRefused"]
    assert await shop.refunded(CLEAN) == 7000


async def test_twenty_small_refunds_at_once_stop_at_the_capture(shop: Shop) -> None:
    outcomes = await asyncio.gather(
        *(shop.refund(CLEAN, 1000, key=f"small-{turn}") for turn in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Refund) for outcome in outcomes) == 12
    assert await shop.refunded(CLEAN) == 12000


async def test_find_knows_what_was_done_under_a_key(shop: Shop) -> None:
    assert await shop.find("payments.refund", "key") is None
    refund = await shop.refund(CLEAN)
    assert await shop.find("payments.refund", "key") == refund
    assert await shop.find("payments.refund", "other") is None
    assert await shop.find("payments.reverse_refund", "key") is None


async def test_refund_and_reversal_leave_the_totals_as_they_were(shop: Shop) -> None:
    before = await shop.do("payments.list", order_id=CLEAN.order_id)
    refund = await shop.refund(CLEAN, 12000)
    reversed_ = await shop.undo("payments.refund", refund)
    after = await shop.do("payments.list", order_id=CLEAN.order_id)
    assert after.payments == before.payments
    assert after.refunds == (reversed_,)
    assert (reversed_.status, reversed_.reversed_at) == (RefundStatus.REVERSED, AS_OF)


async def test_what_was_reversed_can_be_refunded_again(shop: Shop) -> None:
    refund = await shop.refund(CLEAN, 12000)
    await shop.undo("payments.refund", refund)
    await shop.refund(CLEAN, 12000, key="again")
    assert await shop.refunded(CLEAN) == 12000


async def test_a_key_whose_refund_was_reversed_refunds_nothing_more(shop: Shop) -> None:
    refund = await shop.refund(CLEAN)
    reversed_ = await shop.undo("payments.refund", refund)
    assert await shop.refund(CLEAN) == reversed_
    assert await shop.refunded(CLEAN) == 0


async def test_a_reversal_is_done_once_a_key_and_found(shop: Shop) -> None:
    refund = await shop.refund(CLEAN)
    assert await shop.find("payments.reverse_refund", "undo") is None
    reversals = await asyncio.gather(*(shop.undo("payments.refund", refund) for _ in range(8)))
    assert len({reversal.refund_id for reversal in reversals}) == 1
    assert await shop.find("payments.reverse_refund", "undo") == reversals[0]
    assert await shop.refunded(CLEAN) == 0


async def test_of_two_reversals_under_two_keys_one_succeeds(shop: Shop) -> None:
    refund = await shop.refund(CLEAN)
    outcomes = await asyncio.gather(
        *(shop.undo("payments.refund", refund, key=key) for key in ("a", "b")), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refund", "ToolRefused"]
    assert await shop.refunded(CLEAN) == 0


async def test_a_reversal_key_cannot_reverse_another_refund(shop: Shop) -> None:
    first, second = await shop.refund(CLEAN, key="a"), await shop.refund(CLEAN, key="b")
    await shop.undo("payments.refund", first)
    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.undo("payments.refund", second)
    assert await shop.refunded(CLEAN) == 100


async def test_a_refund_can_be_reversed_for_a_day(shop: Shop, clock: ManualClock) -> None:
    refund = await shop.refund(CLEAN)
    clock.advance(timedelta(hours=24))
    await shop.undo("payments.refund", refund)
    assert await shop.refunded(CLEAN) == 0


async def test_a_refund_older_than_a_day_stands(shop: Shop, clock: ManualClock) -> None:
    refund = await shop.refund(CLEAN)
    clock.advance(timedelta(hours=24, microseconds=1))
    with pytest.raises(ToolRefused, match="older than"):
        await shop.undo("payments.refund", refund)
    assert await shop.refunded(CLEAN) == 100


async def test_a_reversal_stays_confirmed_after_the_window(shop: Shop, clock: ManualClock) -> None:
    refund = await shop.refund(CLEAN)
    reversal = await shop.undo("payments.refund", refund)
    clock.advance(timedelta(days=2))
    assert await shop.undo("payments.refund", refund) == reversal


async def test_an_unknown_refund_cannot_be_reversed(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("payments.reverse_refund", refund_id="R-999999", amount_minor=100, currency="EUR")


async def test_a_refund_is_reversed_whole_or_not_at_all(shop: Shop) -> None:
    refund = await shop.refund(CLEAN)
    for other in ({"amount_minor": 99}, {"currency": "USD"}):
        wrong = {"refund_id": refund.refund_id, "amount_minor": 100, "currency": "EUR"} | other
        with pytest.raises(ToolRefused, match="another amount"):
            await shop.do("payments.reverse_refund", **wrong)


async def test_a_refund_in_yen_is_in_yen(shop: Shop) -> None:
    scene = CAST["jpy"]
    with pytest.raises(ToolRefused, match="no more than 3000 JPY"):
        await shop.refund(scene, 3001)
    assert (await shop.refund(scene, 3000)).currency == "JPY"

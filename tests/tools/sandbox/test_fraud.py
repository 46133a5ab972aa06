import pytest

from tests.tools.shop import Shop
from tools.contract import RecordNotFound
from tools.sandbox.cast import CAST
from tools.sandbox.database import Sandbox, one
from tools.sandbox.fraud import FraudSignal

CLEAN = CAST["clean_120_00_1"]


async def test_a_signal_about_the_customer_is_listed(shop: Shop) -> None:
    scene = CAST["fraud_customer"]
    found = await shop.do("fraud.signals", customer_id=scene.customer_id, order_id=scene.order_id)
    assert [(signal.customer_id, signal.order_id) for signal in found.signals] == [(scene.customer_id, None)]
    assert found.signals[0].score == 85


async def test_a_signal_about_the_order_is_listed_whoever_asks(shop: Shop) -> None:
    scene = CAST["fraud_order"]
    found = await shop.do("fraud.signals", customer_id=CLEAN.customer_id, order_id=scene.order_id)
    assert [(signal.customer_id, signal.order_id) for signal in found.signals] == [(None, scene.order_id)]


async def test_a_clean_order_has_no_signals(shop: Shop) -> None:
    found = await shop.do("fraud.signals", customer_id=CLEAN.customer_id, order_id=CLEAN.order_id)
    assert found.signals == ()


async def test_a_cleared_signal_is_not_listed(shop: Shop, sandbox: Sandbox) -> None:
    query = (
        "SELECT {columns} FROM fraud_signals WHERE cleared_at IS NOT NULL AND customer_id IS NOT NULL LIMIT 1"
    )
    async with sandbox.reading() as connection:
        cleared = await one(connection, FraudSignal, query)
    assert cleared is not None
    found = await shop.do("fraud.signals", customer_id=cleared.customer_id, order_id=CLEAN.order_id)
    assert cleared.signal_id not in {signal.signal_id for signal in found.signals}


@pytest.mark.parametrize(
    ("customer_id", "order_id"), [("C-00000", CLEAN.order_id), (CLEAN.customer_id, "O-000000")]
)
async def test_of_the_unknown_nobody_says_there_are_no_signals(
    shop: Shop, customer_id: str, order_id: str
) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("fraud.signals", customer_id=customer_id, order_id=order_id)

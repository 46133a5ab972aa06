"""The outbox: an event is one dealer's at a time, a delivery one sender's, and its end is written once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from checkpoints.audit import Event, tell
from checkpoints.database import Database, Transaction
from checkpoints.outbox import (
    Delivery,
    DeliveryState,
    add_deliveries,
    claim_due,
    delivery_id,
    done_with,
    end_delivery,
    get_delivery,
    next_event,
    put_off,
    revive,
)
from graphs.wiring import Parts
from tests.conftest import AS_OF

LEASE = timedelta(minutes=5)
AT_ONCE = 10
"""Seconds; whoever waits for another transaction would wait for ever."""


@pytest.fixture
def database(parts: Parts) -> Database:
    return parts.database


async def tell_of(database: Database, *ids: str) -> None:
    async with database.transaction() as tx:
        for one in ids:
            event = Event(id=one, case_id=None, kind="review.opened", actor="rule:gate", at=AS_OF, data={})
            await tell(tx, event)


def delivery(event_id: str, recipient: str = "person:lee") -> Delivery:
    return Delivery(
        id=delivery_id(event_id, "mail", recipient),
        event_id=event_id,
        case_id=None,
        review_id=None,
        kind="review.opened",
        channel="mail",
        recipient=recipient,
        state=DeliveryState.PENDING,
        next_at=AS_OF,
        created_at=AS_OF,
    )


async def claim(tx: Transaction, channel: str = "mail", *, after: timedelta = timedelta()) -> list[Delivery]:
    now = AS_OF + after
    return await claim_due(tx, channel, now=now, until=now + LEASE, limit=2)


async def claimed(database: Database, event_id: str = "e-1") -> Delivery:
    """One delivery, claimed."""
    await tell_of(database, event_id)
    async with database.transaction() as tx:
        await add_deliveries(tx, [delivery(event_id)])
        (mine,) = await claim(tx)
    return mine


@asynccontextmanager
async def without_waiting(database: Database) -> AsyncIterator[Transaction]:
    async with asyncio.timeout(AT_ONCE), database.transaction() as tx:
        yield tx


async def test_an_event_is_dealt_out_by_one_at_a_time(database: Database) -> None:
    await tell_of(database, "e-1", "e-2")
    async with database.transaction() as first:
        assert await next_event(first, 0) is not None
        async with without_waiting(database) as second:
            assert await next_event(second, 0) is None
    async with without_waiting(database) as third:
        found = await next_event(third, 0)
    assert found is not None
    assert found[1].id == "e-1"


async def test_events_come_in_their_order_and_go_when_they_are_done_with(database: Database) -> None:
    await tell_of(database, "e-1", "e-2", "e-3")
    async with database.transaction() as tx:
        place, seen = 0, []
        while (found := await next_event(tx, place)) is not None:
            place = found[0]
            seen.append(found[1].id)
            assert await done_with(tx, place) == 1
        assert seen == ["e-1", "e-2", "e-3"]
        assert await next_event(tx, 0) is None
        assert await done_with(tx) == 0


async def test_an_event_stays_when_dealing_it_out_is_undone(database: Database) -> None:
    await tell_of(database, "e-1")
    with suppress(LookupError):
        async with database.transaction() as tx:
            found = await next_event(tx, 0)
            assert found is not None
            await add_deliveries(tx, [delivery("e-1")])
            await done_with(tx, found[0])
            raise LookupError

    async with database.transaction() as tx:
        assert await next_event(tx, 0) is not None
        assert await claim(tx) == []


async def test_a_delivery_is_added_once(database: Database) -> None:
    mine = await claimed(database)
    async with database.transaction() as tx:
        await add_deliveries(tx, [delivery("e-1")])
        await add_deliveries(tx, [])
        assert await get_delivery(tx, mine.id) == mine


async def test_what_one_is_claiming_no_other_claims_or_waits_for(database: Database) -> None:
    await tell_of(database, "e-1")
    async with database.transaction() as tx:
        await add_deliveries(tx, [delivery("e-1", recipient) for recipient in ("a", "b", "c")])
    async with database.transaction() as first:
        mine = await claim(first)
        async with without_waiting(database) as second:
            others = await claim(second)
    assert (len(mine), len(others)) == (2, 1)
    assert not {one.id for one in mine} & {one.id for one in others}


async def test_a_claim_is_for_its_time_and_its_channel(database: Database) -> None:
    mine = await claimed(database)
    assert (mine.attempts, mine.next_at) == (1, AS_OF + LEASE)
    async with database.transaction() as tx:
        assert await claim(tx, after=LEASE - timedelta(microseconds=1)) == []
        assert await claim(tx, "ops", after=LEASE) == []
        (again,) = await claim(tx, after=LEASE)
    assert (again.id, again.attempts) == (mine.id, 2)


async def test_an_end_is_written_once(database: Database) -> None:
    mine = await claimed(database)
    async with database.transaction() as tx:
        assert await end_delivery(tx, mine, DeliveryState.SENT, AS_OF)
        assert not await end_delivery(tx, mine, DeliveryState.DEAD, AS_OF, "late")
        assert not await put_off(tx, mine, AS_OF, "late")
        assert (await get_delivery(tx, mine.id)).state is DeliveryState.SENT


async def test_whoever_was_overtaken_writes_nothing(database: Database) -> None:
    """Even when the other one is at the same attempt, of the delivery's second life."""
    mine = await claimed(database)
    async with database.transaction() as tx:
        assert await end_delivery(tx, mine, DeliveryState.DEAD, AS_OF, "gone")
        await revive(tx, mine.id, AS_OF + LEASE)
        (other,) = await claim(tx, after=LEASE)
        assert (other.id, other.attempts) == (mine.id, mine.attempts)
        assert not await end_delivery(tx, mine, DeliveryState.SENT, AS_OF)
        assert not await put_off(tx, replace(other, attempts=2), AS_OF, "of another attempt")
        assert await end_delivery(tx, other, DeliveryState.SENT, AS_OF)


async def test_what_is_put_off_is_due_then(database: Database) -> None:
    mine = await claimed(database)
    async with database.transaction() as tx:
        assert await put_off(tx, mine, AS_OF + timedelta(minutes=1), "no answer")
        assert (await get_delivery(tx, mine.id)).error == "no answer"
        assert await claim(tx) == []
        assert len(await claim(tx, after=timedelta(minutes=1))) == 1

"""Faults of processes, one at a time: an API and two workers on a Postgres; nothing is lost or doubled.

What a killed, a frozen and a stopped worker leave behind is in test_worker.py, what random faults in random
order do in tests/chaos.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from itertools import islice
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from graphs.wiring import open_parts
from tests.engine.front import Front, front
from tests.engine.orders import Order, add_orders
from tests.engine.plant import Plant, Row, plant
from tests.engine.processes import until
from tests.house import require_honest_record

Orders = Mapping[int, Iterator[Order]]
"""Orders that no test has used yet, by amount."""

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL, LARGE = 990, 12000
"""What is paid without asking, and what a lead signs."""
SPEED = 30
"""How many times as fast as time the clock runs: half a minute until something is tried again is a second."""
AT_ONCE = 200
PATIENCE_SECONDS = 240
LEADS = [f"lead-{n:02}" for n in range(20)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made() -> AsyncIterator[Plant]:
    async with plant(speed=SPEED) as made:
        yield made
        async with open_parts(made.settings, clock=made.clock) as parts:
            await require_honest_record(parts)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orders(made: Plant) -> Orders:
    added = await add_orders(made, [LARGE] * 20 + [SMALL] * 400)
    return {amount: iter([one for one in added if one.amount_minor == amount]) for amount in (SMALL, LARGE)}


@pytest_asyncio.fixture(loop_scope="module")
async def works(made: Plant) -> AsyncIterator[Plant]:
    """The plant, up and in fair weather, before and after."""
    await made.up()
    yield made
    made.skies.turn({})


@pytest_asyncio.fixture(loop_scope="module")
async def doors(works: Plant) -> AsyncIterator[Front]:
    async with front(works) as doors:
        yield doors
        assert doors.surprises == Counter()


def some(orders: Orders, amount: int, count: int) -> list[Order]:
    """The next orders of this amount."""
    return list(islice(orders[amount], count))


async def are(works: Plant, cases: Sequence[str], status: str) -> None:
    """Wait until these cases have this status."""
    found: list[Row] = []

    async def there() -> bool:
        rows = await works.known("SELECT id, status, reason FROM cases WHERE id = ANY(%s)", list(cases))
        found[:] = rows or found
        return {row["status"] for row in rows or []} == {status}

    try:
        await until(there, f"{len(cases)} cases are {status}", PATIENCE_SECONDS)
    except AssertionError as late:
        others = [row for row in found if row["status"] != status]
        raise AssertionError(f"{late}; they are {others}") from None


async def paid_once(works: Plant, orders: Sequence[Order], cases: Sequence[str]) -> None:
    """Each order was paid back once and its customer told once, and the record says just that."""
    ids = [order.order_id for order in orders]
    refunds = await works.books("SELECT order_id, amount_minor FROM refunds WHERE order_id = ANY(%s)", ids)
    assert sorted((row["order_id"], row["amount_minor"]) for row in refunds) == sorted(
        (order.order_id, order.amount_minor) for order in orders
    )
    told = "SELECT case_id, kind FROM audit_events WHERE case_id = ANY(%s) AND kind LIKE 'effect.%%'"
    counts = Counter((row["case_id"], row["kind"]) for row in await works.rows(told, list(cases)))
    deeds = len(["payments.refund", "tickets.reply"])
    assert counts == {(case, f"effect.{kind}"): deeds for case in cases for kind in ("intended", "done")}
    ledger = await works.rows("SELECT state FROM effects WHERE case_id = ANY(%s)", list(cases))
    assert Counter(row["state"] for row in ledger) == {"done": deeds * len(cases)}
    open_ = "SELECT 1 FROM commands WHERE case_id = ANY(%s) AND done_at IS NULL"
    assert await works.rows(open_, list(cases)) == []


@dataclass(frozen=True, slots=True)
class Sending:
    """Orders, and the calls that open their cases, which may still be under way."""

    orders: list[Order] = field(default_factory=list)
    calls: list[asyncio.Task[str]] = field(default_factory=list)

    async def cases(self) -> list[str]:
        """The cases, once the API has confirmed them all."""
        return list(await asyncio.gather(*self.calls))


async def under_way(works: Plant, doors: Front, orders: Orders) -> Sending:
    """Send orders, twelve and twelve, until both workers have something in hand at the same moment."""
    sending = Sending()

    async def doing() -> bool:
        rows = await works.known(
            "SELECT count(*) AS jobs, count(DISTINCT worker_id) FILTER (WHERE status = 'doing') AS workers "
            "FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
        if rows and rows[0]["workers"] == len(works.workers):
            return True
        if rows and rows[0]["jobs"] == 0 and all(call.done() for call in sending.calls):
            more = some(orders, SMALL, 12)
            sending.orders.extend(more)
            sending.calls.extend(asyncio.create_task(doors.open(order)) for order in more)
        return False

    await until(doing, "both workers have a case in hand")
    return sending


async def sent(doors: Front, orders: Sequence[Order]) -> list[str]:
    return list(await asyncio.gather(*(doors.open(order) for order in orders)))


async def waiting(works: Plant, doors: Front, order: Order) -> dict[str, Any]:
    """The open review of an order's case."""
    case = await doors.open(order)
    await are(works, [case], "waiting_review")
    (review,) = [one for one in await doors.reviews(LEADS[0]) if one["case_id"] == case]
    return review


async def test_postgres_and_a_worker_killed_together_lose_nothing(
    works: Plant, doors: Front, orders: Orders
) -> None:
    works.skies.turn({"*": {"slow": 1.0}})
    sending = await under_way(works, doors, orders)

    assert works.kill_postgres()
    assert works.workers[0].send(signal.SIGKILL)

    works.skies.turn({})
    cases = await sending.cases()
    await are(works, cases, "closed")
    await paid_once(works, sending.orders, cases)


async def test_api_and_workers_outlive_a_restart_of_postgres(
    works: Plant, doors: Front, orders: Orders
) -> None:
    before = [keeper.starts for keeper in works.processes]
    works.skies.turn({"*": {"slow": 1.0}})
    sending = await under_way(works, doors, orders)

    assert works.restart_postgres()

    works.skies.turn({})
    cases = await sending.cases()
    await are(works, cases, "closed")
    await paid_once(works, sending.orders, cases)
    assert [keeper.starts for keeper in works.processes] == before


async def test_an_api_that_is_killed_has_kept_every_event_that_it_confirmed(
    works: Plant, doors: Front, orders: Orders
) -> None:
    some_ = some(orders, SMALL, 12)
    sending = asyncio.create_task(sent(doors, some_))

    async def begun() -> bool:
        ids = [order.event_id for order in some_]
        return await works.rows("SELECT 1 FROM cases WHERE event_id = ANY(%s)", ids) != []

    await until(begun, "an event is taken in")
    assert works.api.send(signal.SIGKILL)

    works.skies.turn({})
    cases = await sending
    assert len(set(cases)) == len(some_)
    await are(works, cases, "closed")
    await paid_once(works, some_, cases)


@pytest.mark.parametrize("failure", ["hangs", "fails"])
async def test_a_deed_of_which_nothing_is_heard_is_in_doubt_and_then_done_once_by_itself(
    works: Plant, doors: Front, orders: Orders, failure: str
) -> None:
    (order,) = some(orders, SMALL, 1)
    works.skies.turn({"payments.refund": {failure: 1.0}})
    case = await doors.open(order)
    await are(works, [case], "uncertain")
    assert await works.books("SELECT 1 FROM refunds WHERE order_id = %s", order.order_id) == []

    works.skies.turn({})
    works.clock.jump(timedelta(minutes=2))

    await are(works, [case], "closed")
    refunds = await works.books("SELECT 1 FROM refunds WHERE order_id = %s", order.order_id)
    assert len(refunds) == 1


async def test_a_deed_whose_answer_is_lost_is_found_and_not_done_again(
    works: Plant, doors: Front, orders: Orders
) -> None:
    some_ = some(orders, SMALL, 1)
    works.skies.turn({"payments.refund": {"drops": 1.0}, "tickets.reply": {"drops": 1.0}})
    cases = await sent(doors, some_)

    await are(works, cases, "closed")
    await paid_once(works, some_, cases)
    ledger = await works.rows("SELECT attempts FROM effects WHERE case_id = %s", cases[0])
    assert [row["attempts"] for row in ledger] == [1, 1]


async def test_clocks_put_on_and_back_approve_nothing_and_lose_nothing(
    works: Plant, doors: Front, orders: Orders
) -> None:
    some_ = some(orders, LARGE, 1)
    review = await waiting(works, doors, some_[0])
    case = review["case_id"]

    works.clock.jump(timedelta(days=4))

    async def handed_up() -> bool:
        told = "SELECT 1 FROM audit_events WHERE case_id = %s AND kind = 'review.escalated'"
        return await works.rows(told, case) != []

    await until(handed_up, "the review that is overdue was handed up")
    assert await works.rows("SELECT 1 FROM grants WHERE case_id = %s", case) == []
    assert (await doors.vote("finance-0", review, "approve")).status_code == HTTPStatus.OK
    works.clock.jump(-timedelta(days=4))

    await are(works, [case], "closed")
    await paid_once(works, some_, [case])


async def test_of_two_hundred_events_at_once_each_becomes_one_case_that_is_paid_once(
    works: Plant, doors: Front, orders: Orders
) -> None:
    some_ = some(orders, SMALL, AT_ONCE)
    cases = await sent(doors, [*some_, *some_[::10]])

    assert cases[AT_ONCE:] == cases[:AT_ONCE:10]
    cases = cases[:AT_ONCE]
    assert len(set(cases)) == AT_ONCE
    await are(works, cases, "closed")
    await paid_once(works, some_, cases)


async def test_one_decision_from_twenty_clients_is_one_decision(
    works: Plant, doors: Front, orders: Orders
) -> None:
    some_ = some(orders, LARGE, 1)
    review = await waiting(works, doors, some_[0])

    answers = await asyncio.gather(*(doors.vote(LEADS[0], review, "approve") for _ in LEADS))

    told = Counter(answer.status_code for answer in answers)
    assert told == {HTTPStatus.OK: 1, HTTPStatus.CONFLICT: len(LEADS) - 1}
    votes = await works.rows("SELECT person FROM votes WHERE review_id = %s", review["id"])
    assert [row["person"] for row in votes] == [f"person:{LEADS[0]}"]
    await are(works, [review["case_id"]], "closed")
    await paid_once(works, some_, [review["case_id"]])


async def test_of_opposite_decisions_at_the_same_moment_one_stands_and_is_what_happens(
    works: Plant, doors: Front, orders: Orders
) -> None:
    chance = Random(9)  # noqa: S311 - which of the two is sent first, the same every time
    some_ = some(orders, LARGE, 8)
    reviews = await asyncio.gather(*(waiting(works, doors, order) for order in some_))
    for order, review in zip(some_, reviews, strict=True):
        sides = list(zip(chance.sample(LEADS, 2), chance.sample(["approve", "reject"], 2), strict=True))

        answers = await asyncio.gather(*(doors.vote(who, review, kind) for who, kind in sides))

        assert sorted(answer.status_code for answer in answers) == [HTTPStatus.OK, HTTPStatus.CONFLICT]
        (stands,) = [kind for (_, kind), answer in zip(sides, answers, strict=True) if answer.is_success]
        await are(works, [review["case_id"]], "closed" if stands == "approve" else "rejected")
        paid = await works.books("SELECT 1 FROM refunds WHERE order_id = %s", order.order_id)
        assert len(paid) == (stands == "approve")

"""The clockwork: each tick is one case, however many workers see it and whatever happened in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoints.cases import Status
from checkpoints.database import Transaction
from checkpoints.errors import ScheduleNameTaken, ScheduleNotFound
from checkpoints.schedules import Missed, Schedule, change_schedule, get_schedule
from graphs.clockwork import Clockwork
from graphs.closing import NotEligible
from graphs.people import PeopleFile, Person, write_people
from graphs.schedules import Schedules, Wish
from graphs.settings import Settings
from graphs.ticks import ScheduleUnfit
from graphs.wiring import Parts
from nodes.event import EventRefused
from nodes.permissions import Kind, Principal
from tests.house import LEE, SHOP, House, ManualClock, refund_event
from tools.contract import Arguments, Call, Record, ToolUnavailable
from tools.registry import Registry

TESS = Principal(
    id="tess", kind=Kind.PERSON, name="Tess", roles=frozenset({"team_lead", "support_lead"}), human="tess"
)
SMALL, LARGE = "clean_29_90_1", "clean_120_00_1"


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    """Tess may schedule and sign; Lee and Max may sign."""
    names = {"tess": ["team_lead", "support_lead"], "lee": ["support_lead"], "max": ["support_lead"]}
    write_people(
        settings.people_file,
        PeopleFile(people=[Person(id=name, name=name.title(), roles=roles) for name, roles in names.items()]),
    )


def wish(scene: str = SMALL, **changes: Any) -> Wish:
    usual = Wish(
        workflow="refund",
        name="morning",
        cron="0 9 * * *",
        at=None,
        timezone="Europe/Berlin",
        missed=Missed.ONCE,
        data=dict(refund_event(scene).data),
    )
    return replace(usual, **changes)


async def scheduled(house: House, scene: str = SMALL, **changes: Any) -> Schedule:
    return await Schedules(house.parts).add(wish(scene, **changes), TESS)


async def stored(house: House, schedule: Schedule) -> Schedule:
    async with house.parts.database.transaction() as tx:
        return await get_schedule(tx, schedule.id)


async def opened(house: House, schedule: Schedule) -> list[str]:
    """The ticks that have a case."""
    rows = await house.rows(
        "SELECT event_id FROM cases WHERE event_source = %s ORDER BY event_id", schedule.source
    )
    return [row["event_id"] for row in rows]


async def told(house: House, kind: str) -> list[dict[str, Any]]:
    rows = await house.rows("SELECT actor, data FROM audit_events WHERE kind = %s ORDER BY seq", kind)
    return [row["data"] | {"by": row["actor"]} for row in rows]


# --- a tick is one case -----------------------------------------------------------------------------------


async def test_a_tick_opens_one_case_on_behalf_of_whoever_made_the_schedule(
    house: House, clock: ManualClock
) -> None:
    schedule = await scheduled(house)
    assert await Clockwork(house.parts).run() == 0

    clock.now = datetime(2026, 11, 21, 8, 0, 1, tzinfo=UTC)
    assert await Clockwork(house.parts).run() == 1
    assert await Clockwork(house.parts).run() == 0

    assert await opened(house, schedule) == ["2026-11-21T08:00:00+00:00"]
    (row,) = await house.rows("SELECT id, opened_by FROM cases")
    assert row["opened_by"] == f"schedule:{schedule.id}/person:tess"
    await house.work()
    assert (await house.case(row["id"])).status is Status.CLOSED


async def test_whoever_made_the_schedule_cannot_sign_what_it_opens(house: House, clock: ManualClock) -> None:
    await scheduled(house, LARGE)
    clock.advance(timedelta(days=1))
    await Clockwork(house.parts).run()
    await house.work()
    (review,) = await house.open_reviews()

    with pytest.raises(NotEligible, match="whoever asked for it"):
        await house.vote(review, TESS)
    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_several_workers_open_one_case_a_tick(house: House, clock: ManualClock) -> None:
    schedule = await scheduled(house, missed=Missed.ALL)
    clock.advance(timedelta(days=3))

    await asyncio.gather(*(Clockwork(house.parts).run() for _ in range(4)))

    assert len(await opened(house, schedule)) == 3


async def test_a_crash_between_case_and_schedule_opens_no_second_case(
    house: House, clock: ManualClock
) -> None:
    schedule = await scheduled(house)
    clock.advance(timedelta(days=1))
    await Clockwork(house.parts).run()

    async with as_it_was(house, schedule):
        assert await Clockwork(house.parts).run() == 1

    assert len(await opened(house, schedule)) == 1
    assert (await stored(house, schedule)).next_at == datetime(2026, 11, 22, 8, tzinfo=UTC)


@asynccontextmanager
async def as_it_was(house: House, schedule: Schedule) -> AsyncIterator[Transaction]:
    """The schedule as if nobody had written down what was opened."""
    async with house.parts.database.transaction() as tx:
        await change_schedule(tx, schedule.id, next_at=schedule.next_at, wake_at=schedule.wake_at)
    yield tx


async def test_a_schedule_with_one_tick_opens_one_case_and_is_over(house: House, clock: ManualClock) -> None:
    schedule = await scheduled(house, cron=None, at=clock.now + timedelta(hours=2))
    clock.advance(timedelta(hours=2))
    await Clockwork(house.parts).run()
    clock.advance(timedelta(days=400))

    assert await Clockwork(house.parts).run() == 0
    assert len(await opened(house, schedule)) == 1
    assert (await stored(house, schedule)).next_at is None


# --- what was missed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missed", "days"), [(Missed.SKIP, []), (Missed.ONCE, [24]), (Missed.ALL, [21, 22, 23, 24])]
)
async def test_after_days_without_a_worker_the_policy_says_what_is_opened(
    house: House, clock: ManualClock, missed: Missed, days: list[int]
) -> None:
    schedule = await scheduled(house, missed=missed)
    clock.advance(timedelta(days=4))

    await Clockwork(house.parts).run()

    assert await opened(house, schedule) == [f"2026-11-{day}T08:00:00+00:00" for day in days]
    assert (await stored(house, schedule)).next_at == datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert [one["policy"] for one in await told(house, "schedule.missed")] == (
        [] if missed is Missed.ALL else [missed]
    )


# --- stopped and gone on ----------------------------------------------------------------------------------


async def test_while_it_is_paused_nothing_begins_and_nothing_is_made_up_for(
    house: House, clock: ManualClock
) -> None:
    schedule = await scheduled(house, missed=Missed.ALL)
    await Schedules(house.parts).pause(schedule.id, TESS)
    clock.advance(timedelta(days=4))
    assert await Clockwork(house.parts).run() == 0

    await Schedules(house.parts).resume(schedule.id, TESS)
    assert await Clockwork(house.parts).run() == 0
    clock.advance(timedelta(days=1))
    await Clockwork(house.parts).run()

    assert await opened(house, schedule) == ["2026-11-25T08:00:00+00:00"]
    assert [len(await told(house, f"schedule.{what}")) for what in ("added", "paused", "resumed")] == [1] * 3


async def test_a_removed_schedule_opens_nothing(house: House, clock: ManualClock) -> None:
    schedule = await scheduled(house)
    await Schedules(house.parts).remove(schedule.id, TESS)
    clock.advance(timedelta(days=4))

    assert await Clockwork(house.parts).run() == 0
    with pytest.raises(ScheduleNotFound):
        await stored(house, schedule)


async def test_what_intake_refuses_stops_the_schedule_and_is_shown(house: House, clock: ManualClock) -> None:
    stranger = dict(refund_event(SMALL).data) | {"customer_id": refund_event(LARGE).data["customer_id"]}
    schedule = await scheduled(house, data=stranger)
    clock.advance(timedelta(days=1))

    await Clockwork(house.parts).run()
    clock.advance(timedelta(days=5))

    assert await Clockwork(house.parts).run() == 0
    found = await stored(house, schedule)
    assert (found.refusal, found.paused_by, found.paused_at is None) == (
        "out_of_scope",
        "system:clockwork",
        False,
    )
    assert [one["reason"] for one in await told(house, "schedule.refused")] == ["out_of_scope"]
    assert await opened(house, schedule) == []


async def test_a_schedule_whose_workflow_is_gone_stops(house: House, clock: ManualClock) -> None:
    schedule = await scheduled(house)
    clock.advance(timedelta(days=1))

    await Clockwork(replace(house.parts, workflows={})).run()

    assert (await stored(house, schedule)).refusal == "unknown_workflow"


async def test_a_schedule_whose_maker_lost_the_right_stops(
    house: House, clock: ManualClock, settings: Settings
) -> None:
    schedule = await scheduled(house)
    lost = Person(id="tess", name="Tess", roles=["support_lead"])
    write_people(settings.people_file, PeopleFile(people=[lost]))
    clock.advance(timedelta(days=1))

    await Clockwork(house.parts).run()

    assert (await stored(house, schedule)).refusal == "not_permitted"
    assert await opened(house, schedule) == []


async def test_one_that_breaks_intake_holds_up_no_other(house: House, clock: ManualClock) -> None:
    broken = await scheduled(house, name="a-broken")
    schedule = await scheduled(house, LARGE, name="b-sound")
    refund = house.parts.workflows["refund"]

    def title(event: Any) -> str:
        if event.order_id == refund_event(SMALL).data["order_id"]:
            raise ValueError("a mistake in a workflow")
        return refund.title(event)

    mistaken = replace(house.parts, workflows={"refund": replace(refund, title=title)})
    clock.advance(timedelta(days=1))

    assert await Clockwork(mistaken).run() == 2
    assert (await stored(house, broken)).refusal == "unforeseen"
    assert len(await opened(house, schedule)) == 1


async def test_one_that_is_refused_holds_up_no_other(house: House, clock: ManualClock) -> None:
    stranger = dict(refund_event(SMALL).data) | {"customer_id": refund_event(LARGE).data["customer_id"]}
    await scheduled(house, data=stranger, name="a-broken")
    schedule = await scheduled(house, name="b-sound")
    clock.advance(timedelta(days=1))

    assert await Clockwork(house.parts).run() == 2
    assert len(await opened(house, schedule)) == 1


async def test_while_a_system_is_away_the_tick_is_tried_again_later(house: House, clock: ManualClock) -> None:
    schedule = await scheduled(house)
    clock.advance(timedelta(days=1))
    away = Clockwork(without_orders(house.parts))

    assert await away.run() == 1
    assert await away.run() == 0, "not at once"
    found = await stored(house, schedule)
    assert (found.tries, found.refusal, found.paused_at) == (1, None, None)
    assert [one["reason"] for one in await told(house, "schedule.delayed")] == ["tool_unavailable"]

    clock.advance(timedelta(minutes=1))
    await Clockwork(house.parts).run()
    assert await opened(house, schedule) == ["2026-11-21T08:00:00+00:00"]
    assert (await stored(house, schedule)).tries == 0


def without_orders(parts: Parts) -> Parts:
    """The same parts while the orders do not answer."""

    async def away(_arguments: Arguments, _call: Call) -> Record:
        raise ToolUnavailable("closed for today")

    registry = Registry(
        replace(tool, perform=away) if tool.name == "orders.get" else tool
        for tool in parts.registry._real.values()
    )
    return replace(parts, registry=registry, capability=registry.hand_over())


# --- who may, and what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("who", [LEE, SHOP], ids=lambda who: who.id)
async def test_who_may_not_is_refused_on_the_record(house: House, who: Principal) -> None:
    schedule = await scheduled(house)
    schedules = Schedules(house.parts)

    with pytest.raises(NotEligible):
        await schedules.add(wish(name="another"), who)
    for act in (schedules.pause, schedules.remove):
        with pytest.raises(NotEligible):
            await act(schedule.id, who)

    denied = await told(house, "schedule.denied")
    assert [(one["by"], one["act"]) for one in denied] == [
        (who.actor, act) for act in ("add", "paused", "removed")
    ]
    assert (await stored(house, schedule)).paused_at is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"cron": None}, "either cron or at"),
        ({"at": datetime(2027, 1, 1, tzinfo=UTC)}, "either cron or at"),
        ({"cron": None, "at": datetime(2026, 1, 1, tzinfo=UTC)}, "is over"),
        ({"workflow": "nothing"}, "there is none"),
    ],
)
async def test_what_cannot_be_a_schedule_is_not_stored(
    house: House, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ScheduleUnfit, match=says):
        await scheduled(house, **changes)
    assert await Schedules(house.parts).all() == []


async def test_data_that_does_not_fit_the_workflow_is_not_stored(house: House) -> None:
    with pytest.raises(EventRefused):
        await scheduled(house, data={"order_id": 7})
    assert await Schedules(house.parts).all() == []


async def test_two_schedules_have_two_names(house: House) -> None:
    await scheduled(house)

    with pytest.raises(ScheduleNameTaken):
        await scheduled(house)

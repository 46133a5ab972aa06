"""The doctor names whatever is stuck outside of a named state, and finds nothing where nothing is."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from checkpoints.doctor import _FAULTS, TO_DO, Finding, examine
from checkpoints.votes import VoteKind
from tests.bites.planted import Perform
from tests.house import LEE, House, ManualClock
from tests.nodes.desk import with_refunds
from tests.nodes.test_gateway_outcomes import break_after_it, lose_the_answer, refuse

SMALL, LARGE, FRAUD = "clean_29_90_1", "clean_120_00_1", "fraud_customer"
LATER = timedelta(hours=2)

WAITING_FOR_PAPERS = (
    "UPDATE cases SET status = 'waiting_info', reason = 'papers'",
    "UPDATE exceptions SET status = 'waiting_info', closed_at = now()",
)
BY_HAND: list[tuple[str, str, Sequence[str]]] = [
    ("case_without_work", SMALL, ("UPDATE cases SET status = 'running'",)),
    ("case_without_work", SMALL, ("UPDATE cases SET status = 'approved'",)),
    ("standstill_without_exception", FRAUD, ("UPDATE exceptions SET closed_at = now()",)),
    ("standstill_without_owner", FRAUD, ("UPDATE cases SET owner = NULL",)),
    ("standstill_without_owner", FRAUD, ("UPDATE exceptions SET owner = 'nobody'",)),
    ("exception_of_a_case_that_moved_on", FRAUD, ("UPDATE exceptions SET closed_at = NULL",)),
    ("waiting_without_review", LARGE, ("UPDATE reviews SET status = 'rejected'",)),
    (
        "waiting_without_review",
        SMALL,
        ("UPDATE cases SET status = 'waiting_info', reason = 'info_requested'",),
    ),
    ("standstill_without_exception", FRAUD, WAITING_FOR_PAPERS),
    ("review_of_an_ended_case", LARGE, ("UPDATE cases SET status = 'closed'",)),
    (
        "deed_in_doubt_of_an_ended_case",
        SMALL,
        ("UPDATE effects SET state = 'unknown' WHERE tool = 'payments.refund'",),
    ),
    (
        "deed_in_doubt_of_an_ended_case",
        SMALL,
        ("UPDATE effects SET state = 'intended' WHERE tool = 'payments.refund'",),
    ),
    ("command_open_too_long", SMALL, ("UPDATE commands SET done_at = NULL",)),
    (
        "job_without_command",
        SMALL,
        ("""UPDATE procrastinate_jobs SET args = '{"command_id": "gone"}', status = 'todo'""",),
    ),
]


async def found(house: House, clock: ManualClock) -> list[Finding]:
    async with house.parts.database.connection() as connection:
        return await examine(connection, clock.now)


@pytest.mark.parametrize(
    ("fault", "scene", "statements"), BY_HAND, ids=[f"{one[0]}-{at}" for at, one in enumerate(BY_HAND)]
)
async def test_a_fault_made_by_hand_is_named(
    house: House, clock: ManualClock, fault: str, scene: str, statements: Sequence[str]
) -> None:
    case = await house.after(scene)
    if fault == "exception_of_a_case_that_moved_on":
        await house.rows("UPDATE cases SET status = 'rejected'")
    await house.rows("UPDATE procrastinate_jobs SET status = 'succeeded'")
    clock.advance(LATER)
    assert fault not in {one.fault for one in await found(house, clock)}

    await house.tamper(*statements)

    named = [one for one in await found(house, clock) if one.fault == fault]
    assert len(named) == 1
    assert (named[0].to_do, bool(named[0].says)) == (TO_DO[fault], True)
    assert case.id in named[0].subject or fault not in {"case_without_work", "waiting_without_review"}
    for statement in _mended(fault):
        await house.tamper(statement)


def _mended(fault: str) -> list[str]:
    """What makes the record honest again, so that the end of the test finds it so."""
    match fault:
        case "standstill_without_exception":
            return ["UPDATE exceptions SET closed_at = NULL"]
        case "exception_of_a_case_that_moved_on":
            return ["UPDATE exceptions SET closed_at = now()"]
        case "standstill_without_owner":
            return ["UPDATE exceptions SET owner = 'fraud_team'", "UPDATE cases SET owner = 'fraud_team'"]
        case "deed_in_doubt_of_an_ended_case":
            return ["UPDATE effects SET state = 'done'"]
        case "review_of_an_ended_case" | "waiting_without_review":
            return ["UPDATE cases SET status = 'running'"]
        case _:
            return []


async def test_events_that_wait_long_for_the_tree_are_named(house: House, clock: ManualClock) -> None:
    await house.after(SMALL)
    assert "event_outside_the_tree" not in {one.fault for one in await found(house, clock)}
    clock.advance(LATER)

    assert "event_outside_the_tree" in {one.fault for one in await found(house, clock)}


async def test_sealed_values_of_no_case_are_named(house: House, clock: ManualClock) -> None:
    await house.after(SMALL)
    await house.tamper("UPDATE sealed_values SET case_id = 'gone'")

    assert {one.says for one in await found(house, clock) if one.fault == "sealed_value_of_no_case"}


async def test_every_fault_is_made_by_hand_and_has_something_to_do() -> None:
    others = {"event_outside_the_tree", "sealed_value_of_no_case"}

    assert {one[0] for one in BY_HAND} | others == set(_FAULTS) == set(TO_DO)


async def test_a_house_in_which_all_kinds_of_things_happened_is_healthy(
    house: House, clock: ManualClock
) -> None:
    performs: list[Perform] = [refuse, lose_the_answer, break_after_it]
    for at, perform in enumerate(performs):
        await with_refunds(house, perform).after(f"clean_29_90_{at + 2}")
    for scene in (SMALL, LARGE, FRAUD, "clean_640_00_1", "closed_account"):
        await house.after(scene)
    rejected = await house.after("clean_120_00_2")
    await house.decided(await house.review(rejected.id), LEE, VoteKind.REJECT)

    assert await found(house, clock) == []

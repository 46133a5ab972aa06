"""What a case costs in its database, to the statement: whoever adds one does it on purpose, here."""

import gc
from collections import Counter

import pytest

from checkpoints.cases import Case, Status
from checkpoints.database import parse_address
from tests.counting import Asked, Counting
from tests.house import LEE, House

BY_RULE = {
    "insert into checkpoint_blobs": 28,
    "insert into audit_events": 15,
    "countersign_advance": 13,
    "insert into checkpoints": 13,
    "begin": 10,
    "commit": 10,
    "read effects": 8,
    "read halts": 8,
    "update effects": 6,
    "insert into sealed_values": 5,
}
"""The frequent kinds; the others come four times at most."""


async def test_a_refund_by_rule_costs_so_many_statements_and_commits(house: House) -> None:
    await house.after("clean_29_90_3")  # so that nothing is asked for the first time

    case = await house.send("clean_29_90_1")
    asked = await _carried_out(house, case)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert {kind: count for kind, count in asked.kinds.items() if count > 4} == BY_RULE
    assert (asked.statements, asked.commits) == (147, 12)


async def test_a_refund_that_a_person_signs_costs_so_many_until_it_waits_and_so_many_after(
    house: House,
) -> None:
    await house.after("clean_29_90_3")

    case = await house.send("clean_120_00_1")
    until = await _carried_out(house, case)
    assert (await house.case(case.id)).status is Status.WAITING_REVIEW
    await house.vote(await house.review(case.id), LEE)
    after = await _carried_out(house, case)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (until.statements, until.commits) == (75, 5)
    assert (after.statements, after.commits) == (105, 9)


@pytest.mark.parametrize(("kind", "most"), [("read cases", 2), ("read commands", 2), ("read checkpoints", 1)])
async def test_what_never_grows_with_a_case_is_asked_once_a_segment(
    house: House, kind: str, most: int
) -> None:
    case = await house.send("clean_29_90_1")

    asked = await _carried_out(house, case)

    assert 0 < asked.kinds[kind] <= most


async def test_cases_that_wait_hold_neither_objects_nor_connections(house: House) -> None:
    for scene in ("clean_120_00_1", "clean_120_00_2"):  # so that whatever is made once is there
        assert (await house.after(scene)).status is Status.WAITING_REVIEW
    before, lines = _objects(), await house.rows(_LINES)
    for scene in ("clean_120_00_3", "clean_120_00_4"):
        assert (await house.after(scene)).status is Status.WAITING_REVIEW

    assert _objects() - before < 50, "a case is hundreds of objects"
    assert await house.rows(_LINES) == lines


_LINES = "SELECT count(*) AS lines FROM pg_stat_activity WHERE datname = current_database()"


def _objects() -> int:
    """How many objects Python keeps track of."""
    gc.collect()
    return len(gc.get_objects())


async def _carried_out(house: House, case: Case) -> Asked:
    """What the segment of the case's open command asks of our own database."""
    (command,) = await house.rows("SELECT id FROM commands WHERE case_id = %s AND done_at IS NULL", case.id)
    with Counting() as counting:
        await house.runner.carry_out(str(command["id"]))
    ours = parse_address(house.parts.database.conninfo).database
    return counting.of.get(str(ours), Asked(Counter()))

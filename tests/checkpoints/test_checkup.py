"""The checkup answers each question in one line, and says which is ill."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from checkpoints.audit_tree import grow_tree
from checkpoints.checkup import Answer, check_up
from checkpoints.database import drop_database
from checkpoints.embedded import EmbeddedPostgres
from tests.databases import tamper
from tests.house import House, ManualClock

QUESTIONS = ["database", "migrations", "clock", "workers", "effects", "audit", "cases"]


@pytest.fixture
async def url(house: House, clock: ManualClock) -> str:
    """The house's database with a case in it, all of it in the tree, and a worker with a heart."""
    clock.now = datetime.now(UTC)
    await house.after("clean_29_90_1")
    await house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES")
    async with house.parts.database.connection() as connection:
        while await grow_tree(connection, clock, house.parts.signer):
            pass
    return house.parts.database.conninfo


async def answers(url: str, clock: ManualClock, apart: timedelta = timedelta()) -> dict[str, Answer]:
    """The answers to whoever's clock is that far from the real one, which the database goes by."""
    clock.now = datetime.now(UTC) + apart
    found = await check_up(url, clock)
    return {one.question: one for one in found}


def ill(found: dict[str, Answer]) -> list[str]:
    return [name for name, one in found.items() if not one.well]


async def test_where_all_is_well_every_question_has_a_line(url: str, clock: ManualClock) -> None:
    found = await answers(url, clock)

    assert (list(found), ill(found)) == (QUESTIONS, [])
    assert found["database"].says.startswith("Postgres ")
    assert found["workers"].says == "1 alive"
    assert all("\n" not in one.says for one in found.values())


async def test_a_worker_without_a_heartbeat_is_silent(url: str, clock: ManualClock, house: House) -> None:
    await house.rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    found = await answers(url, clock)
    assert (ill(found), found["workers"].says) == (["workers"], "0 alive, 1 silent")


@pytest.mark.parametrize("apart", [timedelta(seconds=-9), timedelta(seconds=9)])
async def test_clocks_that_are_apart_are_said_with_how_far(
    url: str, clock: ManualClock, apart: timedelta
) -> None:
    found = await answers(url, clock, apart)
    assert not found["clock"].well
    assert ("-" if apart > timedelta() else "+") in found["clock"].says


async def test_a_deed_in_doubt_is_said_wherever_its_case_is(
    url: str, clock: ManualClock, house: House
) -> None:
    await tamper(url, "UPDATE effects SET state = 'unknown' WHERE tool = 'payments.refund'")
    found = await answers(url, clock)
    await tamper(url, "UPDATE effects SET state = 'done' WHERE tool = 'payments.refund'")
    assert ill(found) == ["effects", "cases"]
    assert found["effects"].says.startswith("1 deeds")
    assert {one.fault for one in found["cases"].stuck} == {"deed_in_doubt_of_an_ended_case"}


async def test_events_that_do_not_come_into_the_tree_are_a_lag(
    url: str, clock: ManualClock, house: House
) -> None:
    await house.send("clean_29_90_2")
    found = await answers(url, clock, timedelta(minutes=6))
    assert not found["audit"].well
    assert re.fullmatch(r"[1-9]\d* events wait for the tree, the oldest for [34]\d\d s", found["audit"].says)


async def test_an_older_database_is_asked_nothing_more(
    postgres: EmbeddedPostgres, clock: ManualClock
) -> None:
    await postgres.create_database("checkup_empty")
    found = await answers(postgres.url("checkup_empty"), clock)
    await drop_database(postgres.url("postgres"), "checkup_empty")
    assert (list(found), ill(found)) == (["database", "migrations"], ["migrations"])
    assert "run 'countersign migrate'" in found["migrations"].says


async def test_a_database_that_does_not_answer_is_one_line(clock: ManualClock) -> None:
    found = await answers("postgresql://nobody@127.0.0.1:9/x", clock)
    assert (list(found), ill(found)) == (["database"], ["database"])
    assert found["database"].says.startswith("the database cannot be reached: ")

"""Seats: so many cases of a workflow are worked on at once, and no more, whoever works on them."""

import asyncio
from dataclasses import replace

import pytest

from checkpoints.cases import Status
from checkpoints.errors import NoSeat
from checkpoints.seats import seated
from checkpoints.session import open_session
from graphs.settings import Settings, SettingUnfit
from graphs.wiring import Parts, open_parts
from tests.house import House


async def test_who_finds_every_seat_taken_is_sent_away_and_a_seat_that_is_left_is_free(parts: Parts) -> None:
    engine = parts.database.engine
    async with open_session(engine) as first, open_session(engine) as second, open_session(engine) as third:
        async with seated(first, "refund", 2), seated(second, "refund", 2):
            with pytest.raises(NoSeat):
                async with seated(third, "refund", 2):
                    pytest.fail("three on two seats")
            async with seated(third, "vendor", 2), seated(third, "incident", None):
                pass
        async with seated(third, "refund", 2):
            pass


async def test_whoever_dies_has_left_the_seat(house: House, parts: Parts) -> None:
    engine = parts.database.engine
    async with open_session(engine) as alive:
        async with open_session(engine) as dead, seated(dead, "refund", 1):
            pid = dead.connection.info.backend_pid
            await house.rows("SELECT pg_terminate_backend(%s, 5000)", pid)
            async with seated(alive, "refund", 1):
                pass
        async with seated(alive, "refund", 1):
            pass


async def test_of_two_who_come_at_once_the_last_seat_is_ones(parts: Parts) -> None:
    gone, got = asyncio.Event(), list[bool]()

    async def come() -> None:
        async with open_session(parts.database.engine) as session:
            try:
                async with seated(session, "refund", 1):
                    got.append(True)
                    await gone.wait()
            except NoSeat:
                got.append(False)
            gone.set()

    await asyncio.gather(come(), come())

    assert sorted(got) == [False, True]


async def test_a_case_without_a_seat_is_left_as_it_is_and_goes_on_later(house: House, parts: Parts) -> None:
    crowded = House(replace(parts, seats={"refund": 1}))
    case = await crowded.send("clean_29_90_1")
    async with open_session(parts.database.engine) as other, seated(other, "refund", 1):
        with pytest.raises(NoSeat):
            await crowded.work()
        assert (await crowded.case(case.id)).status is Status.RECEIVED

    await crowded.work()
    assert (await crowded.case(case.id)).status is Status.CLOSED


@pytest.mark.parametrize("text", ["vendor", "vendor=", "vendor=0", "vendor=two", "vendor=1,vendor=2", "=3"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingUnfit, match="COUNTERSIGN_SEATS"):
        Settings.from_environment({"COUNTERSIGN_SEATS": text})


async def test_seats_of_a_workflow_that_nobody_knows_are_refused(settings: Settings) -> None:
    with pytest.raises(SettingUnfit, match="there is no workflow vendors"):
        async with open_parts(replace(settings, seats={"vendors": 2})):
            pytest.fail("it opened")

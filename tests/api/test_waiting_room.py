"""Too many cases that wait to be begun: no new one is let in, whatever has begun goes on, and it passes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.serve import serving
from checkpoints.cases import Status
from checkpoints.queue import AHEAD
from graphs.intake import Intake
from graphs.settings import Room, Settings, SettingUnfit
from graphs.waiting_room import NoRoom, WaitingRoom
from graphs.wiring import Parts
from nodes.event import EventRefused
from tests.api.door import Door, envelope, problem
from tests.graphs.triggering import Office, folder_entry, triggered
from tests.house import LEE, SHOP, House, ManualClock, refund_event
from tests.stories.tickets import ticket_event

SMALL, OTHER, THIRD, LARGE = "clean_29_90_1", "clean_29_90_2", "clean_29_90_3", "clean_120_00_1"
SOON = timedelta(seconds=1)


def small(house: House, most: int, of_one: int = 1_000) -> House:
    """The house in which so many cases may wait."""
    room = WaitingRoom(Room(most=most, most_of_one=of_one), house.parts.database, house.parts.clock)
    return House(replace(house.parts, room=room))


@asynccontextmanager
async def opened(house: House, tokens: dict[str, str], clock: ManualClock) -> AsyncIterator[Door]:
    async with (
        serving(house.parts, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        yield Door(http=http, tokens=tokens, house=house, clock=clock)


@pytest.fixture
async def full(house: House, tokens: dict[str, str], clock: ManualClock) -> AsyncIterator[Door]:
    """A door behind which a review is open, and two cases wait, which is all that may."""
    await house.after(LARGE)
    async with opened(small(house, 2), tokens, clock) as door:
        for scene in (SMALL, OTHER):
            assert (await door.send(envelope(scene))).status_code == 202
        yield door


async def counted(house: House) -> dict[str, Any]:
    query = """SELECT (SELECT count(*) FROM cases) AS cases, (SELECT count(*) FROM commands) AS commands,
        (SELECT count(*) FROM procrastinate_jobs) AS jobs, (SELECT count(*) FROM audit_events) AS events"""
    (row,) = await house.rows(query)
    return row


async def test_beyond_the_bound_a_new_event_is_answered_with_429_and_nothing_is_stored(full: Door) -> None:
    before = await counted(full.house)
    refused = await full.send(envelope(THIRD))

    problem(refused, 429, "no-room")
    assert refused.headers["Retry-After"] == "5"
    after = await counted(full.house)
    signed_in = after.pop("events") - before.pop("events")
    assert (after, signed_in) == (before, 0)


async def test_an_event_that_is_known_is_answered_as_ever(full: Door) -> None:
    assert (await full.send(envelope(SMALL))).status_code == 200


async def test_whatever_has_begun_goes_on_while_there_is_no_room(full: Door) -> None:
    (review,) = await full.house.open_reviews()
    voted = await full.vote("lee", {"id": review.id, "digest": review.digest, "version": review.version})
    assert voted.status_code == 200, voted.text

    news = envelope(THIRD) | {"type": "com.countersign.case.informed", "subject": review.case_id, "data": {}}
    assert (await full.send(news)).status_code == 202


async def test_once_a_worker_has_begun_there_is_room_again(full: Door) -> None:
    assert (await full.send(envelope(THIRD))).status_code == 429
    await full.house.work()
    full.clock.advance(SOON)

    taken = await full.send(envelope(THIRD))

    assert taken.status_code == 202
    await full.house.work()
    assert (await full.house.case(taken.json()["case_id"])).status is Status.CLOSED


async def test_one_workflow_that_is_flooded_leaves_room_for_the_others(house: House) -> None:
    held = small(house, 10, of_one=1)
    await held.send(SMALL)
    with pytest.raises(NoRoom):
        await held.send(OTHER)

    ticket, new = await Intake(held.parts).receive(ticket_event("where_is_it"), SHOP)
    assert (ticket.workflow, new) == ("support_triage", True)


async def test_what_other_processes_let_in_is_counted_after_a_second(
    house: House, clock: ManualClock
) -> None:
    ours, theirs = small(house, 2), small(house, 2)
    await ours.send(SMALL)
    await theirs.send(OTHER)
    clock.advance(SOON)

    with pytest.raises(NoRoom):
        await ours.send(THIRD)


async def test_a_case_opens_another_though_there_is_no_room_for_new_ones(house: House) -> None:
    held = small(house, 1)
    case, _ = await Intake(held.parts).receive(ticket_event("wants_money_back"), SHOP)
    await held.work()

    assert (await held.case(case.id)).status is Status.CLOSED
    (child,) = await held.rows("SELECT status FROM cases WHERE parent_id = %s", case.id)
    assert child["status"] != Status.RECEIVED


async def test_a_refused_event_takes_no_place_for_longer_than_a_second(
    house: House, clock: ManualClock
) -> None:
    held = small(house, 1)
    with pytest.raises(EventRefused):
        await held.send(SMALL, order_id="O-1")
    clock.advance(SOON)

    assert (await held.send(SMALL)).status is Status.RECEIVED


async def test_a_file_stays_in_its_inbox_until_there_is_room(
    parts: Parts, settings: Settings, clock: ManualClock, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    held = small(House(triggered(parts, settings, folders=[folder_entry(inbox)])), 1)
    office = Office(held, "", "/triggers/inbox")
    await held.send(OTHER)
    (inbox / "claim.json").write_text(json.dumps(dict(refund_event(SMALL).data)))
    await office.look()

    assert (await office.opened(), await office.reasons("trigger.stands_still")) == ([], ["no_room"])
    assert (inbox / "claim.json").exists()
    await held.work()
    clock.advance(timedelta(minutes=20))
    await office.look()
    assert len(await office.opened()) == 1
    assert not (inbox / "claim.json").exists()


# --- decided ones first -----------------------------------------------------------------------------------


async def test_what_is_decided_stands_in_line_before_what_is_new(house: House) -> None:
    review = await house.review((await house.after(LARGE)).id)
    await house.rows("DELETE FROM procrastinate_jobs")
    for scene in (SMALL, OTHER):
        await house.send(scene)
    await house.vote(review, LEE)

    taken = await house.rows(
        "SELECT j.lock, j.priority FROM procrastinate_jobs j WHERE status = 'todo' ORDER BY priority DESC, id"
    )
    assert [row["priority"] for row in taken] == [AHEAD, 0, 0]
    (worker,) = await house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    (job,) = await house.rows(
        "SELECT * FROM procrastinate_fetch_job_v2(ARRAY['countersign'], %s)", worker["id"]
    )
    assert job["lock"] == review.case_id


@pytest.mark.parametrize("name", ["COUNTERSIGN_WAITING", "COUNTERSIGN_CONNECTOR_CALLS"])
def test_a_bound_is_a_whole_number_above_nought(name: str) -> None:
    for odd in ("0", "-1", "many", "1.5"):
        with pytest.raises(SettingUnfit, match=name):
            Settings.from_environment({name: odd})

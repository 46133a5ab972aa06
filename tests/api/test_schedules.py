"""/schedules and `countersign schedules`: made by whoever may, shown to people, refused with a clear word."""

import json
from datetime import timedelta
from typing import Any

import pytest

from api.serve import serving
from graphs.clockwork import Clockwork
from graphs.people import PERSON_PREFIX, Person, new_token, read_people, write_people
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door, problem
from tests.house import refund_event

DATA = dict(refund_event("clean_29_90_1").data)
MORNING = {
    "workflow": "refund",
    "name": "morning",
    "cron": "0 9 * * MON-FRI",
    "timezone": "Europe/Berlin",
    "missed": "once",
    "data": DATA,
}


@pytest.fixture
def tess(door: Door, settings: Settings) -> str:
    """Somebody who may have cases begin by the clock."""
    token, kept = new_token(PERSON_PREFIX, timedelta(days=90), door.clock.now)
    person = Person(id="tess", name="Tess", roles=["team_lead"], tokens=[kept])
    write_people(settings.people_file, read_people(settings.people_file).with_person(person))
    return token


async def added(door: Door, **changes: Any) -> dict[str, Any]:
    response = await door.ask("tess", "POST", "/schedules", json=MORNING | changes)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_a_schedule_is_added_shown_paused_resumed_and_removed(door: Door, tess: str) -> None:
    door = door.with_tokens({"tess": tess})
    schedule = await added(door)
    assert schedule["next_at"] == "2026-11-23T08:00:00Z", "the 20th is a Friday, and nine is over"
    assert (await door.get("lee", "/schedules"))["items"] == [schedule]

    paused = (await door.ask("tess", "POST", f"/schedules/{schedule['id']}/pause")).json()
    assert paused["paused_by"] == "person:tess"
    resumed = (await door.ask("tess", "POST", f"/schedules/{schedule['id']}/resume")).json()
    assert (resumed["paused_at"], resumed["next_at"]) == (None, schedule["next_at"])

    assert (await door.ask("tess", "DELETE", f"/schedules/{schedule['id']}")).status_code == 200
    assert (await door.get("lee", "/schedules"))["items"] == []
    gone = await door.ask("tess", "POST", f"/schedules/{schedule['id']}/pause")
    problem(gone, 404, "schedule-not-found")


async def test_who_may_not_is_told_so_and_it_is_on_the_record(door: Door) -> None:
    async with door.only_recorded("schedule.denied", by="person:lee"):
        problem(await door.ask("lee", "POST", "/schedules", json=MORNING), 403, "not-eligible")


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"cron": "61 9 * * *"}, "schedule-unfit", "Bad minute"),
        ({"cron": "0 9 * * * *"}, "schedule-unfit", "five fields"),
        ({"timezone": "Europe/Nowhere"}, "schedule-unfit", "timezone"),
        ({"cron": None}, "schedule-unfit", "either cron or at"),
        ({"cron": None, "at": "2026-01-01T00:00:00Z"}, "schedule-unfit", "is over"),
        ({"workflow": "none"}, "schedule-unfit", "there is none"),
        ({"data": {}}, "event-refused", "does not fit"),
        ({"missed": "perhaps"}, "request-unfit", "does not fit"),
        ({"name": "No Name"}, "request-unfit", "does not fit"),
    ],
)
async def test_what_cannot_be_a_schedule_is_refused_with_a_clear_word(
    door: Door, tess: str, changes: dict[str, Any], kind: str, says: str
) -> None:
    door = door.with_tokens({"tess": tess})
    refused = await door.ask("tess", "POST", "/schedules", json=MORNING | changes)

    assert says in problem(refused, 422, kind)["detail"]
    assert (await door.get("lee", "/schedules"))["items"] == []


async def test_a_name_is_given_once(door: Door, tess: str) -> None:
    door = door.with_tokens({"tess": tess})
    await added(door)

    again = await door.ask("tess", "POST", "/schedules", json=MORNING)

    problem(again, 409, "schedule-name-taken")


async def test_one_that_stopped_itself_says_why(door: Door, tess: str) -> None:
    door = door.with_tokens({"tess": tess})
    stranger = refund_event("clean_120_00_1").data["customer_id"]
    await added(door, data=DATA | {"customer_id": stranger}, cron="0 * * * *")
    door.clock.now = door.clock.now.replace(hour=13)

    await Clockwork(door.house.parts).run()

    (shown,) = (await door.get("lee", "/schedules"))["items"]
    assert (shown["refusal"], shown["paused_by"]) == ("out_of_scope", "system:clockwork")


async def test_the_command_line_does_the_same(door: Door, tess: str) -> None:
    async with serving(door.house.parts, host="127.0.0.1", port=0) as url:
        env = {"COUNTERSIGN_TOKEN": tess, "COUNTERSIGN_URL": url}
        when = ("--cron", "0 9 * * *", "--missed", "skip", "--url", url)
        add = await countersign("schedules", "add", "nightly", "--data", json.dumps(DATA), *when, env=env)
        shown = await countersign("schedules", "list", "--url", url, env=env)
        wrong = await countersign(
            "schedules", "add", "x", "--data", json.dumps(DATA), "--cron", "61 * * * *", "--url", url, env=env
        )
        schedule_id = add.out.split()[0]
        removed = await countersign("schedules", "remove", schedule_id, "--url", url, env=env)

    assert (add.code, shown.out) == (0, add.out)
    assert "nightly: 0 9 * * * UTC, missed: skip; next 2026-11-21T09:00:00Z" in add.out
    assert wrong.code == 1
    assert "Bad minute" in wrong.err
    assert (removed.code, (await door.get("lee", "/schedules"))["items"]) == (0, [])

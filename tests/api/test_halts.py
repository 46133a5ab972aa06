"""The stop switch over HTTP and by command: pressed, obeyed, released, and refused to whoever may not."""

import json
from datetime import timedelta

import pytest

from checkpoints.cases import Status
from graphs.catalogue import find_kits
from graphs.people import PERSON_PREFIX, PeopleFile, Person, new_token, read_people, write_people
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door, problem
from tools.sandbox.cast import CAST

SMALL = "clean_29_90_1"
EVERYTHING = {"scope": "everything", "reason_code": "incident"}


@pytest.fixture
def with_drew(door: Door, settings: Settings) -> Door:
    """The same door, known to a duty manager too."""
    token, kept = new_token(PERSON_PREFIX, timedelta(days=1), door.clock.now)
    known: PeopleFile = read_people(settings.people_file)
    drew = Person(id="drew", name="Drew", roles=["duty_manager"], tokens=[kept])
    write_people(settings.people_file, known.with_person(drew))
    return door.with_tokens({"drew": token})


async def test_what_is_stopped_over_http_stands_still_and_goes_on_when_released(with_drew: Door) -> None:
    pressed = await with_drew.ask("drew", "POST", "/halts", json=EVERYTHING | {"remark": "Odd refunds."})
    assert pressed.status_code == 201, pressed.text
    case = await with_drew.house.after(SMALL)
    assert (case.status, case.reason) == (Status.BLOCKED, "halted")
    shown = await with_drew.get("lee", "/halts")
    assert [(one["id"], one["operators_words"]) for one in shown["items"]] == [
        (pressed.json()["id"], "Odd refunds.")
    ]

    released = await with_drew.ask("drew", "DELETE", f"/halts/{pressed.json()['id']}")

    assert (released.status_code, released.json()["released_by"]) == (200, "person:drew")
    await with_drew.house.work()
    assert (await with_drew.house.case(case.id)).status is Status.CLOSED
    assert (await with_drew.get("lee", "/halts"))["items"] == []
    assert len((await with_drew.get("lee", "/halts", released=True))["items"]) == 1
    again = await with_drew.ask("drew", "DELETE", f"/halts/{pressed.json()['id']}")
    problem(again, 409, "halt-already-released")


async def test_a_person_without_the_right_is_refused_and_recorded(door: Door) -> None:
    async with door.only_recorded("halt.denied", by="person:lee") as events:
        problem(await door.ask("lee", "POST", "/halts", json=EVERYTHING), 403, "not-allowed-to-halt")
    assert events[0]["data"] == {"act": "press", "scope": "everything", "target": None}


async def test_a_service_does_not_even_reach_the_switch(door: Door) -> None:
    async with door.only_recorded("access.denied", by="service:shop"):
        problem(await door.ask("shop", "POST", "/halts", json=EVERYTHING), 403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "tool", "target": "payments.refnd", "reason_code": "incident"},
        {"scope": "tool", "reason_code": "incident"},
        {"scope": "everything", "target": "refund", "reason_code": "incident"},
        {"scope": "some", "reason_code": "incident"},
        {"scope": "everything", "reason_code": "Jane Doe complained"},
        {"scope": "everything"},
        EVERYTHING | {"remark": "x" * 501},
        EVERYTHING | {"remark": "\x00"},
        EVERYTHING | {"more": True},
    ],
)
async def test_a_halt_that_does_not_fit_is_refused(with_drew: Door, body: dict[str, object]) -> None:
    response = await with_drew.ask("drew", "POST", "/halts", json=body)

    assert response.status_code == 422, response.text
    assert (await with_drew.get("lee", "/halts"))["items"] == []


async def test_a_halt_that_is_not_there_cannot_be_released(with_drew: Door) -> None:
    problem(await with_drew.ask("drew", "DELETE", "/halts/nothing"), 404, "halt-not-found")


async def test_the_command_stops_and_releases_over_the_api(with_drew: Door, settings: Settings) -> None:
    env = {
        "COUNTERSIGN_URL": str(with_drew.http.base_url),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_TOKEN": with_drew.tokens["drew"],
    }

    stopped = await countersign("stop", "tool", "payments.refund", "--reason", "drill", env=env)

    assert stopped.code == 0, stopped.err
    halt_id = stopped.out.split()[-1]
    listed = await countersign("halts", env=env)
    assert f"{halt_id}  tool payments.refund: drill by person:drew" in listed.out
    assert (await countersign("release", halt_id, env=env)).out == "Released.\n"
    assert (await countersign("halts", env=env)).out == "Nothing is stopped.\n"


async def test_the_command_works_on_the_database_when_no_api_is_up(door: Door, settings: Settings) -> None:
    """There is an API in this test, which the command has no address of."""
    env = {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_URL": "http://127.0.0.1:9",
    }

    stopped = await countersign("stop", "everything", "--here", "--json", env=env)
    assert stopped.code == 0, stopped.err
    halt = json.loads(stopped.out)
    case = await door.house.after(SMALL)
    assert (case.status, case.reason) == (Status.BLOCKED, "halted")
    released = await countersign("release", halt["id"], "--here", env=env)
    assert released.code == 0, released.err
    await door.house.work()

    assert (await door.house.case(case.id)).status is Status.CLOSED
    assert len(await door.house.refunds(CAST[SMALL].order_id)) == 1
    told = await door.house.rows("SELECT actor FROM audit_events WHERE kind LIKE 'halt.%%' ORDER BY seq")
    assert [one["actor"] for one in told] == ["host:operator", "host:operator"]


async def test_a_command_that_would_stop_nothing_says_so(settings: Settings) -> None:
    env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}

    wrong = await countersign("stop", "agent", "polcy", "--here", env=env)

    assert wrong.code == 1
    agents = ", ".join(sorted(agent for kit in find_kits() for agent in kit.agents))
    assert wrong.complaint == f"countersign: there is no agent 'polcy'; there are {agents}"
    assert (await countersign("stop", "everything", env=env)).code == 2

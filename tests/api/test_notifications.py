"""/notifications: people see who was told of what, and have sent after all what was given up."""

import json
from collections.abc import AsyncIterator

import pytest

from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door, problem
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.graphs.post_office import SECRET, PostOffice, post_office, webhook

SCENES = ("clean_120_00_1", "clean_120_00_2", "clean_180_00", "clean_500_00", "clean_640_00_1")
NOWHERE = Receiver(url="http://127.0.0.1:9/secret-path")


@pytest.fixture
async def running() -> AsyncIterator[Receiver]:
    async with receiver() as here:
        here.answer = Answer(status=410)
        yield here


@pytest.fixture
def office(door: Door, settings: Settings, running: Receiver) -> PostOffice:
    """A post office behind the door, whose one receiver wants nothing any more."""
    people = settings.people_file.read_bytes()
    opened = post_office(door.house.parts, settings, door.clock, [webhook(running)])
    settings.people_file.write_bytes(people)  # the people whose tokens the door knows
    return opened


async def given_up(office: PostOffice, *scenes: str) -> list[str]:
    """The ids of notices that were given up, oldest first."""
    for scene in scenes:
        await office.review(scene)
        await office.round()
    return [one.id for one in await office.deliveries()]


async def test_notices_are_listed_with_what_became_of_them_and_without_addresses(
    door: Door, office: PostOffice
) -> None:
    (dead,) = await given_up(office, SCENES[0])

    (item,) = (await door.get("lee", "/notifications"))["items"]

    delivery = await office.delivery()
    assert item == {
        "id": dead,
        "event_id": delivery.event_id,
        "case_id": delivery.case_id,
        "review_id": delivery.review_id,
        "kind": "review.opened",
        "channel": "ops",
        "recipient": "ops",
        "state": "dead",
        "attempts": 1,
        "next_at": item["next_at"],
        "created_at": "2026-11-20T12:00:00Z",
        "ended_at": "2026-11-20T12:00:00Z",
        "error": "the receiver answered 410",
    }


async def test_pages_of_any_size_hold_every_notice_once_newest_first(door: Door, office: PostOffice) -> None:
    made = await given_up(office, *SCENES)

    for limit in range(1, len(SCENES) + 2):
        seen: list[str] = []
        after: str | None = None
        while after is not None or not seen:
            cursor: dict[str, str] = {} if after is None else {"after": after}
            page = await door.get("lee", "/notifications", limit=limit, **cursor)
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
        assert seen == sorted(made, reverse=True)


async def test_notices_are_filtered_by_state_on_every_page(
    door: Door, office: PostOffice, running: Receiver
) -> None:
    dead = await given_up(office, *SCENES[:2])
    running.answer = Answer()
    everything = await given_up(office, *SCENES[2:4])

    async def ids(**filters: str) -> set[str]:
        page = await door.get("lee", "/notifications", limit=3, **filters)
        return {item["id"] for item in page["items"]}

    assert await ids(state="dead") == set(dead)
    assert await ids(state="sent") == set(everything) - set(dead)
    assert await ids(state="pending") == await ids(state="skipped") == set()


async def test_what_was_given_up_is_sent_after_all_and_who_wanted_it_is_on_the_record(
    door: Door, office: PostOffice, running: Receiver
) -> None:
    (dead,) = await given_up(office, SCENES[0])
    running.answer = Answer()

    async with door.only_recorded("notice.retried", by="person:finn") as told:
        response = await door.ask("finn", "POST", f"/notifications/{dead}/retry")
    await office.send("ops")

    assert response.status_code == 200
    assert (response.json()["state"], response.json()["attempts"]) == ("pending", 0)
    assert told[0]["data"]["notice"] == dead
    assert told[0]["case_id"] == (await office.delivery()).case_id
    assert (await office.delivery()).state == "sent"


async def test_what_was_not_given_up_is_not_sent_again(
    door: Door, office: PostOffice, running: Receiver
) -> None:
    running.answer = Answer()
    (sent,) = await given_up(office, SCENES[0])

    conflict = await door.ask("lee", "POST", f"/notifications/{sent}/retry")
    missing = await door.ask("lee", "POST", "/notifications/x/retry")

    assert "the notice is sent" in problem(conflict, 409, "delivery-not-dead")["detail"]
    problem(missing, 404, "delivery-not-found")
    assert len(running.requests) == 1


async def test_no_answer_holds_a_secret(door: Door, settings: Settings) -> None:
    """What is configured is nowhere in what the API says, even when sending fails."""
    people = settings.people_file.read_bytes()
    office = post_office(door.house.parts, settings, door.clock, [webhook(NOWHERE)])
    settings.people_file.write_bytes(people)
    await office.review()
    await office.round()

    response = await door.ask("lee", "GET", "/notifications")
    detail = await door.ask("lee", "GET", f"/cases/{(await office.delivery()).case_id}/timeline")

    assert response.json()["items"][0]["error"] == "no answer: ConnectError"
    for secret in (SECRET, "secret-path", "127.0.0.1", "@"):
        assert secret not in response.text
        assert secret not in detail.text


async def test_the_command_line_lists_notices_and_has_them_sent_after_all(
    door: Door, office: PostOffice, settings: Settings, running: Receiver
) -> None:
    env = {
        "COUNTERSIGN_URL": str(door.http.base_url),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_TOKEN": door.tokens["lee"],
    }
    empty = await countersign("notices", env=env)
    (dead,) = await given_up(office, SCENES[0])
    running.answer = Answer()

    listed = await countersign("notices", "--state", "dead", env=env)
    as_json = await countersign("notices", "--json", env=env)
    none_sent = await countersign("notices", "--state", "sent", env=env)
    retried = await countersign("notices", "retry", dead, env=env)
    again = await countersign("notices", "retry", dead, env=env)

    assert (empty.code, empty.out) == (0, "No notices.\n")
    assert listed.code == 0
    assert dead in listed.out
    assert "the receiver answered 410" in " ".join(listed.out.split())
    assert max(len(line) for line in listed.out.splitlines()) <= 80
    assert [item["id"] for item in json.loads(as_json.out)] == [dead]
    assert none_sent.out == "No notices.\n"
    assert (retried.code, retried.out) == (0, "The notice is pending.\n")
    assert again.code == 1
    assert "409" in again.complaint


async def test_without_a_token_nobody_is_asked(settings: Settings) -> None:
    done = await countersign("notices", env={"COUNTERSIGN_HOME": str(settings.home)})

    assert done.code == 1
    assert "is no token" in done.complaint


async def test_a_notify_file_with_a_mistake_is_one_clear_line(settings: Settings) -> None:
    path = settings.home / "notify.yaml"
    path.write_text("public_url: http://intranet/\nchannels: []\n")
    env = {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
    }

    done = await countersign("worker", env=env)

    assert done.code == 1
    assert done.complaint.startswith(f"countersign: {path}: public_url: An address must be https")

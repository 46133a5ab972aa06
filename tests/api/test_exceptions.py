"""/exceptions: what stands still, and the ways out, over HTTP and on the command line."""

import json
from datetime import timedelta
from typing import Any

import pytest

from graphs.people import PERSON_PREFIX, Person, new_token, read_people, write_people
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door, Json, problem
from tests.house import ManualClock
from tests.nodes.desk import paid, with_refunds
from tests.nodes.test_gateway_outcomes import lose_the_answer

SMALL, LARGE, FRAUD = "clean_29_90_1", "clean_120_00_1", "fraud_customer"


@pytest.fixture
async def desk(door: Door, settings: Settings, clock: ManualClock) -> Door:
    """The door, known to a team lead and to somebody of the fraud team too."""
    known, tokens = read_people(settings.people_file), {}
    for name, role in (("tess", "team_lead"), ("fred", "fraud_team")):
        tokens[name], kept = new_token(PERSON_PREFIX, timedelta(days=90), clock.now)
        known = known.with_person(Person(id=name, name=name.title(), roles=[role], tokens=[kept]))
    write_people(settings.people_file, known)
    return door.with_tokens(tokens)


async def standing(desk: Door, who: str, **filters: str) -> list[Json]:
    items: list[Json] = (await desk.get(who, "/exceptions", **filters))["items"]
    return items


async def stuck(desk: Door, scene: str = FRAUD, who: str = "fred") -> Json:
    case_id = await desk.opened(scene)
    await desk.house.work()
    (one,) = await standing(desk, who, case_id=case_id)
    return one


async def act(desk: Door, who: str, one: Json, way: str, **body: Any) -> Any:
    more = {"json": body} if body else {}
    return await desk.ask(who, "POST", f"/exceptions/{one['id']}/{way}", **more)


async def test_what_stands_still_is_listed_with_all_that_is_to_be_known(desk: Door) -> None:
    one = await stuck(desk)
    desk.clock.advance(timedelta(minutes=3))
    (one,) = await standing(desk, "fred", owner="fraud_team", status="escalated", reason="fraud_signal")

    assert (one["workflow"], one["step"], one["age_seconds"]) == ("refund", "judge", 180)
    assert one["says"]["happened"] == "There is a fraud signal on the customer or the order."
    assert one["ways"] == ["retry", "resolve", "cancel", "hand_over"]
    assert (await standing(desk, "lee"))[0]["ways"] == []
    for nothing in ({"owner": "finance"}, {"status": "failed"}, {"reason": "other"}, {"workflow": "triage"}):
        assert await standing(desk, "fred", **nothing) == []


async def test_the_list_comes_in_pages(desk: Door) -> None:
    for scene in (FRAUD, "fraud_order", "closed_account"):
        await desk.opened(scene)
        desk.clock.advance(timedelta(minutes=1))
        await desk.house.work()
    first = await desk.get("lee", "/exceptions", limit=2)
    rest = await desk.get("lee", "/exceptions", limit=2, after=first["next"])

    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    reasons = [one["reason"] for one in first["items"] + rest["items"]]
    assert reasons == ["closed_account", "fraud_signal", "fraud_signal"]


async def test_a_way_out_is_taken_once(desk: Door) -> None:
    one = await stuck(desk)
    retried = await act(desk, "fred", one, "retry")
    assert (retried.status_code, retried.json()["way"]) == (200, "retry")
    for way, body in (
        ("retry", {}),
        ("cancel", {"why": "Late."}),
        ("hand-over", {"to": "finance", "why": "x"}),
    ):
        problem(await act(desk, "fred", one, way, **body), 409, "exception-closed")

    await desk.house.work()
    (again,) = await standing(desk, "fred", case_id=one["case_id"])
    assert again["id"] != one["id"]
    how = {"outcome": "declined", "why": "It is fraud."}
    assert (await act(desk, "fred", again, "resolve", **how)).json()["way"] == "resolve"
    case = await desk.get("fred", f"/cases/{one['case_id']}")
    assert (case["status"], case["reason"]) == ("closed", "resolved_by_hand")


async def test_who_may_not_is_told_so_and_recorded(desk: Door) -> None:
    one = await stuck(desk)
    async with desk.only_recorded("exception.denied", by="person:lee"):
        problem(await act(desk, "lee", one, "retry"), 403, "not-yours-to-resolve")
    problem(await desk.ask("lee", "POST", "/exceptions/none/retry"), 404, "exception-not-found")


@pytest.mark.parametrize(
    ("way", "body"),
    [
        ("cancel", {}),
        ("cancel", {"why": ""}),
        ("cancel", {"why": "x", "more": 1}),
        ("resolve", {"why": "x"}),
        ("resolve", {"why": "x", "outcome": "maybe"}),
        ("resolve", {"why": "x", "outcome": "declined", "deeds": {"a": "perhaps"}}),
        ("resolve", {"why": "nul\x00", "outcome": "declined"}),
        ("hand-over", {"why": "x", "to": "No Such"}),
    ],
)
async def test_a_body_that_does_not_fit_changes_nothing(desk: Door, way: str, body: Json) -> None:
    one = await stuck(desk)
    response = await desk.ask("fred", "POST", f"/exceptions/{one['id']}/{way}", json=body)
    problem(response, 422, "request-unfit")
    assert [other["id"] for other in await standing(desk, "fred")] == [one["id"]]


async def test_of_a_deed_in_doubt_its_key_is_shown_and_asked_back(desk: Door) -> None:
    case_id = await desk.opened(SMALL)
    await with_refunds(desk.house, lose_the_answer, find=None, idempotent=False).work()
    (one,) = await standing(desk, "tess", case_id=case_id)
    (deed,) = one["in_doubt"]
    assert (deed["tool"], deed["state"]) == ("payments.refund", "unknown")
    assert one["ways"] == ["retry", "resolve", "hand_over"]
    assert "Nobody knows" in one["says"]["not_done"]

    how = {"outcome": "done_elsewhere", "why": "Looked it up."}
    refused = problem(await act(desk, "tess", one, "resolve", **how), 409, "deed-in-doubt")
    assert deed["key"] in refused["detail"]
    problem(await act(desk, "tess", one, "cancel", why="Never mind."), 409, "deed-in-doubt")
    done = await act(desk, "tess", one, "resolve", **how, deeds={deed["key"]: "done"}, reference="R-1")
    assert done.status_code == 200, done.text


async def test_a_case_that_waits_is_cancelled(desk: Door) -> None:
    review = await desk.waiting(LARGE)
    path = f"/cases/{review['case_id']}/cancel"
    problem(await desk.ask("finn", "POST", path, json={"why": "x"}), 403, "not-yours-to-resolve")

    cancelled = await desk.ask("tess", "POST", path, json={"why": "Sent twice."})

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    problem(await desk.vote("lee", review), 409, "review-already-decided")
    problem(await desk.ask("tess", "POST", path, json={"why": "Again."}), 409, "case-moved-on")
    assert await paid(desk.house, LARGE) == []


async def test_the_command_line_lists_and_takes_ways_out(desk: Door, settings: Settings) -> None:
    one = await stuck(desk)
    env = {
        "COUNTERSIGN_URL": str(desk.http.base_url),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_TOKEN": desk.tokens["fred"],
    }

    shown = await countersign("exceptions", env=env)
    assert shown.code == 0
    assert one["id"] in shown.out
    assert "fraud signal" in " ".join(shown.out.split())
    handed = await countersign("hand-over", one["id"], "finance", "--why", "Theirs.", env=env)
    assert handed.out == "It is finance's.\n"
    refused = await countersign("retry", one["id"], env=env)
    assert (refused.code, "403" in refused.err) == (1, True)

    env["COUNTERSIGN_TOKEN"] = desk.tokens["tess"]
    as_json = json.loads((await countersign("exceptions", "--owner", "finance", "--json", env=env)).out)
    assert [row["id"] for row in as_json] == [one["id"]]
    cancelled = await countersign("cancel", one["id"], "--why", "Sent twice.", env=env)
    assert cancelled.out == "The case is cancelled.\n"
    waits = await desk.waiting(LARGE)
    cancelled = await countersign("cancel", "--case", waits["case_id"], "--why", "Twice.", env=env)
    assert cancelled.out == "The case is cancelled.\n"
    assert (await countersign("exceptions", env=env)).out == "Nothing stands still.\n"


async def test_the_doctor_says_what_is_stuck_and_fails(desk: Door, settings: Settings) -> None:
    assert settings.database_url is not None
    case_id = await desk.opened(FRAUD)
    await desk.house.work()
    await desk.house.rows("UPDATE commands SET done_at = '2100-01-01'")
    env = {"DATABASE_URL": settings.database_url, "COUNTERSIGN_HOME": str(settings.home)}
    await desk.house.tamper("DELETE FROM audit_pending")
    await desk.house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES")
    healthy = await countersign("doctor", env=env)
    assert (healthy.code, "nothing is stuck" in healthy.out) == (0, True), healthy.out

    await desk.house.tamper("UPDATE exceptions SET closed_at = now()")
    ill = await countersign("doctor", "--json", env=env)
    assert ill.code == 1
    (told,) = json.loads(ill.out)["stuck"]
    assert (told["fault"], told["subject"]) == ("standstill_without_exception", case_id)
    assert "standstill" in (await countersign("doctor", env=env)).out
    await desk.house.tamper("INSERT INTO audit_pending SELECT seq FROM audit_events")
    await desk.house.tamper("UPDATE exceptions SET closed_at = NULL")

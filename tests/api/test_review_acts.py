"""Acts on reviews over HTTP: in hand, given, asked about, edited, lent, and through broken glass."""

from datetime import timedelta

import pytest

from graphs.people import (
    PERSON_PREFIX,
    SERVICE_PREFIX,
    Person,
    Service,
    new_token,
    read_people,
    write_people,
)
from graphs.settings import Settings
from tests.api.door import Door, problem
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"
EIGHTY = [{"op": "replace", "path": "/amount_minor", "value": 8000}]


@pytest.fixture
def staffed(door: Door, settings: Settings) -> Door:
    """The door with a team lead, a duty manager and another service that opens cases."""
    content, tokens = read_people(settings.people_file), {}
    for name, role in (("tess", "team_lead"), ("drew", "duty_manager")):
        tokens[name], kept = new_token(PERSON_PREFIX, timedelta(days=1), door.clock.now)
        content = content.with_person(Person(id=name, name=name.title(), roles=[role], tokens=[kept]))
    tokens["bot"], kept = new_token(SERVICE_PREFIX, timedelta(days=1), door.clock.now)
    content = content.with_service(Service(id="bot", name="Bot", scopes=["cases:start"], keys=[kept]))
    write_people(settings.people_file, content)
    return door.with_tokens(tokens)


async def test_a_claim_is_taken_taken_over_and_let_go(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    path = f"/reviews/{review['id']}/claim"
    claimed = await staffed.ask("lee", "POST", path)
    assert (claimed.status_code, claimed.json()["claimed_by"]) == (200, "person:lee")
    async with staffed.only_recorded("vote.denied", by="person:max"):
        refused = problem(await staffed.vote("max", review), 409, "review-claimed")
    assert "person:lee has it in hand until 2026-11-20 12:30 UTC" in refused["detail"]
    problem(await staffed.ask("max", "POST", path, json={"take_over": True}), 409, "review-claimed")
    problem(await staffed.ask("max", "DELETE", path), 403, "not-eligible")

    taken = await staffed.ask("tess", "POST", path, json={"take_over": True})
    assert taken.json()["claimed_by"] == "person:tess"
    released = await staffed.ask("tess", "DELETE", path)
    assert (released.status_code, released.json()["claimed_by"]) == (200, None)
    assert (await staffed.vote("max", review)).status_code == 200


async def test_a_lead_gives_a_review_to_somebody(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    path = f"/reviews/{review['id']}/assignment"
    problem(await staffed.ask("lee", "PUT", path, json={"to": "person:max"}), 403, "not-eligible")
    problem(await staffed.ask("tess", "PUT", path, json={"to": "person:finn"}), 403, "not-eligible")
    for to in ("max", "service:shop", "person:", 1, None):
        problem(await staffed.ask("tess", "PUT", path, json={"to": to}), 422, "request-unfit")

    given = await staffed.ask("tess", "PUT", path, json={"to": "person:max"})
    assert (given.status_code, given.json()["claimed_by"]) == (200, "person:max")


async def test_the_service_that_opened_a_case_answers_what_was_asked(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    path, answer = f"/reviews/{review['id']}/information", {"text": "The second one."}
    problem(await staffed.ask("shop", "POST", path, json=answer), 409, "not-waiting-for-info")
    assert (await staffed.vote("lee", review, "request_info", "Which photo?")).status_code == 200
    problem(await staffed.vote("lee", review), 409, "review-parked")
    async with staffed.only_recorded("vote.denied", by="service:bot"):
        problem(await staffed.ask("bot", "POST", path, json=answer), 403, "not-eligible")

    response = await staffed.ask("shop", "POST", path, json=answer)

    assert (response.status_code, response.json()) == (200, {"review": review["id"], "status": "open"})
    shown = await staffed.get("lee", f"/reviews/{review['id']}")
    assert (shown["claimed_by"], shown["paused_at"]) == ("person:lee", None)
    assert [vote["kind"] for vote in shown["votes"]] == ["request_info", "info"]


async def test_what_nobody_is_above_cannot_be_handed_up(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    raised = await staffed.vote("lee", review, "escalate", "Too odd for me.")
    assert (raised.status_code, raised.json()["roles"]) == (200, ["finance"])
    problem(await staffed.vote("finn", review, "escalate", "For me too."), 409, "nothing-above")
    assert (await staffed.vote("finn", review)).json()["status"] == "approved"


async def test_a_preview_shows_what_an_edit_would_come_to_and_changes_nothing(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    path = f"/reviews/{review['id']}/preview"
    async with staffed.only_recorded(by="person:lee"):
        shown = (await staffed.ask("lee", "POST", path, json={"patch": EIGHTY})).json()
        other = (await staffed.ask("finn", "POST", path, json={"patch": EIGHTY})).json()
        unfit = await staffed.ask("lee", "POST", path, json={"patch": [EIGHTY[0] | {"path": "/nothing"}]})

    assert shown["changes"] == [{"field": "arguments.amount_minor", "before": 12000, "after": 8000}]
    assert (shown["outcome"], shown["row"], shown["ladder"]) == ("review", "RF-91", ["support_lead"])
    assert (shown["may_edit"], other["may_edit"]) == (True, False)
    problem(unfit, 422, "patch-unfit")


async def test_an_edit_that_the_rules_would_not_have_is_refused(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    body = {"kind": "edit", "comment": "More.", "digest": review["digest"]}
    body["patch"] = [EIGHTY[0] | {"value": 12001}]
    async with staffed.only_recorded("vote.denied", by="person:lee"):
        response = await staffed.ask("lee", "POST", f"/reviews/{review['id']}/votes", json=body)
    assert "exceeds_refundable" in problem(response, 422, "edit-refused")["detail"]


async def test_broken_glass_takes_its_role_and_its_reason(staffed: Door) -> None:
    review = await staffed.waiting(FINANCES)
    path = f"/reviews/{review['id']}/votes"
    body = {"kind": "break_glass", "comment": "The system is down.", "digest": review["digest"]}
    problem(await staffed.ask("drew", "POST", path, json=body), 422, "request-unfit")
    body["reason_code"] = "emergency"
    async with staffed.only_recorded("vote.denied", by="person:finn"):
        problem(await staffed.ask("finn", "POST", path, json=body), 403, "not-eligible")

    broken = await staffed.ask("drew", "POST", path, json=body)
    await staffed.house.work()

    assert (broken.status_code, broken.json()["status"]) == (200, "approved")
    assert len(await staffed.house.refunds(CAST[FINANCES].order_id)) == 1
    (later,) = (await staffed.get("finn", "/reviews", kind="afterwards"))["items"]
    assert (later["case_id"], later["expires_at"]) == (review["case_id"], None)
    shown = await staffed.get("drew", f"/reviews/{later['id']}")
    assert shown["may_decide"] is False


async def test_an_override_where_nothing_speaks_against_it_is_refused(staffed: Door) -> None:
    review = await staffed.waiting(LEADS)
    body = {"kind": "override", "comment": "Why not.", "reason_code": "goodwill", "digest": review["digest"]}
    response = await staffed.ask("lee", "POST", f"/reviews/{review['id']}/votes", json=body)
    problem(response, 409, "nothing-to-override")


async def test_a_right_is_lent_shown_used_and_taken_back(staffed: Door) -> None:
    review = await staffed.waiting(FINANCES)
    body = {"to": "person:lee", "until": "2026-11-21T00:00:00+00:00", "reason": "On holiday."}
    lent = await staffed.ask("finn", "POST", "/delegations", json=body)
    assert lent.status_code == 201, lent.text
    shown = await staffed.get("lee", f"/reviews/{review['id']}")
    assert (shown["may_decide"], shown["on_behalf_of"]) == (True, "person:finn")
    assert [item["id"] for item in (await staffed.get("lee", "/reviews", mine=True))["items"]] == [
        review["id"]
    ]

    (vote,) = (await staffed.vote("lee", review)).json()["votes"]
    assert (vote["person"], vote["on_behalf_of"]) == ("person:lee", "person:finn")
    place = f"/delegations/{lent.json()['id']}"
    problem(await staffed.ask("lee", "DELETE", place), 403, "not-eligible")
    assert (await staffed.ask("finn", "DELETE", place)).json()["revoked_at"]
    problem(await staffed.ask("finn", "DELETE", "/delegations/nothing"), 404, "delegation-not-found")
    await staffed.house.work()
    assert await staffed.house.effects(review["case_id"]) == []


async def test_a_delegation_that_does_not_fit_is_refused(staffed: Door, subtests: pytest.Subtests) -> None:
    fits = {"to": "person:lee", "until": "2026-11-21T00:00:00+00:00", "reason": "On holiday."}
    wrong = {
        "to": "lee",
        "until": "2026-11-21T00:00:00",
        "workflow": "Refund!",
        "amount_minor": 100,
        "currency": "EUR",
        "reason": "",
        "more": 1,
    }
    for name, value in wrong.items():
        with subtests.test(name):
            response = await staffed.ask("finn", "POST", "/delegations", json=fits | {name: value})
            problem(response, 422, "request-unfit")
    for name, odd in (("to", "person:nobody"), ("to", "person:finn"), ("until", "2026-11-19T00:00:00Z")):
        with subtests.test(f"{name} {odd}"):
            response = await staffed.ask("finn", "POST", "/delegations", json=fits | {name: odd})
            problem(response, 422, "delegation-unfit")

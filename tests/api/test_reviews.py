"""What waits for people is shown to them: the exact action, why it needs them, whether they may decide."""

import pytest

from tests.api.door import Door, problem
from tools.sandbox.cast import CAST

LEADS = "clean_120_00_1"
FINANCES = "clean_640_00_1"


async def test_a_review_shows_exactly_what_will_run(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await door.ask("lee", "GET", f"/reviews/{review['id']}")

    shown = response.json()
    assert response.headers["etag"] == f'"{shown["digest"]}"'
    assert (shown["tool"], shown["arguments"]["amount_minor"]) == ("payments.refund", 12000)
    assert shown["arguments"] == shown["action"]["arguments"]
    assert shown["arguments"]["order_id"] == CAST[LEADS].order_id
    assert shown["shown"]["verdict"]["row"] == "RF-91"
    assert [rung["role"] for rung in shown["ladder"]] == ["support_lead"]
    assert (shown["status"], shown["decided_at"], shown["votes"]) == ("open", None, [])


async def test_a_review_tells_each_person_whether_they_may_decide(door: Door) -> None:
    review = await door.waiting(LEADS)

    asked = {who: await door.get(who, f"/reviews/{review['id']}") for who in ("lee", "finn")}
    assert (asked["lee"]["may_decide"], asked["finn"]["may_decide"]) == (True, False)
    assert asked["lee"]["why"] == "as support_lead, up to 500.00 EUR"
    assert asked["finn"]["why"] == "needs the role support_lead"


async def test_the_personal_data_of_the_customer_is_masked_for_the_reviewer(door: Door) -> None:
    review = await door.waiting(LEADS)
    shown = await door.get("lee", f"/reviews/{review['id']}")
    assert shown["shown"]["evidence"]["customer"]["email"] == "•••"


async def test_open_reviews_are_listed_unless_others_are_asked_for(door: Door) -> None:
    approved, open_ = await door.waiting(LEADS), await door.waiting(FINANCES)
    await door.vote("lee", approved)

    assert await _listed(door) == [open_["id"]]
    assert await _listed(door, status="open") == [open_["id"]]
    assert await _listed(door, status="approved") == [approved["id"]]
    assert await _listed(door, status="rejected") == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_review_that_is_not_there_is_not_found(door: Door, method: str) -> None:
    path = "/reviews/nowhere" if method == "GET" else "/reviews/nowhere/votes"
    body = {"json": {"kind": "approve"}, "headers": {"If-Match": '"x"'}} if method == "POST" else {}
    async with door.only_recorded(by="nobody"):
        response = await door.ask("lee", method, path, **body)
    assert "nowhere" in problem(response, 404, "review-not-found")["detail"]


async def test_what_can_be_no_id_is_refused_before_anybody_looks_for_it(
    door: Door, subtests: pytest.Subtests
) -> None:
    for path in ("/reviews/%00", "/cases/%00", "/cases/%00/timeline", "/reviews/" + "x" * 65, "/cases/%FF"):
        with subtests.test(path):
            problem(await door.ask("lee", "GET", path), 422, "request-unfit")


async def _listed(door: Door, **filters: str) -> list[str]:
    return [review["id"] for review in (await door.get("lee", "/reviews", **filters))["items"]]

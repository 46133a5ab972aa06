"""Many reviews with one click: each is decided, refused and recorded for itself."""

from typing import Any, LiteralString

import httpx
import pytest

from tests.api.door import Door, Json, problem
from tools.sandbox.cast import CAST

FINANCES = "clean_640_00_1"
LEADS = [f"clean_120_00_{number}" for number in range(1, 4)]


async def decide(
    door: Door, *reviews: Json, kind: str = "approve", who: str = "lee", **more: Any
) -> httpx.Response:
    """One decision on these reviews, on the digests that they show."""
    items = [{"review": review["id"], "digest": review["digest"]} for review in reviews]
    body = {"kind": kind, "items": items} | more
    return await door.ask(who, "POST", "/reviews/bulk", json=body)


async def results(door: Door, *reviews: Json, **more: Any) -> list[tuple[bool, str | None]]:
    """For each item, whether it was decided and by which name it was not."""
    response = await decide(door, *reviews, **more)
    assert response.status_code == 200, response.text
    body = response.json()
    assert [item["review"] for item in body["items"]] == [review["id"] for review in reviews]
    assert body["decided"] == sum(item["decided"] for item in body["items"])
    assert all(item["decided"] or item["why"] for item in body["items"])
    return [(item["decided"], item["problem"]) for item in body["items"]]


async def test_each_review_of_many_has_a_vote_of_its_own(door: Door) -> None:
    reviews = [await door.waiting(scene) for scene in LEADS]
    assert await results(door, *reviews, comment="All seen.") == [(True, None)] * 3
    await door.house.work()

    for review, scene in zip(reviews, LEADS, strict=True):
        (vote,) = (await door.get("lee", f"/reviews/{review['id']}"))["votes"]
        assert (vote["person"], vote["kind"], vote["comment"]) == ("person:lee", "approve", "All seen.")
        assert (await door.house.kinds(review["case_id"])).count("vote.cast") == 1
        assert len(await door.house.refunds(CAST[scene].order_id)) == 1


async def test_many_are_rejected_with_one_reason(door: Door) -> None:
    reviews = [await door.waiting(scene) for scene in LEADS[:2]]
    problem(await decide(door, *reviews, kind="reject"), 422, "request-unfit")
    assert await results(door, *reviews, kind="reject", comment="A known trick.") == [(True, None)] * 2
    await door.house.work()
    for review in reviews:
        assert (await door.get("lee", f"/cases/{review['case_id']}"))["status"] == "rejected"


async def test_what_is_refused_keeps_nothing_else_from_being_decided(door: Door) -> None:
    first, decided, stale = [await door.waiting(scene) for scene in LEADS]
    grave = await door.waiting(FINANCES)
    await door.vote("max", decided)
    gone = {"id": "nowhere", "digest": "x"}

    ends = await results(door, first, decided, stale | {"digest": "0" * 64}, grave, gone)

    assert ends == [
        (True, None),
        (False, "ReviewAlreadyDecided"),
        (False, "StaleDigest"),
        (False, "NotInBulk"),
        (False, "ReviewNotFound"),
    ]
    for review in (decided, stale, grave):
        denied = [
            event
            for event in await door.house.events(review["case_id"])
            if event["kind"] == "vote.denied" and event["actor"] == "person:lee"
        ]
        assert len(denied) == 1, review["title"]


async def test_high_risk_is_decided_one_by_one_even_by_who_may(door: Door) -> None:
    grave = await door.waiting(FINANCES)
    assert await results(door, grave, who="finn") == [(False, "NotInBulk")]
    assert (await door.vote("finn", grave)).status_code == 200


GRAVE: list[LiteralString] = [
    "UPDATE reviews SET reversible = false WHERE id = %s",
    "UPDATE reviews SET risk = 'high' WHERE id = %s",
    "UPDATE reviews SET against = 'recommendation' WHERE id = %s",
    "UPDATE reviews SET against = 'policy' WHERE id = %s",
]


@pytest.mark.parametrize("statement", GRAVE)
async def test_what_is_too_grave_is_not_decided_together_with_others(
    door: Door, statement: LiteralString
) -> None:
    grave, plain = await door.waiting(LEADS[0]), await door.waiting(LEADS[1])
    await door.house.rows(statement, grave["id"])
    ends = await results(door, grave, plain)
    assert [decided for decided, _ in ends] == [False, True]
    assert ends[0][1] in {"NotInBulk", "OverrideRequired"}


async def test_another_action_than_the_first_is_refused(door: Door) -> None:
    plain, other = await door.waiting(LEADS[0]), await door.waiting(LEADS[1])
    await door.house.rows("UPDATE reviews SET tool = 'tickets.reply' WHERE id = %s", other["id"])
    assert await results(door, plain, other) == [(True, None), (False, "NotInBulk")]


async def test_what_somebody_else_has_in_hand_or_what_waits_for_an_answer_is_left(door: Door) -> None:
    claimed, parked, plain = [await door.waiting(scene) for scene in LEADS]
    await door.ask("max", "POST", f"/reviews/{claimed['id']}/claim")
    await door.ask(
        "max",
        "POST",
        f"/reviews/{parked['id']}/votes",
        json={"kind": "request_info", "comment": "Which?", "digest": parked["digest"]},
    )
    assert await results(door, claimed, parked, plain) == [
        (False, "ReviewClaimed"),
        (False, "ReviewParked"),
        (True, None),
    ]


async def test_who_may_decide_none_of_them_decides_none(door: Door) -> None:
    reviews = [await door.waiting(scene) for scene in LEADS[:2]]
    async with door.only_recorded("vote.denied", "vote.denied", by="person:finn"):
        assert await results(door, *reviews, who="finn") == [(False, "NotEligible")] * 2


async def test_a_bulk_that_does_not_fit_decides_nothing(door: Door, subtests: pytest.Subtests) -> None:
    review = await door.waiting(LEADS[0])
    item = {"review": review["id"], "digest": review["digest"]}
    wrong: dict[str, Json] = {
        "the same twice": {"kind": "approve", "items": [item, item]},
        "the same twice with another digest": {"kind": "approve", "items": [item, item | {"digest": "x"}]},
        "none": {"kind": "approve", "items": []},
        "too many": {
            "kind": "approve",
            "items": [{"review": f"r{number}", "digest": "x"} for number in range(51)],
        },
        "an override": {"kind": "override", "comment": "x", "reason_code": "goodwill", "items": [item]},
        "broken glass": {"kind": "break_glass", "comment": "x", "items": [item]},
        "an edit": {"kind": "edit", "comment": "x", "items": [item]},
        "no digest": {"kind": "approve", "items": [{"review": review["id"]}]},
        "something more": {"kind": "approve", "items": [item], "force": True},
    }
    for name, body in wrong.items():
        with subtests.test(name):
            async with door.only_recorded(by="person:lee"):
                response = await door.ask("lee", "POST", "/reviews/bulk", json=body)
            problem(response, 422, "request-unfit")

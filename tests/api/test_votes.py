"""A vote is for exactly the action that was seen, by somebody who may, once."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest

from graphs.people import PERSON_PREFIX, Person, new_token, read_people, write_people
from graphs.settings import Settings
from tests.api.door import Door, Json, envelope, problem
from tools.sandbox.cast import CAST

LEADS = "clean_120_00_1"
FINANCES = "clean_640_00_1"
TWO_RUNGS = [{"role": role, "people": 1, "why": "both"} for role in ("support_lead", "finance")]


async def test_an_approval_lets_the_refund_go(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await door.vote("lee", review, comment="Seen the photo.")

    body = response.json()
    assert (response.status_code, body["status"]) == (200, "approved")
    (vote,) = body["votes"]
    assert (vote["person"], vote["role"], vote["kind"]) == ("person:lee", "support_lead", "approve")
    assert vote["comment"] == "Seen the photo."
    assert (body["may_decide"], body["why"]) == (False, "already approved")
    await door.house.work()
    assert (await door.get("lee", f"/cases/{review['case_id']}"))["status"] == "closed"
    assert len(await door.house.refunds(CAST[LEADS].order_id)) == 1


async def test_a_rejection_with_its_reason_ends_the_case_without_a_refund(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await door.vote("lee", review, "reject", "The photo shows another product.")
    await door.house.work()

    assert (response.status_code, response.json()["status"]) == (200, "rejected")
    case = await door.get("lee", f"/cases/{review['case_id']}")
    assert (case["status"], case["reason"]) == ("rejected", "review_rejected")
    assert await door.house.refunds(CAST[LEADS].order_id) == []


async def test_a_vote_without_a_digest_is_asked_for_one(door: Door, subtests: pytest.Subtests) -> None:
    review = await door.waiting(LEADS)
    path, body = f"/reviews/{review['id']}/votes", {"kind": "approve"}
    for headers in ({}, {"If-Match": "*"}, {"If-Match": ""}):
        with subtests.test(str(headers)):
            async with door.only_recorded(by="person:lee"):
                response = await door.ask("lee", "POST", path, json=body, headers=headers)
            assert "If-Match" in problem(response, 428, "precondition-missing")["detail"]


async def test_a_vote_on_another_digest_is_refused_on_the_record(
    door: Door, subtests: pytest.Subtests
) -> None:
    review = await door.waiting(LEADS)
    digest = review["digest"]
    wrong = ('"abc"', '""', digest[:-1], f'W/"{digest}"', f'"{digest}", "abc"', f'"{digest.upper()}"', '"*"')
    for sent in wrong:
        with subtests.test(sent):
            async with door.only_recorded("vote.denied", by="person:lee") as told:
                response = await door.vote("lee", review, If_Match=sent)
            assert "digest" in problem(response, 412, "stale-digest")["detail"]
            assert told[0]["data"]["why"] == "StaleDigest"


async def test_the_digest_may_come_without_quotes(door: Door) -> None:
    review = await door.waiting(LEADS)
    assert (await door.vote("lee", review, If_Match=review["digest"])).status_code == 200


async def test_who_has_not_the_role_is_refused_on_the_record(door: Door) -> None:
    review = await door.waiting(FINANCES)
    async with door.only_recorded("vote.denied", by="person:lee") as told:
        response = await door.vote("lee", review)

    assert problem(response, 403, "not-eligible")["detail"] == "needs the role finance"
    assert told[0]["case_id"] == review["case_id"]
    assert told[0]["data"] == {
        "review": review["id"],
        "why": "NotEligible",
        "message": "needs the role finance",
        "vote_kind": "approve",
    }


async def test_nobody_releases_more_than_their_limit(door: Door) -> None:
    """No table of ours asks a lead for more than 500; one that did would still not get it from them."""
    review = await door.waiting(LEADS)
    await door.house.rows("UPDATE reviews SET amount_minor = 50001 WHERE id = %s", review["id"])
    async with door.only_recorded("vote.denied", by="person:lee"):
        response = await door.vote("lee", review)

    assert "exceeds the limit of 500.00 EUR" in problem(response, 403, "not-eligible")["detail"]


async def test_whoever_opened_the_case_is_no_second_pair_of_eyes(door: Door) -> None:
    review = await door.waiting(LEADS, who="lee")
    async with door.only_recorded("vote.denied", by="person:lee"):
        response = await door.vote("lee", review)

    assert "asked for it" in problem(response, 403, "not-eligible")["detail"]
    assert (await door.vote("max", review)).status_code == 200


async def test_services_and_people_without_roles_do_not_get_as_far_as_a_vote(
    door: Door, subtests: pytest.Subtests
) -> None:
    review = await door.waiting(LEADS)
    for actor in ("service:shop", "service:reader", "service:mute", "person:nora"):
        with subtests.test(actor):
            async with door.only_recorded("access.denied", by=actor) as told:
                response = await door.vote(actor.partition(":")[2], review)
            problem(response, 403, "forbidden")
            assert told[0]["data"] == {"route": "cast_vote"}


async def test_a_decided_review_says_by_whom(door: Door) -> None:
    review = await door.waiting(LEADS)
    await door.vote("lee", review)
    for who in ("max", "lee"):
        async with door.only_recorded("vote.denied", by=f"person:{who}"):
            response = await door.vote(who, review, "reject")
        detail = problem(response, 409, "review-already-decided")["detail"]
        assert detail == "already approved by person:lee"


async def test_a_vote_after_the_case_is_closed_is_too_late(door: Door) -> None:
    review = await door.waiting(LEADS)
    await door.vote("lee", review)
    await door.house.work()
    async with door.only_recorded("vote.denied", by="person:max"):
        response = await door.vote("max", review, "reject")

    problem(response, 409, "review-already-decided")
    assert (await door.get("lee", f"/cases/{review['case_id']}"))["status"] == "closed"


async def test_an_expired_review_cannot_be_decided(door: Door) -> None:
    review = await door.waiting(LEADS)
    door.clock.advance(timedelta(days=8))
    async with door.only_recorded("vote.denied", by="person:lee"):
        response = await door.vote("lee", review)
    problem(response, 410, "review-expired")


async def test_two_rungs_need_two_people(door: Door) -> None:
    review = await _with_two_rungs(door)

    first = await door.vote("lee", review)
    assert (first.status_code, first.json()["status"]) == (200, "open")
    assert (await door.house.effects(review["case_id"])) == []
    second = await door.vote("finn", review)
    assert (second.status_code, second.json()["status"]) == (200, "approved")


async def test_nobody_votes_twice(door: Door) -> None:
    review = await _with_two_rungs(door)
    await door.vote("lee", review)
    before = await door.standing()

    response = await door.vote("lee", review)

    problem(response, 409, "already-voted")
    assert await door.standing() == before


async def test_a_second_vote_by_the_same_person_is_on_the_record(door: Door) -> None:
    review = await _with_two_rungs(door)
    await door.vote("lee", review)

    await door.vote("lee", review)

    assert "vote.denied" in await door.house.kinds(review["case_id"])


async def test_votes_that_do_not_fit_are_refused_with_the_field(
    door: Door, subtests: pytest.Subtests
) -> None:
    review = await door.waiting(LEADS)
    wrong: dict[str, tuple[str, str]] = {
        "a rejection without a comment": ('{"kind": "reject"}', "body"),
        "a rejection with a blank comment": ('{"kind": "reject", "comment": "  "}', "body"),
        "an unknown kind": ('{"kind": "maybe"}', "body.kind"),
        "no kind": ("{}", "body.kind"),
        "an unknown field": ('{"kind": "approve", "force": true}', "body.force"),
        "an unknown field with a name of its own": ('{"kind": "approve", "\\ud800": 1}', "body"),
        "a comment that is a number": ('{"kind": "approve", "comment": 1}', "body.comment"),
        "an empty comment": ('{"kind": "approve", "comment": ""}', "body.comment"),
        "an over-long comment": (json.dumps({"kind": "approve", "comment": "x" * 2001}), "body.comment"),
        "a comment with NUL": ('{"kind": "approve", "comment": "a\\u0000"}', "body"),
        "a comment with a lone surrogate": ('{"kind": "approve", "comment": "\\ud800"}', "body.comment"),
        "a list": ("[]", "body"),
        "not JSON": ("{", "body.1"),
    }
    for name, (body, field) in wrong.items():
        with subtests.test(name):
            async with door.only_recorded(by="person:lee"):
                response = await _post_vote(door, review, body)
            fields = problem(response, 422, "request-unfit")["fields"]
            assert [item["field"] for item in fields] == [field]
            assert "Value error" not in response.text


async def test_a_vote_that_is_nested_absurdly_deep_is_a_bad_request(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await _post_vote(door, review, "[" * 100_000 + "]" * 100_000)
    problem(response, 400, "bad-request")


async def test_a_vote_that_does_not_say_it_is_json_is_asked_to(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await _post_vote(door, review, "kind=approve", "application/x-www-form-urlencoded")
    assert "application/json" in problem(response, 415, "wrong-content-type")["detail"]


async def test_of_twenty_who_decide_at_once_one_does(door: Door, settings: Settings) -> None:
    review = await door.waiting(LEADS)
    leads = [f"lead-{n:02}" for n in range(20)]
    door = door.with_tokens(_add_leads(settings, door, leads))

    answers = await asyncio.gather(
        *(door.vote(who, review, "reject" if n % 2 else "approve") for n, who in enumerate(leads))
    )
    await door.house.work()

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    (decision,) = [answer.json() for answer in answers if answer.status_code == 200]
    decider = decision["votes"][0]["person"]
    late = [problem(answer, 409, "review-already-decided") for answer in answers if answer.status_code == 409]
    assert {body["detail"] for body in late} == {f"already {decision['status']} by {decider}"}
    approved = decision["status"] == "approved"
    assert len(await door.house.refunds(CAST[LEADS].order_id)) == (1 if approved else 0)
    case = await door.get("lee", f"/cases/{review['case_id']}")
    assert case["status"] == ("closed" if approved else "rejected")
    kinds = await door.house.kinds(review["case_id"])
    assert (kinds.count("vote.cast"), kinds.count("vote.denied")) == (1, 19)
    assert (await door.standing())["votes"] == 1


async def test_an_event_sent_again_while_a_review_is_open_changes_nothing(door: Door) -> None:
    review = await door.waiting(LEADS)
    async with door.only_recorded(by="service:shop"):
        response = await door.send(envelope(LEADS))
    assert (response.status_code, response.json()["status"]) == (200, "waiting_review")
    assert (await door.vote("lee", review)).status_code == 200


async def _with_two_rungs(door: Door) -> Json:
    """A review for a lead and for finance; our tables have none, but a ladder may have several rungs."""
    review = await door.waiting(LEADS)
    await door.house.rows("UPDATE reviews SET ladder = %s WHERE id = %s", json.dumps(TWO_RUNGS), review["id"])
    return review


async def _post_vote(door: Door, review: Json, body: str, kind: str = "application/json") -> httpx.Response:
    headers = {"If-Match": f'"{review["digest"]}"', "Content-Type": kind}
    return await door.ask("lee", "POST", f"/reviews/{review['id']}/votes", content=body, headers=headers)


def _add_leads(settings: Settings, door: Door, names: list[str]) -> dict[str, str]:
    content, tokens = read_people(settings.people_file), {}
    for name in names:
        tokens[name], kept = new_token(PERSON_PREFIX, timedelta(days=1), door.clock.now)
        content = content.with_person(Person(id=name, name=name, roles=["support_lead"], tokens=[kept]))
    write_people(settings.people_file, content)
    return tokens

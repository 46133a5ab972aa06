"""Votes in the shapes in which LangChain's and LangGraph's front ends answer, and what is no vote at all."""

import json
from typing import Any

import httpx
import pytest
from langchain.agents.middleware.human_in_the_loop import HITLRequest
from pydantic import TypeAdapter

from tests.api.door import Door, Json, problem
from tests.bites.forger import forging
from tools.sandbox.cast import CAST

LEADS = "clean_120_00_1"
TOOL = "payments.refund"


async def said(door: Door, review: Json, body: Any, who: str = "lee", **headers: str) -> httpx.Response:
    """Any body as a vote, with the digest that the review shows unless other headers are given."""
    sent = headers or {"If-Match": f'"{review["digest"]}"'}
    sent |= {"Content-Type": "application/json"}
    content = json.dumps(body).encode()
    return await door.ask(who, "POST", f"/reviews/{review['id']}/votes", content=content, headers=sent)


def edit_of(review: Json, name: str = TOOL, **values: Any) -> Json:
    """LangChain's edit decision."""
    return {
        "type": "edit",
        "edited_action": {"name": name, "args": review["arguments"] | values},
        "message": "Only a part was broken.",
    }


# --- what the graph asks ----------------------------------------------------------------------------------


async def test_the_interrupt_is_a_request_of_exactly_one_action(door: Door) -> None:
    review = await door.waiting(LEADS)
    async with forging(door.house, await door.house.case(review["case_id"])) as thread:
        (interrupt,) = (await thread.state()).interrupts

    request = TypeAdapter(HITLRequest).validate_python(
        {name: interrupt.value[name] for name in ("action_requests", "review_configs")}
    )
    ((action,), (config,)) = request["action_requests"], request["review_configs"]
    assert (action["name"], action["args"]) == (TOOL, review["arguments"])
    assert action["description"]
    assert config["action_name"] == TOOL
    assert config["allowed_decisions"] == ["approve", "edit", "reject", "respond"]
    assert "amount_minor" in config["args_schema"]["properties"]
    assert interrupt.value["countersign"]["digest"] == review["digest"]


# --- what front ends answer -------------------------------------------------------------------------------

APPROVE, REJECT = {"type": "approve"}, {"type": "reject", "message": "The photo shows another product."}
WRAPPED: dict[str, Any] = {
    "a decision": lambda one: one,
    "a HITLResponse": lambda one: {"decisions": [one]},
    "a list": lambda one: [one],
    "by interrupt id": lambda one: {"8b1a9953c4611296a827abf8c47804d7": one},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
async def test_a_decision_is_understood_in_every_wrapping(door: Door, wrap: Any) -> None:
    approved, rejected = await door.waiting(LEADS), await door.waiting("clean_120_00_2")
    yes, no = await said(door, approved, wrap(APPROVE)), await said(door, rejected, wrap(REJECT))

    assert (yes.status_code, yes.json()["status"]) == (200, "approved")
    assert (no.status_code, no.json()["status"]) == (200, "rejected")
    assert no.json()["votes"][0]["comment"] == REJECT["message"]


async def test_an_edit_supersedes_the_review_with_the_difference_as_its_patch(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await said(door, review, {"decisions": [edit_of(review, amount_minor=8000)]})

    assert (response.status_code, response.json()["status"]) == (200, "superseded")
    (vote,) = response.json()["votes"]
    assert (vote["kind"], vote["comment"]) == ("edit", "Only a part was broken.")
    assert vote["patch"] == [{"op": "replace", "path": "/amount_minor", "value": 8000}]
    await door.house.work()
    assert (await door.house.review(review["case_id"])).amount_minor == 8000
    assert await door.house.refunds(CAST[LEADS].order_id) == []


async def test_a_respond_asks_for_information(door: Door) -> None:
    review = await door.waiting(LEADS)
    response = await said(door, review, {"type": "respond", "message": "Which photo?"})

    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["status"], body["asked_by"]) == ("open", "person:lee")
    assert (await door.get("lee", f"/cases/{review['case_id']}"))["status"] == "waiting_info"


async def test_agent_inboxs_answers_are_understood(door: Door) -> None:
    accepted, edited, asked, ignored = [
        await door.waiting(f"clean_120_00_{number}") for number in range(1, 5)
    ]
    wanted = {"action": TOOL, "args": edited["arguments"] | {"amount_minor": 8000}}
    answers = [
        await said(door, accepted, [{"type": "accept", "args": None}]),
        await said(door, edited, [{"type": "edit", "args": wanted}]),
        await said(door, asked, [{"type": "response", "args": "Which photo?"}]),
        await said(door, ignored, [{"type": "ignore", "args": None}]),
    ]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["status"] for answer in answers] == ["approved", "superseded", "open", "open"]
    kinds = [answer.json()["votes"][0]["kind"] for answer in answers]
    assert kinds == ["approve", "edit", "request_info", "comment"]


async def test_no_shape_carries_more_authority_than_another(door: Door) -> None:
    review = await door.waiting(LEADS)
    for body in (APPROVE, {"decisions": [APPROVE]}, [{"type": "accept", "args": None}]):
        async with door.only_recorded("vote.denied", by="person:finn"):
            problem(await said(door, review, body, who="finn"), 403, "not-eligible")


# --- the digest -------------------------------------------------------------------------------------------


async def test_the_digest_may_be_in_the_body(door: Door) -> None:
    review = await door.waiting(LEADS)
    nothing = {"Accept": "application/json"}
    async with door.only_recorded("vote.denied", by="person:lee"):
        stale = await said(door, review, APPROVE | {"digest": "0" * 64}, **nothing)
    problem(stale, 412, "stale-digest")
    async with door.only_recorded(by="person:lee"):
        problem(await said(door, review, APPROVE, **nothing), 428, "precondition-missing")

    approved = await said(door, review, {"decisions": [APPROVE], "digest": review["digest"]}, **nothing)
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")


async def test_two_digests_that_differ_are_for_no_action(door: Door) -> None:
    review = await door.waiting(LEADS)
    for header, body in (("0" * 64, review["digest"]), (review["digest"], "0" * 64)):
        async with door.only_recorded("vote.denied", by="person:lee"):
            response = await said(door, review, APPROVE | {"digest": body}, **{"If-Match": f'"{header}"'})
        problem(response, 412, "stale-digest")
    both = await said(door, review, APPROVE | {"digest": review["digest"]})
    assert both.json()["status"] == "approved"


# --- what is no vote --------------------------------------------------------------------------------------

NONSENSE: dict[str, Any] = {
    "several decisions": {"decisions": [APPROVE, APPROVE]},
    "no decision": {"decisions": []},
    "decisions that are none": {"decisions": "approve"},
    "a decision that is a text": {"decisions": ["approve"]},
    "several by interrupt id": {"a": APPROVE, "b": REJECT},
    "an unknown type": {"type": "maybe"},
    "a type that is a list": {"type": ["approve"]},
    "a rejection without words": {"type": "reject"},
    "a question without words": {"type": "respond"},
    "words that are none": {"type": "reject", "message": {"a": 1}},
    "an edit of nothing": {"type": "edit"},
    "an edit that is a text": {"type": "edit", "edited_action": "amount_minor"},
    "an edit without arguments": {"type": "edit", "edited_action": {"name": TOOL}},
    "an edit that changes nothing": {"type": "edit", "edited_action": {"name": TOOL, "args": {}}},
    "a text": "approve",
    "a number": 1,
    "nothing": None,
    "a list of lists": [[APPROVE]],
    "a kind and a type": {"kind": "approve", "type": "approve"},
    "a kind with a patch that does not belong": {
        "kind": "approve",
        "patch": [{"op": "replace", "path": "/amount_minor", "value": 1}],
    },
    "an edit with a step that takes away": {
        "kind": "edit",
        "comment": "x",
        "patch": [{"op": "remove", "path": "/amount_minor"}],
    },
    "an override without a reason code": {"kind": "override", "comment": "x"},
    "an override with an unknown reason": {"kind": "override", "comment": "x", "reason_code": "because"},
    "an approval with a reason code": {"kind": "approve", "reason_code": "goodwill"},
    "an answer, which is given elsewhere": {"kind": "info", "comment": "x"},
}


async def test_what_is_no_vote_is_told_so_and_changes_nothing(door: Door, subtests: pytest.Subtests) -> None:
    review = await door.waiting(LEADS)
    for name, body in NONSENSE.items():
        with subtests.test(name):
            async with door.only_recorded(by="person:lee"):
                response = await said(door, review, body)
            assert response.status_code == 422, (response.status_code, response.text)
            assert response.headers["content-type"] == "application/problem+json"


async def test_an_edit_of_another_tool_is_refused(door: Door, subtests: pytest.Subtests) -> None:
    review = await door.waiting(LEADS)
    for body in (
        edit_of(review, name="payments.reverse_refund", amount_minor=1),
        {"type": "edit", "args": {"action": "tickets.reply", "args": {"amount_minor": 1}}},
    ):
        with subtests.test(str(body["type"])):
            async with door.only_recorded(by="person:lee"):
                response = await said(door, review, body)
            fields = problem(response, 422, "request-unfit")["fields"]
            assert "never the tool" in fields[0]["problem"]


async def test_an_edit_that_the_tool_would_not_take_says_which_argument(door: Door) -> None:
    review = await door.waiting(LEADS)
    for values, field in (({"amount_minor": "80"}, "amount_minor"), ({"note": "x"}, "note")):
        async with door.only_recorded(by="person:lee"):
            response = await said(door, review, edit_of(review, **values))
        assert [item["field"] for item in problem(response, 422, "edit-unfit")["fields"]] == [field]

"""Somebody changes what would be done: it is judged again, and other eyes sign what then runs."""

import json
from copy import deepcopy
from typing import Any

import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided
from checkpoints.reviews import Review, ReviewStatus
from checkpoints.votes import VoteKind
from graphs.acts import Acts
from graphs.closing import NotEligible
from graphs.edits import EditRefused, Edits, EditUnfit, TooManyEdits
from graphs.settings import Settings
from nodes.edits import PatchUnfit
from nodes.gateway import MOST_REVISIONS
from tests.bites.forger import forging
from tests.house import FINN, LEE, MAX, SHOP, House
from tests.stories.reviewing import (
    EVERYBODY,
    FAY,
    MEG,
    ask_instead,
    denials,
    edit,
    edited,
    now_working,
    patch,
    person,
    standing,
    told,
    waiting,
)
from tools.sandbox.cast import CAST

LEADS, FINANCES, BIG = "clean_120_00_1", "clean_640_00_1", "clean_499_99"
ORDER = CAST[LEADS].order_id


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def amounts(house: House, scene: str) -> list[int]:
    return [refund["amount_minor"] for refund in await house.refunds(CAST[scene].order_id)]


# --- what becomes of an edit ------------------------------------------------------------------------------


async def test_an_edited_action_is_judged_again_and_asks_anew(house: House) -> None:
    first = await waiting(house, LEADS)
    case = await edited(house, first, LEE, amount_minor=8000)

    assert case.status is Status.WAITING_REVIEW
    second = await house.review(case.id)
    assert (second.amount_minor, second.action["arguments"]["amount_minor"]) == (8000, 8000)
    assert second.digest != first.digest
    assert second.action["revision"] == first.action["revision"] + 1
    assert second.action["sources"]["amount_minor"] == {"source": "person:lee", "trust": "person"}
    assert second.action["proposer"] == "agent:policy"
    (change,) = [one for one in second.shown["changes"] if one["field"] == "arguments.amount_minor"]
    assert (change["before"], change["after"]) == (12000, 8000)


async def test_what_runs_is_exactly_what_was_edited_and_signed(house: House) -> None:
    case = await edited(house, await waiting(house, LEADS), LEE, amount_minor=8000)
    case = await house.decided(await house.review(case.id), MAX)

    assert case.status is Status.CLOSED
    assert await amounts(house, LEADS) == [8000]


async def test_both_versions_and_the_patch_are_on_the_record(house: House) -> None:
    first = await waiting(house, LEADS)
    case = await edited(house, first, LEE, amount_minor=8000)
    await house.decided(await house.review(case.id), MAX)

    (vote,) = [one for one in await told(house, case.id, "vote.cast") if one["vote_kind"] == "edit"]
    assert (vote["by"], vote["patch"]) == ("person:lee", patch(amount_minor=8000))
    assert vote["changes"] == [{"field": "arguments.amount_minor", "before": 12000, "after": 8000}]
    (closed,) = await told(house, case.id, "review.superseded")
    assert (closed["by"], closed["digest"]) == ("person:lee", first.digest)
    (made,) = await told(house, case.id, "action.edited")
    assert (made["by"], made["arguments"]["amount_minor"]) == ("person:lee", {"value": 8000})
    verdicts = await told(house, case.id, "verdict.given")
    judged = [one["action"]["arguments"] for one in verdicts if one["proposed_tool"] == "payments.refund"]
    assert [arguments["amount_minor"] for arguments in judged] == [12000, 8000]


async def test_who_edited_cannot_sign_and_another_lead_can(house: House) -> None:
    case = await edited(house, await waiting(house, LEADS), LEE, amount_minor=8000)
    second = await house.review(case.id)
    with pytest.raises(NotEligible, match="cannot sign it"):
        await house.vote(second, LEE)
    assert await house.effects(case.id) == []

    assert (await house.decided(second, MAX)).status is Status.CLOSED


async def test_who_edited_cannot_sign_by_another_account(house: House, settings: Settings) -> None:
    second_account = person("lee2", "support_lead", human="lee")
    now_working(settings, *EVERYBODY, second_account)
    case = await edited(house, await waiting(house, LEADS), LEE, amount_minor=8000)
    with pytest.raises(NotEligible, match="cannot sign it"):
        await house.vote(await house.review(case.id), second_account)


async def test_earlier_votes_fall_with_an_edit(house: House) -> None:
    await ask_instead(house, "{review: two, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}")
    first = await waiting(house, LEADS)
    await house.vote(first, LEE)
    case = await edited(house, first, MAX, amount_minor=8000)

    second = await house.review(case.id)
    assert await _votes(house, second) == []
    after_one = await house.vote(second, LEE)
    assert (after_one.status, await house.effects(case.id)) == (ReviewStatus.OPEN, [])
    assert (await house.decided(second, MEG)).status is Status.CLOSED
    assert await amounts(house, LEADS) == [8000]


async def test_an_edit_down_to_what_is_automatic_runs_by_the_rules(house: House) -> None:
    case = await edited(house, await waiting(house, LEADS), LEE, amount_minor=3000)

    assert case.status is Status.CLOSED
    assert await amounts(house, LEADS) == [3000]
    (verdict,) = [
        one
        for one in await told(house, case.id, "effect.intended")
        if one["action"]["tool"] == "payments.refund"
    ]
    assert verdict["verdict"]["outcome"] == "allow"
    assert verdict["action"]["sources"]["amount_minor"] == {"source": "person:lee", "trust": "person"}


async def test_a_lead_cannot_edit_beyond_their_limit_and_finance_can(house: House) -> None:
    first = await waiting(house, FINANCES)
    case = await edited(house, first, FINN, amount_minor=40000)
    second = await house.review(case.id)
    assert second.roles == ["support_lead"]

    with pytest.raises(NotEligible, match="exceeds the limit"):
        await edit(house, second, LEE, amount_minor=60000)
    assert await denials(house, case.id) == [("person:lee", "NotEligible")]
    assert (await house.decided(second, LEE)).status is Status.CLOSED
    assert await amounts(house, FINANCES) == [40000]


async def test_an_edit_upwards_asks_whoever_the_higher_amount_needs(house: House) -> None:
    second = await house.review(
        (await edited(house, await waiting(house, FINANCES), FINN, amount_minor=40000)).id
    )
    raised = await _handed_up(house, second)
    case = await edited(house, raised, FAY, amount_minor=60000)

    third = await house.review(case.id)
    assert (third.roles, third.rule, third.amount_minor) == (["finance"], "RF-92", 60000)
    for who in (FINN, FAY):
        with pytest.raises(NotEligible, match="cannot sign it"):
            await house.vote(third, who)


async def test_a_superseded_review_cannot_be_decided_any_more(house: House) -> None:
    first = await waiting(house, LEADS)
    await edit(house, first, LEE, amount_minor=8000)
    for kind in (VoteKind.APPROVE, VoteKind.REJECT):
        with pytest.raises(ReviewAlreadyDecided, match="superseded"):
            await house.vote(first, MAX, kind)
    with pytest.raises(ReviewAlreadyDecided):
        await edit(house, first, MAX, amount_minor=9000)
    await house.work()

    assert (await house.review(first.case_id)).amount_minor == 8000
    assert await house.effects(first.case_id) == []


async def test_the_reason_code_may_be_edited_too(house: House) -> None:
    case = await edited(house, await waiting(house, LEADS), LEE, reason_code="late")
    second = await house.review(case.id)
    assert second.action["arguments"]["reason_code"] == "late"
    assert (await house.decided(second, MAX)).status is Status.CLOSED


# --- what cannot be edited --------------------------------------------------------------------------------

UNFIT: dict[str, dict[str, Any]] = {
    "a float": {"amount_minor": 80.5},
    "a whole float": {"amount_minor": 8000.0},
    "a text": {"amount_minor": "8000"},
    "true": {"amount_minor": True},
    "null": {"amount_minor": None},
    "a list": {"amount_minor": [8000]},
    "a negative amount": {"amount_minor": -1},
    "an amount beyond all reason": {"amount_minor": 10**30},
    "no currency": {"currency": "Euro"},
}
REFUSED: dict[str, dict[str, Any]] = {
    "another order": {"order_id": CAST["clean_120_00_2"].order_id},
    "another customer": {"customer_id": CAST["clean_120_00_2"].customer_id},
    "another payment": {"payment_id": CAST["clean_120_00_2"].payment_id},
    "a payment that is not there": {"payment_id": "P-999999"},
    "more than was paid": {"amount_minor": 12001},
    "nothing": {"amount_minor": 0},
}


@pytest.mark.parametrize("values", UNFIT.values(), ids=UNFIT.keys())
async def test_what_the_tool_would_not_take_is_refused_and_nothing_changes(
    house: House, values: dict[str, Any]
) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    with pytest.raises(EditUnfit) as unfit:
        await edit(house, review, LEE, **values)

    assert [item["field"] for item in unfit.value.fields] == list(values)
    assert await standing(house, review.case_id) == before


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED.keys())
async def test_what_the_rules_would_not_have_is_refused_and_nothing_changes(
    house: House, values: dict[str, Any]
) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    with pytest.raises((EditRefused, EditUnfit)):
        await edit(house, review, LEE, **values)
    await house.work()

    assert await standing(house, review.case_id) == before
    assert await amounts(house, LEADS) == []


async def test_another_currency_is_refused_and_nothing_changes(house: House) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    with pytest.raises((EditRefused, NotEligible)):
        await edit(house, review, LEE, currency="USD")
    assert await standing(house, review.case_id) == before
    assert len(await denials(house, review.case_id)) == 1


@pytest.mark.parametrize(
    "step",
    [
        {"op": "add", "path": "/tool", "value": "payments.refund"},
        {"op": "add", "path": "/note", "value": "hello"},
        {"op": "replace", "path": "/note", "value": "hello"},
        {"op": "remove", "path": "/amount_minor"},
        {"op": "replace", "path": "", "value": {"amount_minor": 1}},
        {"op": "replace", "path": "/amount_minor/0", "value": 1},
        {"op": "replace", "path": "amount_minor", "value": 1},
        {"op": "move", "from": "/order_id", "path": "/customer_id"},
        {"op": "copy", "from": "/order_id", "path": "/customer_id"},
        {"op": "test", "path": "/amount_minor", "value": 12000},
        {"op": "test", "path": "/amount_minor", "value": 1},
        {"op": "replace", "path": "/amount_minor", "value": 12000},
        {"op": "replace", "path": "/amount_minor"},
        {"path": "/amount_minor", "value": 1},
    ],
    ids=str,
)
async def test_a_patch_that_does_not_fit_the_arguments_changes_nothing(
    house: House, step: dict[str, Any]
) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    with pytest.raises((PatchUnfit, EditUnfit)):
        await Edits(house.parts).commit(review.id, review.digest, [step], "Try.", LEE)
    assert await standing(house, review.case_id) == before


async def test_who_could_not_sign_an_action_cannot_edit_it(house: House) -> None:
    review = await waiting(house, LEADS)
    for who in (FINN, SHOP):
        with pytest.raises(NotEligible):
            await edit(house, review, who, amount_minor=8000)
    await house.rows("UPDATE cases SET opened_by = 'person:lee' WHERE id = %s", review.case_id)
    with pytest.raises(NotEligible, match="asked for it"):
        await edit(house, review, LEE, amount_minor=8000)
    assert [who for who, _ in await denials(house, review.case_id)] == [
        "person:finn",
        "service:shop",
        "person:lee",
    ]


async def test_an_action_is_edited_only_so_often(house: House, settings: Settings) -> None:
    leads = [person(f"lead{number}", "support_lead") for number in range(MOST_REVISIONS)]
    now_working(settings, *EVERYBODY, *leads)
    review = await waiting(house, BIG)
    for number, lead in enumerate(leads[: MOST_REVISIONS - 1]):
        case = await edited(house, review, lead, amount_minor=40000 + number)
        review = await house.review(case.id)
    with pytest.raises(TooManyEdits):
        await edit(house, review, leads[-1], amount_minor=39000)

    assert (await house.decided(review, LEE)).status is Status.CLOSED
    assert await amounts(house, BIG) == [40000 + MOST_REVISIONS - 2]


# --- what is shown before ---------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [8000, 3000, 12001])
async def test_a_preview_is_what_then_happens(house: House, amount: int) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    preview = await Edits(house.parts).preview(review.id, patch(amount_minor=amount), LEE)
    assert await standing(house, review.case_id) == before

    verdict = preview.judgement.verdict
    if verdict.outcome in {"refuse", "investigate"}:
        with pytest.raises(EditRefused, match=verdict.then.reason):
            await edit(house, review, LEE, amount_minor=amount)
        return
    case = await edited(house, review, LEE, amount_minor=amount)
    judged = [
        one
        for one in await told(house, case.id, "verdict.given")
        if one["proposed_tool"] == "payments.refund"
    ][1]
    assert judged["verdict"] == verdict.to_json()
    assert judged["action"] == preview.judgement.action
    assert judged["digest"] == preview.judgement.digest
    (said,) = [one for one in await told(house, case.id, "vote.cast") if one["vote_kind"] == "edit"]
    assert said["changes"] == list(preview.changes)


async def test_a_preview_says_whether_ones_own_limit_covers_it(house: House) -> None:
    case = await edited(house, await waiting(house, FINANCES), FINN, amount_minor=40000)
    review = await house.review(case.id)
    edits = Edits(house.parts)

    assert (await edits.preview(review.id, patch(amount_minor=41000), LEE)).eligibility.allowed
    above = await edits.preview(review.id, patch(amount_minor=60000), LEE)
    assert not above.eligibility.allowed
    assert "exceeds the limit" in above.eligibility.why
    assert above.judgement.verdict.then.ladder == ("finance",)


# --- what a forger makes of it ----------------------------------------------------------------------------


async def test_an_edit_that_is_not_on_record_does_not_run(house: House) -> None:
    """Whoever writes a smaller amount into the state has made a literal, and nobody has edited anything."""
    review = await waiting(house, LEADS)
    async with forging(house, await house.case(review.case_id)) as thread:
        proposal = await thread.value("proposal")
        proposal["arguments"]["amount_minor"] = {"value": 3000}
        proposal["edits"] = {"amount_minor": "person:lee"}
        proposal["revision"] = 2
        await thread.write({"proposal": proposal, "outcome": "allow"}, as_node="judge")
        await thread.wake(None)
    await house.work()

    assert await house.effects(review.case_id) == []
    assert await amounts(house, LEADS) == []


async def test_another_amount_than_the_one_that_was_edited_does_not_run(house: House) -> None:
    review = await waiting(house, LEADS)
    await edit(house, review, LEE, amount_minor=3000)
    async with forging(house, await house.case(review.case_id)) as thread:
        proposal = deepcopy(await thread.value("proposal"))
        proposal["arguments"]["amount_minor"] = {"value": 4000}
        proposal["revision"] = 2
        await thread.write({"proposal": proposal, "outcome": "allow"}, as_node="judge")
        await thread.wake(None)

    assert await house.effects(review.case_id) == []
    assert await amounts(house, LEADS) == []


async def test_an_edit_row_on_a_review_that_was_not_superseded_counts_for_nothing(house: House) -> None:
    review = await waiting(house, LEADS)
    await house.rows(
        "INSERT INTO votes (id, review_id, person, humans, kind, digest, patch, voted_at)"
        " VALUES ('v', %s, 'person:lee', '{lee}', 'edit', %s, %s, now())",
        review.id,
        review.digest,
        json.dumps(patch(amount_minor=3000)),
    )
    async with forging(house, await house.case(review.case_id)) as thread:
        proposal = await thread.value("proposal")
        proposal["arguments"]["amount_minor"] = {"value": 3000}
        proposal["revision"] = 2
        await thread.write({"proposal": proposal, "outcome": "allow"}, as_node="judge")
        await thread.wake(None)

    assert await house.effects(review.case_id) == []


async def _votes(house: House, review: Review) -> list[dict[str, Any]]:
    return await house.rows("SELECT * FROM votes WHERE review_id = %s", review.id)


async def _handed_up(house: House, review: Review) -> Review:
    return await Acts(house.parts).escalate(review.id, review.digest, "Higher.", LEE)

"""A right to decide can be lent: never more than the lender has, and never to be in two places at once."""

from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Status
from checkpoints.delegations import Delegation
from checkpoints.errors import AlreadyVoted
from checkpoints.reviews import ReviewStatus
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.lending import LONGEST, DelegationUnfit, Lending
from graphs.settings import Settings
from nodes.permissions import Principal
from tests.house import FINN, LEE, MAX, SHOP, House, ManualClock
from tests.stories.reviewing import (
    EVERYBODY,
    FAY,
    NORA,
    ask_instead,
    now_working,
    person,
    told,
    waiting,
    without,
)
from tools.money import Money
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"
A_WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def lend(
    house: House, lender: Principal, to: Principal, *, until: timedelta = A_WEEK, **more: Any
) -> Delegation:
    """A right to decide refunds, lent for a week unless something else is said."""
    terms: dict[str, Any] = {"workflow": "refund", "limit": None} | more
    ends_at = house.parts.clock() + until
    return await Lending(house.parts).lend(lender, to=to.actor, until=ends_at, reason="On holiday.", **terms)


def eur(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="EUR")


# --- in the place of somebody -----------------------------------------------------------------------------


async def test_a_delegate_signs_on_behalf_of_the_lender_and_it_says_so(house: House) -> None:
    delegation = await lend(house, FINN, NORA)
    review = await waiting(house, FINANCES)
    case = await house.decided(review, NORA)

    assert case.status is Status.CLOSED
    (cast,) = await told(house, case.id, "vote.cast")
    assert (cast["by"], cast["on_behalf_of"], cast["delegation"], cast["role"], cast["humans"]) == (
        "person:nora",
        "person:finn",
        delegation.id,
        "finance",
        ["nora", "finn"],
    )
    deeds = [one for one in await told(house, case.id, "effect.intended") if "people" in one["basis"]]
    assert [who["on_behalf_of"] for who in deeds[0]["basis"]["people"]] == ["person:finn"]


async def test_who_may_do_it_in_their_own_right_does_so(house: House) -> None:
    await lend(house, LEE, MAX)
    case = await house.decided(await waiting(house, LEADS), MAX)
    (cast,) = await told(house, case.id, "vote.cast")
    assert (cast["on_behalf_of"], cast["humans"]) == (None, ["max"])


async def test_nothing_is_lent_beyond_what_the_lender_may(house: House) -> None:
    await lend(house, LEE, NORA, limit=eur(10_000_000))
    with pytest.raises(NotEligible):
        await house.vote(await waiting(house, FINANCES), NORA)
    assert (await house.decided(await waiting(house, LEADS), NORA)).status is Status.CLOSED


async def test_a_delegation_has_a_limit_of_its_own(house: House) -> None:
    await lend(house, FINN, NORA, limit=eur(63_999))
    review = await waiting(house, FINANCES)
    with pytest.raises(NotEligible):
        await house.vote(review, NORA)
    await lend(house, FINN, NORA, limit=eur(64_000))
    assert (await house.decided(review, NORA)).status is Status.CLOSED


async def test_a_delegation_ends(house: House, clock: ManualClock) -> None:
    await lend(house, LEE, NORA, until=timedelta(hours=1))
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=1))
    with pytest.raises(NotEligible):
        await house.vote(review, NORA)


async def test_a_signature_in_time_is_good_after_the_delegation_has_ended(
    house: House, clock: ManualClock
) -> None:
    await lend(house, LEE, NORA, until=timedelta(hours=1))
    review = await waiting(house, LEADS)
    await house.vote(review, NORA)
    clock.advance(timedelta(hours=2))
    await house.work()
    assert (await house.case(review.case_id)).status is Status.CLOSED


async def test_a_right_that_is_taken_back_before_the_deed_releases_nothing(house: House) -> None:
    delegation = await lend(house, LEE, NORA)
    review = await waiting(house, LEADS)
    await house.vote(review, NORA)
    await Lending(house.parts).revoke(delegation.id, LEE)
    await house.work()

    assert await house.effects(review.case_id) == []
    assert await house.refunds(CAST[LEADS].order_id) == []
    again = await house.review(review.case_id)
    assert again.id != review.id
    assert ("changed", "delegation_is_over") in [
        (one["end"], one["reason"]) for one in await told(house, review.case_id, "action.executed")
    ]
    with pytest.raises(NotEligible):
        await house.vote(again, NORA)
    assert (await house.decided(again, LEE)).status is Status.CLOSED


async def test_what_the_lender_has_lost_the_delegate_has_lost(house: House, settings: Settings) -> None:
    await lend(house, LEE, NORA)
    review = await waiting(house, LEADS)
    now_working(settings, *without(LEE), person("lee", "team_lead"))
    with pytest.raises(NotEligible):
        await house.vote(review, NORA)
    now_working(settings, *without(LEE))
    with pytest.raises(NotEligible):
        await house.vote(review, NORA)


async def test_a_lender_who_is_gone_before_the_deed_releases_nothing(
    house: House, settings: Settings
) -> None:
    await lend(house, LEE, NORA)
    review = await waiting(house, LEADS)
    await house.vote(review, NORA)
    now_working(settings, *without(LEE))
    await house.work()

    assert await house.effects(review.case_id) == []
    assert (await house.review(review.case_id)).id != review.id


async def test_what_is_lent_cannot_be_lent_on(house: House) -> None:
    await lend(house, FINN, LEE)
    await lend(house, LEE, NORA)
    with pytest.raises(NotEligible):
        await house.vote(await waiting(house, FINANCES), NORA)


async def test_two_rights_in_one_hand_are_one_pair_of_eyes(house: House) -> None:
    await ask_instead(house, "{review: two, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}")
    for lender in (LEE, MAX):
        await lend(house, lender, NORA)
    review = await waiting(house, LEADS)
    assert (await house.vote(review, NORA)).status is ReviewStatus.OPEN
    with pytest.raises((NotEligible, AlreadyVoted)):
        await house.vote(review, NORA)
    assert await house.effects(review.case_id) == []


async def test_lender_and_delegate_are_not_two_who_sign(house: House) -> None:
    await ask_instead(house, "{review: two, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}")
    await lend(house, LEE, NORA)
    first, second = await waiting(house, LEADS), await waiting(house, "clean_120_00_2")
    await house.vote(first, LEE)
    with pytest.raises(NotEligible):
        await house.vote(first, NORA)
    await house.vote(second, NORA)
    with pytest.raises(NotEligible, match="signed already"):
        await house.vote(second, LEE)
    for review in (first, second):
        assert (await house.decided(review, MAX)).status is Status.CLOSED


async def test_no_delegation_helps_whoever_asked_nor_through_whoever_asked(house: House) -> None:
    await lend(house, LEE, NORA)
    await lend(house, FINN, MAX)
    review = await waiting(house, LEADS)
    await house.rows("UPDATE cases SET opened_by = 'person:lee' WHERE id = %s", review.case_id)
    with pytest.raises(NotEligible):
        await house.vote(review, NORA)
    other = await waiting(house, FINANCES)
    await house.rows("UPDATE cases SET opened_by = 'person:max' WHERE id = %s", other.case_id)
    with pytest.raises(NotEligible, match="asked for it"):
        await house.vote(other, MAX)


async def test_a_delegate_rejects_too(house: House) -> None:
    await lend(house, LEE, NORA)
    case = await house.decided(await waiting(house, LEADS), NORA, VoteKind.REJECT)
    assert case.status is Status.REJECTED


async def test_what_a_delegate_signs_counts_against_the_day_of_the_lender(house: House) -> None:
    await lend(house, LEE, NORA)
    review, other = await waiting(house, LEADS), await waiting(house, "clean_120_00_2")
    await house.vote(review, NORA)
    await house.rows("UPDATE reviews SET amount_minor = 488001 WHERE id = %s", review.id)
    for who in (LEE, NORA):
        with pytest.raises(NotEligible, match=r"what is left of 5000\.00 EUR a day"):
            await house.vote(other, who)
    await house.rows("UPDATE reviews SET amount_minor = 488000 WHERE id = %s", review.id)
    assert (await house.vote(other, LEE)).status is ReviewStatus.APPROVED


async def test_a_delegation_holds_in_the_workflow_it_names(house: House) -> None:
    with pytest.raises(DelegationUnfit, match="no workflow"):
        await lend(house, LEE, NORA, workflow="triage_of_nothing")
    await lend(house, LEE, NORA, workflow=None)
    assert (await house.decided(await waiting(house, LEADS), NORA)).status is Status.CLOSED


# --- lending itself ---------------------------------------------------------------------------------------


async def test_only_people_with_a_role_have_anything_to_lend(house: House) -> None:
    for who in (NORA, SHOP):
        with pytest.raises(NotEligible, match="anything to lend"):
            await lend(house, who, MAX)


async def test_nobody_lends_to_themselves_or_to_nobody(house: House, settings: Settings) -> None:
    second_account = person("lee2", human="lee")
    now_working(settings, *EVERYBODY, second_account)
    for to in (LEE, second_account, SHOP, person("ghost")):
        with pytest.raises(DelegationUnfit, match="nobody else"):
            await lend(house, LEE, to)


async def test_who_turns_out_to_be_the_lender_has_borrowed_nothing(house: House, settings: Settings) -> None:
    await lend(house, LEE, NORA)
    second_account = person("nora", human="lee")
    now_working(settings, *without(NORA), second_account)

    with pytest.raises(NotEligible):
        await house.vote(await waiting(house, LEADS), second_account)


@pytest.mark.parametrize("until", [timedelta(), -A_WEEK, LONGEST + timedelta(seconds=1)])
async def test_a_delegation_ends_after_it_begins_and_not_too_late(house: House, until: timedelta) -> None:
    with pytest.raises(DelegationUnfit):
        await lend(house, LEE, NORA, until=until)


async def test_only_the_lender_takes_a_right_back_and_both_are_on_the_record(house: House) -> None:
    delegation = await lend(house, FINN, NORA)
    for who in (NORA, FAY):
        with pytest.raises(NotEligible, match="only who lent it"):
            await Lending(house.parts).revoke(delegation.id, who)
    await Lending(house.parts).revoke(delegation.id, FINN)
    await Lending(house.parts).revoke(delegation.id, FINN)

    rows = await house.rows(
        "SELECT kind, actor FROM audit_events"
        " WHERE kind IN ('delegation.given', 'delegation.revoked') ORDER BY seq"
    )
    assert [(row["kind"], row["actor"]) for row in rows] == [
        ("delegation.given", "person:finn"),
        ("delegation.revoked", "person:finn"),
    ]
    assert [one.id for one in await Lending(house.parts).of(NORA)] == [delegation.id]

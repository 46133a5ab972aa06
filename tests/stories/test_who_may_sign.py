"""Who may sign: other eyes than those that had a part in it, with the right now and still at the deed."""

import asyncio
from dataclasses import replace

import pytest

from checkpoints.cases import Status
from checkpoints.errors import AlreadyVoted
from checkpoints.reviews import Review, ReviewStatus
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.people import PeopleFile
from graphs.settings import Settings
from nodes.permissions import Permissions, Principal, Role, Verb
from tests.house import FINN, LEE, MAX, House
from tests.stories.reviewing import (
    EVERYBODY,
    FAY,
    KIT,
    MEG,
    NORA,
    ask_instead,
    now_working,
    person,
    told,
    voted,
    waiting,
    without,
)
from tests.stories.test_delegations import lend
from tools.money import Money
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"
TWO_OF_FINANCE = "{review: two, by: [{role: finance, people: 2}], due: 8h, risk: medium}"
LEAD_THEN_FINANCE = "{review: in_turn, by: [[support_lead], [finance]], due: 8h, risk: medium}"
LEAD_AND_FINANCE = "{review: both, by: [support_lead, finance], due: 8h, risk: medium}"


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


def with_limits(house: House, *, limit_minor: int, per_day_minor: int | None = None) -> House:
    """The same house, in which a support lead releases no more than this."""
    workflow = house.parts.workflows["refund"]
    roles = [
        role if role.name != "support_lead" else _limited(role, limit_minor, per_day_minor)
        for role in workflow.permissions.roles.values()
    ]
    changed = replace(workflow, permissions=Permissions(roles))
    return House(replace(house.parts, workflows={**house.parts.workflows, "refund": changed}))


def _limited(role: Role, limit_minor: int, per_day_minor: int | None) -> Role:
    limit = Money(amount_minor=limit_minor, currency="EUR")
    per_day = None if per_day_minor is None else Money(amount_minor=per_day_minor, currency="EUR")
    permissions = [
        replace(one, limit=limit, per_day=per_day) if one.verb is Verb.DECIDE else one
        for one in role.permissions
    ]
    return replace(role, permissions=tuple(permissions))


async def reasons(house: House, case_id: str) -> list[str]:
    """Why the gateway has let nothing go."""
    return [one["reason"] for one in await told(house, case_id, "action.executed") if one["end"] == "changed"]


async def require_asked_again(house: House, review: Review, why: str) -> Review:
    """Nothing has run, the reason is on the record, and another review waits."""
    assert await house.effects(review.case_id) == []
    assert await reasons(house, review.case_id) == [why]
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    again = await house.review(review.case_id)
    assert again.id != review.id
    return again


# --- other eyes -------------------------------------------------------------------------------------------


async def test_whoever_opened_the_case_signs_by_none_of_their_accounts(
    house: House, settings: Settings
) -> None:
    second = person("lee2", "support_lead", human="lee")
    now_working(settings, *EVERYBODY, second)
    review = await waiting(house, LEADS)
    await house.rows("UPDATE cases SET opened_by = 'person:lee' WHERE id = %s", review.case_id)
    for who in (LEE, second):
        with pytest.raises(NotEligible, match="cannot sign it"):
            await house.vote(review, who)
    assert (await house.decided(review, MAX)).status is Status.CLOSED


async def test_who_wrote_the_rule_does_not_sign_what_it_asks_for(house: House, settings: Settings) -> None:
    kit = person("kit", "rule_keeper", "support_lead")
    second = person("kit2", "support_lead", human="kit")
    now_working(settings, *without(KIT), kit, second)
    await ask_instead(house, "{review: new_rule, by: [support_lead], due: 8h, risk: medium}", by=kit)
    review = await waiting(house, LEADS)
    for who in (kit, second):
        with pytest.raises(NotEligible, match="cannot sign it"):
            await house.vote(review, who)
    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_a_proposer_is_no_second_pair_of_eyes(house: House) -> None:
    """Only agents propose today; were it a person, they would not sign."""
    review = await waiting(house, LEADS)
    await house.rows(
        "UPDATE reviews SET action = jsonb_set(action, '{proposer}', '\"person:lee\"') WHERE id = %s",
        review.id,
    )
    with pytest.raises(NotEligible, match="cannot sign it"):
        await house.vote(review, LEE)


async def test_two_of_finance_are_two_humans(house: House, settings: Settings) -> None:
    second = person("finn2", "finance", human="finn")
    now_working(settings, *EVERYBODY, second)
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    assert (await house.vote(review, FINN)).status is ReviewStatus.OPEN
    with pytest.raises(NotEligible, match="signed already"):
        await house.vote(review, second)
    with pytest.raises((NotEligible, AlreadyVoted)):
        await house.vote(review, FINN)
    assert await house.effects(review.case_id) == []

    assert (await house.decided(review, FAY)).status is Status.CLOSED


async def test_two_accounts_that_turn_out_to_be_one_humans_release_nothing(
    house: House, settings: Settings
) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    for who in (FINN, FAY):
        await house.vote(review, who)
    now_working(settings, *without(FAY), replace(FAY, human="finn"))
    await house.work()
    await require_asked_again(house, review, "signed_twice_by_one")


async def test_one_rejection_is_enough(house: House) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    await house.vote(review, FINN)
    assert (await house.decided(review, FAY, VoteKind.REJECT)).status is Status.REJECTED
    assert await house.refunds(CAST[LEADS].order_id) == []


async def test_two_of_finance_at_the_same_moment_are_two(house: House) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    await asyncio.gather(house.vote(review, FINN), house.vote(review, FAY))
    await house.work()
    assert (await house.case(review.case_id)).status is Status.CLOSED


# --- in turn and side by side -----------------------------------------------------------------------------


async def test_stages_are_signed_one_after_the_other(house: House) -> None:
    await ask_instead(house, LEAD_THEN_FINANCE)
    review = await waiting(house, LEADS)
    assert review.roles == ["support_lead"]
    with pytest.raises(NotEligible, match="needs the role support_lead"):
        await house.vote(review, FINN)
    after_one = await house.vote(review, LEE)
    assert (after_one.status, after_one.roles) == (ReviewStatus.OPEN, ["finance"])
    with pytest.raises(NotEligible, match="needs the role finance"):
        await house.vote(review, MAX)

    assert (await house.decided(review, FINN)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LEADS].order_id)) == 1


@pytest.mark.parametrize("order", [(LEE, FINN), (FINN, LEE)], ids=["lead first", "finance first"])
async def test_rungs_side_by_side_are_signed_in_any_order(
    house: House, order: tuple[Principal, Principal]
) -> None:
    await ask_instead(house, LEAD_AND_FINANCE)
    review = await waiting(house, LEADS)
    assert review.roles == ["support_lead", "finance"]
    assert (await house.vote(review, order[0])).status is ReviewStatus.OPEN
    assert (await house.decided(review, order[1])).status is Status.CLOSED


async def test_who_holds_both_roles_fills_one_rung(house: House, settings: Settings) -> None:
    both = person("lee", "support_lead", "finance")
    now_working(settings, *without(LEE), both)
    await ask_instead(house, LEAD_AND_FINANCE)
    review = await waiting(house, LEADS)
    assert (await house.vote(review, both)).status is ReviewStatus.OPEN
    with pytest.raises((NotEligible, AlreadyVoted)):
        await house.vote(review, both)
    assert (await house.decided(review, FINN)).status is Status.CLOSED


# --- still at the deed ------------------------------------------------------------------------------------


async def test_a_role_that_was_taken_away_before_the_deed_releases_nothing(
    house: House, settings: Settings
) -> None:
    review = await waiting(house, LEADS)
    await house.vote(review, LEE)
    now_working(settings, *without(LEE), person("lee", "team_lead"))
    await house.work()
    again = await require_asked_again(house, review, "signer_lost_the_role")
    assert (await house.decided(again, MAX)).status is Status.CLOSED


async def test_a_signer_who_is_gone_before_the_deed_releases_nothing(
    house: House, settings: Settings
) -> None:
    review = await waiting(house, LEADS)
    await house.vote(review, LEE)
    now_working(settings, *without(LEE))
    await house.work()
    again = await require_asked_again(house, review, "signer_is_gone")
    assert (await house.decided(again, MAX)).status is Status.CLOSED


async def test_a_limit_that_was_lowered_before_the_deed_releases_nothing(house: House) -> None:
    review = await waiting(house, LEADS)
    await house.vote(review, LEE)
    lowered = with_limits(house, limit_minor=11999)
    await lowered.work()
    again = await require_asked_again(lowered, review, "above_the_signers_limit")
    with pytest.raises(NotEligible, match=r"exceeds the limit of 119\.99 EUR"):
        await lowered.vote(again, MAX)


async def test_a_people_file_that_cannot_be_read_releases_nothing(house: House, settings: Settings) -> None:
    review = await waiting(house, LEADS)
    await house.vote(review, LEE)
    settings.people_file.write_text("people: [")
    await house.work()
    await require_asked_again(house, review, "people_unknown")
    now_working(settings, *EVERYBODY)


async def test_an_empty_people_file_releases_nothing(house: House, settings: Settings) -> None:
    review = await waiting(house, LEADS)
    await house.vote(review, LEE)
    settings.people_file.write_text(PeopleFile().model_dump_json())
    await house.work()
    await require_asked_again(house, review, "signer_is_gone")


async def test_one_signature_of_two_that_falls_lets_both_fall(house: House, settings: Settings) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    for who in (FINN, FAY):
        await house.vote(review, who)
    now_working(settings, *without(FAY))
    await house.work()
    again = await require_asked_again(house, review, "signer_is_gone")
    assert (await house.vote(again, FINN)).status is ReviewStatus.OPEN


# --- the sum of a day -------------------------------------------------------------------------------------


async def test_nobody_signs_for_more_than_their_day(house: House) -> None:
    house = with_limits(house, limit_minor=50000, per_day_minor=20000)
    first, second = await waiting(house, LEADS), await waiting(house, "clean_120_00_2")
    await house.vote(first, LEE)
    with pytest.raises(NotEligible, match=r"what is left of 200\.00 EUR a day"):
        await house.vote(second, LEE)
    assert (await house.vote(second, MAX)).status is ReviewStatus.APPROVED


async def test_votes_at_the_same_moment_stay_within_the_day(house: House) -> None:
    house = with_limits(house, limit_minor=50000, per_day_minor=30000)
    reviews = [await waiting(house, f"clean_120_00_{number}") for number in range(1, 5)]
    ends = await asyncio.gather(*(house.vote(review, LEE) for review in reviews), return_exceptions=True)
    await house.work()

    assert sum(isinstance(end, NotEligible) for end in ends) == 2
    paid = [len(await house.refunds(CAST[f"clean_120_00_{number}"].order_id)) for number in range(1, 5)]
    assert sum(paid) == 2


async def test_two_accounts_of_one_human_share_the_day(house: House, settings: Settings) -> None:
    second = person("lee2", "support_lead", human="lee")
    now_working(settings, *EVERYBODY, second)
    house = with_limits(house, limit_minor=50000, per_day_minor=20000)
    reviews = [await waiting(house, LEADS), await waiting(house, "clean_120_00_2")]
    ends = await asyncio.gather(
        house.vote(reviews[0], LEE), house.vote(reviews[1], second), return_exceptions=True
    )
    assert sum(isinstance(end, NotEligible) for end in ends) == 1


async def test_lender_and_delegate_at_the_same_moment_share_the_day(house: House) -> None:
    house = with_limits(house, limit_minor=50000, per_day_minor=20000)
    await lend(house, LEE, NORA)
    await lend(house, LEE, KIT)
    reviews = [await waiting(house, f"clean_120_00_{number}") for number in range(1, 4)]
    ends = await asyncio.gather(
        *(house.vote(review, who) for review, who in zip(reviews, (LEE, NORA, KIT), strict=True)),
        return_exceptions=True,
    )
    assert sum(isinstance(end, NotEligible) for end in ends) == 2


async def test_a_day_that_was_made_smaller_before_the_deed_releases_nothing(house: House) -> None:
    first, second = await waiting(house, LEADS), await waiting(house, "clean_120_00_2")
    await house.decided(first, LEE)
    await house.vote(second, LEE)
    smaller = with_limits(house, limit_minor=50000, per_day_minor=20000)
    await smaller.work()
    await require_asked_again(smaller, second, "above_the_signers_limit")


async def test_what_was_rejected_or_fell_does_not_count_for_the_day(house: House) -> None:
    house = with_limits(house, limit_minor=50000, per_day_minor=20000)
    await house.decided(await waiting(house, LEADS), LEE, VoteKind.REJECT)
    assert (await house.decided(await waiting(house, "clean_120_00_2"), LEE)).status is Status.CLOSED


async def test_a_right_of_another_kind_is_no_signature(house: House) -> None:
    review = await waiting(house, FINANCES)
    for who in (LEE, MEG, NORA, KIT):
        with pytest.raises(NotEligible, match="needs the role finance"):
            await voted(house, review, who, VoteKind.APPROVE)

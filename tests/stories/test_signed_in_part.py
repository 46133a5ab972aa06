"""Signed in part: a review that some have signed waits for the others, and for nobody else."""

from datetime import timedelta

import pytest

from checkpoints.cases import Status
from checkpoints.reviews import ReviewStatus
from graphs.acts import Acts
from graphs.closing import NotEligible
from graphs.settings import Settings
from tests.house import FINN, LEE, House, ManualClock
from tests.stories.reviewing import EVERYBODY, FAY, ask_instead, now_working, person, told, waiting

LEADS = "clean_120_00_1"
TWO_OF_FINANCE = "{review: two, by: [{role: finance, people: 2}], due: 8h, risk: medium}"
LEAD_THEN_FINANCE = "{review: in_turn, by: [[support_lead], [finance]], due: 8h, risk: medium}"


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


@pytest.fixture
def acts(house: House) -> Acts:
    return Acts(house.parts)


async def test_whoever_has_signed_lets_go_of_it(house: House, acts: Acts) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    await acts.claim(review.id, FINN)
    signed = await house.vote(review, FINN)
    assert (signed.status, signed.claimed_by, signed.claimed_until) == (ReviewStatus.OPEN, None, None)
    assert (await house.decided(review, FAY)).status is Status.CLOSED


async def test_whoever_has_signed_cannot_take_it_out_of_the_hands_of_the_others(
    house: House, acts: Acts
) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    await house.vote(review, FINN)
    with pytest.raises(NotEligible, match="signed already"):
        await acts.claim(review.id, FINN)
    assert (await house.decided(review, FAY)).status is Status.CLOSED


async def test_whoever_has_signed_signs_by_no_other_account(house: House, settings: Settings) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    await house.vote(review, FINN)
    second = person("finn_two", "finance", human="finn")
    now_working(settings, *EVERYBODY, second)
    with pytest.raises(NotEligible, match="signed already"):
        await house.vote(review, second)
    assert (await house.decided(review, FAY)).status is Status.CLOSED


async def test_the_case_says_whom_the_next_stage_asks(house: House) -> None:
    await ask_instead(house, LEAD_THEN_FINANCE)
    review = await waiting(house, LEADS)
    assert (await house.case(review.case_id)).owner == "support_lead"
    await house.vote(review, LEE)
    case = await house.case(review.case_id)
    assert (case.status, case.owner) == (Status.WAITING_REVIEW, "finance")


async def test_the_next_stage_has_its_full_time_and_is_told(house: House, clock: ManualClock) -> None:
    await ask_instead(house, LEAD_THEN_FINANCE)
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=7, minutes=55))
    passed_on = await house.vote(review, LEE)

    assert passed_on.due_at == clock() + timedelta(hours=8)
    assert passed_on.remind_at == clock() + timedelta(hours=4)
    (event,) = await told(house, review.case_id, "review.passed_on")
    assert (event["by"], event["roles"]) == ("person:lee", ["finance"])


async def test_who_signs_beside_others_gives_nobody_more_time(house: House, clock: ManualClock) -> None:
    await ask_instead(house, TWO_OF_FINANCE)
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=3))
    signed = await house.vote(review, FINN)
    assert signed.due_at == review.due_at
    assert await told(house, review.case_id, "review.passed_on") == []

"""One human with several accounts is one pair of eyes, also when an account is gone."""

import pytest

from checkpoints.cases import Status
from graphs.closing import NotEligible
from graphs.intake import Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from tests.house import LEE, MAX, House, refund_event
from tests.stories.reviewing import EVERYBODY, ask_instead, now_working, person, waiting

SCENE = "clean_120_00_1"


@pytest.mark.parametrize("there", [True, False], ids=["both accounts", "the first is gone"])
async def test_whoever_asked_by_one_account_signs_by_no_other(
    house: House,
    settings: Settings,
    there: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    case, _ = await Intake(house.parts).receive(refund_event(SCENE), LEE)
    await house.work()
    accounts = {"lee_two": "lee", "max": "max"} | ({"lee": "lee"} if there else {})
    people = [
        Person(id=name, name=name, roles=["support_lead"], human=human) for name, human in accounts.items()
    ]
    write_people(settings.people_file, PeopleFile(people=people))
    second, other = (house.parts.people.person(f"person:{name}") for name in ("lee_two", "max"))
    assert second is not None
    assert other is not None
    review = await house.review(case.id)

    with pytest.raises(NotEligible, match="whoever asked for it"):
        await house.vote(review, second)
    await house.decided(review, other)
    assert len(await house.effects(case.id)) == len(["payments.refund", "tickets.reply"])


async def test_two_signatures_that_turn_out_to_be_one_humans_release_nothing(
    house: House, settings: Settings
) -> None:
    now_working(settings, *EVERYBODY)
    await ask_instead(house, "{review: two, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}")
    review = await waiting(house, SCENE)
    await house.vote(review, LEE)
    await house.vote(review, MAX)
    others = [who for who in EVERYBODY if who.id != MAX.id]
    now_working(settings, *others, person("max", "support_lead", human="lee"))  # before the deed
    await house.work()

    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    assert await house.effects(review.case_id) == []


async def test_who_turns_out_to_have_asked_for_it_has_signed_nothing(
    house: House, settings: Settings
) -> None:
    now_working(settings, *EVERYBODY)
    case, _ = await Intake(house.parts).receive(refund_event(SCENE), MAX)
    await house.work()
    await house.vote(await house.review(case.id), LEE)
    others = [who for who in EVERYBODY if who.id != MAX.id]
    now_working(settings, *others, person("max", "support_lead", human="lee"))  # before the deed
    await house.work()

    assert (await house.case(case.id)).status is Status.WAITING_REVIEW
    assert await house.effects(case.id) == []


async def test_a_ladder_that_was_shortened_in_the_database_is_held_against_the_rules(
    house: House, settings: Settings
) -> None:
    now_working(settings, *EVERYBODY)
    await ask_instead(house, "{review: two, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}")
    review = await waiting(house, SCENE)
    await house.rows(
        "UPDATE reviews SET ladder = jsonb_set(ladder, '{0,people}', '1') WHERE id = %s", review.id
    )
    await house.vote(review, LEE)
    await house.work()

    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    assert await house.effects(review.case_id) == []

"""One human with several accounts is one pair of eyes, also when an account is gone."""

import pytest

from graphs.closing import NotEligible
from graphs.intake import Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from tests.house import LEE, House, refund_event

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

"""Of all who decide a review at the same moment exactly one does, and the others are told who it was."""

import asyncio
import os
from random import Random

import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from nodes.permissions import Kind, Principal
from tests.house import House
from tools.sandbox.cast import CAST

ROUNDS = int(os.environ.get("COUNTERSIGN_VOTE_ROUNDS", "50"))
"""How often they try; half of them in each of two tests, which can run side by side."""
CLIENTS = 20
LEADS = [
    Principal(id=name, kind=Kind.PERSON, name=name, roles=frozenset({"support_lead"}), human=name)
    for name in (f"lead-{n:02}" for n in range(CLIENTS))
]
SCENES = ("clean_640_00_1", "clean_640_00_2", "clean_640_00_3", "clean_640_00_4", "clean_500_00")
FIFTY = 5000
"""Minor units. Ten times fifty in a day a lead may sign for each customer."""


@pytest.mark.parametrize("half", [0, 1])
async def test_of_twenty_who_decide_at_once_one_does_every_time(
    house: House, settings: Settings, half: int
) -> None:
    people = [Person(id=who.id, name=who.name, roles=sorted(who.roles)) for who in LEADS]
    write_people(settings.people_file, PeopleFile(people=people))
    approved = 0
    for number in range(half, ROUNDS, 2):
        review = await _opened(house, number)
        kinds = [VoteKind.APPROVE, VoteKind.REJECT] * (CLIENTS // 2)
        Random(number).shuffle(kinds)  # noqa: S311 - a different order every round, and every time the same
        votes = (house.vote(review, who, kind) for who, kind in zip(LEADS, kinds, strict=True))
        ends = await asyncio.gather(*votes, return_exceptions=True)
        approved += await _one_decided(house, review, ends, kinds)
    paid = [refund for name in SCENES for refund in await house.refunds(CAST[name].order_id)]
    assert [refund["amount_minor"] for refund in paid] == [FIFTY] * approved


async def _opened(house: House, number: int) -> Review:
    case = await house.after(
        SCENES[number % len(SCENES)], event_id=f"round-{number}", amount_minor=FIFTY, currency="EUR"
    )
    return await house.review(case.id)


async def _one_decided(
    house: House, review: Review, ends: list[Review | BaseException], kinds: list[VoteKind]
) -> bool:
    """Exactly one decision stands, everybody else was told whose; returns whether it was an approval."""
    (decided,) = [at for at, end in enumerate(ends) if isinstance(end, Review)]
    approved = kinds[decided] is VoteKind.APPROVE
    told = f"already {'approved' if approved else 'rejected'} by {LEADS[decided].actor}"
    refusals = [end for end in ends if isinstance(end, BaseException)]
    assert [(type(end), str(end)) for end in refusals] == [(ReviewAlreadyDecided, told)] * (CLIENTS - 1)

    await house.work()

    case = await house.case(review.case_id)
    assert case.status is (Status.CLOSED if approved else Status.REJECTED)
    effects = [effect for effect in await house.effects(case.id) if effect.tool == "payments.refund"]
    assert [effect.arguments for effect in effects] == [review.action["arguments"]] * approved
    kinds_told = await house.kinds(case.id)
    assert (kinds_told.count("vote.cast"), kinds_told.count("vote.denied")) == (1, CLIENTS - 1)
    return approved

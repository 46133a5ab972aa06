"""Against the recommendation by an override; in an emergency alone, with others looking at it afterwards."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided
from checkpoints.reviews import Review, ReviewKind, ReviewStatus
from checkpoints.votes import VoteKind
from graphs.acts import Acts
from graphs.closing import NotEligible
from graphs.deadlines import Deadlines
from graphs.decisions import NothingToOverride, OverrideReason, OverrideRequired
from graphs.edits import EditRefused
from graphs.roles import load_roles, read_text
from graphs.settings import Settings
from nodes.agent import AgentRole, Brain, LookUp, Thought
from nodes.shapes import Json
from tests.house import FINN, LEE, MAX, House, ManualClock
from tests.stories.reviewing import (
    DREW,
    EVERYBODY,
    as_service,
    denials,
    edit,
    now_working,
    person,
    standing,
    told,
    voted,
    waiting,
    without,
)
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


# --- against the recommendation ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Declining:
    """A brain whose policy agent advises against every refund."""

    brain: Brain

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        thought = await self.brain.think(role, view, look_ups)
        if role.name != "policy":
            return thought
        return replace(thought, output=thought.output.model_copy(update={"recommendation": "decline"}))


@pytest.fixture
def against(house: House) -> House:
    """The house with an agent that advises against it."""
    return House(replace(house.parts, brain=Declining(house.parts.brain)))


async def test_to_approve_against_the_recommendation_takes_an_override(against: House) -> None:
    review = await waiting(against, LEADS)
    assert (review.rule, review.against, review.roles) == ("RF-75", "recommendation", ["support_lead"])
    before = await standing(against, review.case_id)
    with pytest.raises(OverrideRequired, match="goes against the recommendation"):
        await against.vote(review, LEE)

    assert await standing(against, review.case_id) == before
    assert await denials(against, review.case_id) == [("person:lee", "OverrideRequired")]


async def test_an_override_with_its_reason_lets_it_go_and_is_recorded_as_one(against: House) -> None:
    review = await waiting(against, LEADS)
    await voted(against, review, LEE, VoteKind.OVERRIDE, OverrideReason.GOODWILL)
    await against.work()

    assert (await against.case(review.case_id)).status is Status.CLOSED
    assert len(await against.refunds(CAST[LEADS].order_id)) == 1
    (event,) = await told(against, review.case_id, "vote.override")
    assert (event["by"], event["reason_code"], event["comment"]) == (
        "person:lee",
        "goodwill",
        "There is a reason.",
    )
    assert "vote.cast" not in await against.kinds(review.case_id)


async def test_to_follow_the_recommendation_is_an_ordinary_rejection(against: House) -> None:
    review = await waiting(against, LEADS)
    case = await against.decided(review, LEE, VoteKind.REJECT)
    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")


async def test_above_500_only_finance_overrides(against: House) -> None:
    review = await waiting(against, FINANCES)
    assert (review.rule, review.roles, review.risk) == ("RF-77", ["finance"], "high")
    with pytest.raises(NotEligible):
        await voted(against, review, LEE, VoteKind.OVERRIDE, OverrideReason.GOODWILL)
    await voted(against, review, FINN, VoteKind.OVERRIDE, OverrideReason.GOODWILL)
    await against.work()
    assert (await against.case(review.case_id)).status is Status.CLOSED


async def test_an_approval_forged_in_the_place_of_an_override_lets_nothing_go(against: House) -> None:
    review = await waiting(against, LEADS)
    await voted(against, review, LEE, VoteKind.OVERRIDE, OverrideReason.GOODWILL)
    await against.rows("ALTER TABLE votes DISABLE TRIGGER ALL")
    await against.rows("UPDATE votes SET kind = 'approve'")
    await against.work()

    assert await against.effects(review.case_id) == []
    assert (await against.review(review.case_id)).id != review.id


async def test_there_is_no_override_where_nothing_speaks_against_it(house: House) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    with pytest.raises(NothingToOverride):
        await voted(house, review, LEE, VoteKind.OVERRIDE, OverrideReason.GOODWILL)

    assert await standing(house, review.case_id) == before
    assert await denials(house, review.case_id) == [("person:lee", "NothingToOverride")]


# --- broken glass -----------------------------------------------------------------------------------------


async def broken(house: House, scene: str = FINANCES) -> tuple[Review, Review]:
    """A review through which the duty manager broke, and the one that looks at it afterwards."""
    review = await waiting(house, scene)
    await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    await house.work()
    return review, await house.review(review.case_id)


async def test_broken_glass_lets_a_deed_go_at_once_and_is_told_as_such(house: House) -> None:
    review, afterwards = await broken(house)

    assert (await house.case(review.case_id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[FINANCES].order_id)) == 1
    (alert,) = await told(house, review.case_id, "review.broken_glass")
    assert (alert["by"], alert["role"], alert["reason_code"], alert["afterwards"]) == (
        "person:drew",
        "duty_manager",
        "emergency",
        afterwards.id,
    )


async def test_an_emergency_waits_neither_for_who_has_it_in_hand_nor_for_an_answer(house: House) -> None:
    claimed, parked = await waiting(house, FINANCES), await waiting(house, LEADS)
    await Acts(house.parts).claim(claimed.id, FINN)
    await Acts(house.parts).ask_back(parked.id, parked.digest, "Which photo?", LEE)

    for review in (claimed, parked):
        await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    await house.work()

    for review in (claimed, parked):
        assert (await house.case(review.case_id)).status is Status.CLOSED


async def test_others_look_at_broken_glass_afterwards(house: House) -> None:
    review, afterwards = await broken(house)

    assert (afterwards.kind, afterwards.roles) == (ReviewKind.AFTERWARDS, ["finance"])
    assert (afterwards.action, afterwards.digest) == (review.action, review.digest)
    assert afterwards.expires_at is None
    shown = await house.opened(review.case_id, afterwards.shown)
    assert shown["broken_glass"]["comment"] == "There is a reason."


async def test_who_broke_the_glass_does_not_decide_afterwards(house: House, settings: Settings) -> None:
    other = person("drew-of-finance", "finance", human="drew")
    now_working(settings, *EVERYBODY, other)
    _, afterwards = await broken(house)
    for who in (DREW, person("drew", "duty_manager", "finance"), other):
        with pytest.raises(NotEligible):
            await house.vote(afterwards, who)
    with pytest.raises(NotEligible):
        await voted(house, afterwards, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    assert (await house.review(afterwards.case_id)).id == afterwards.id


@pytest.mark.parametrize("kind", [VoteKind.APPROVE, VoteKind.REJECT])
async def test_a_decision_afterwards_wakes_nothing(house: House, kind: VoteKind) -> None:
    _, afterwards = await broken(house)
    before = await house.rows("SELECT id FROM commands")
    decided = await house.vote(afterwards, FINN, kind)
    await house.work()

    assert decided.status is (ReviewStatus.APPROVED if kind is VoteKind.APPROVE else ReviewStatus.REJECTED)
    assert await house.rows("SELECT id FROM commands") == before
    assert (await house.case(afterwards.case_id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[FINANCES].order_id)) == 1
    assert await house.rows("SELECT id FROM grants WHERE review_id = %s", afterwards.id) == []


async def test_a_look_afterwards_never_goes_away_by_itself(house: House, clock: ManualClock) -> None:
    _, afterwards = await broken(house)
    for _week in range(3):
        clock.advance(timedelta(days=7))
        await Deadlines(house.parts).run()

    still = await house.review(afterwards.case_id)
    assert (still.id, still.status) == (afterwards.id, ReviewStatus.OPEN)
    assert any(one.get("overdue") for one in await told(house, afterwards.case_id, "review.reminded"))
    assert (await house.vote(still, FINN)).status is ReviewStatus.APPROVED


async def test_what_is_done_cannot_be_edited_afterwards(house: House) -> None:
    _, afterwards = await broken(house)
    with pytest.raises(EditRefused, match="done"):
        await edit(house, afterwards, FINN, amount_minor=60000)


async def test_the_glass_is_broken_only_by_who_has_the_role(house: House) -> None:
    review = await waiting(house, FINANCES)
    before = await standing(house, review.case_id)
    for who in (LEE, FINN, as_service(DREW)):
        with pytest.raises(NotEligible):
            await voted(house, review, who, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)

    assert await standing(house, review.case_id) == before
    assert len(await denials(house, review.case_id)) == 3


async def test_the_duty_manager_signs_nothing_in_the_ordinary_way(house: House) -> None:
    review = await waiting(house, LEADS)
    for kind in (VoteKind.APPROVE, VoteKind.REJECT):
        with pytest.raises(NotEligible, match="needs the role support_lead"):
            await house.vote(review, DREW, kind)


async def test_the_glass_is_not_broken_above_its_limit(house: House) -> None:
    review = await waiting(house, FINANCES)
    await house.rows("UPDATE reviews SET amount_minor = 200001 WHERE id = %s", review.id)
    with pytest.raises(NotEligible, match=r"exceeds the limit of 2000\.00 EUR"):
        await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    assert await house.effects(review.case_id) == []


async def test_the_glass_is_not_broken_beyond_the_day_of_its_role(house: House) -> None:
    text = read_text("graphs.refund", "roles.yaml")
    a_day = text.replace("limit: 2000.00 EUR\n", "limit: 2000.00 EUR\n    per_day: 1000.00 EUR\n")
    assert a_day != text
    refund = house.parts.workflows["refund"]
    refund = replace(refund, permissions=load_roles("graphs.refund", a_day).permissions())
    house = House(replace(house.parts, workflows={"refund": refund}))
    await broken(house)

    second = await waiting(house, "clean_640_00_2")
    with pytest.raises(NotEligible, match=r"exceeds what is left of 1000\.00 EUR a day"):
        await voted(house, second, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    assert await house.effects(second.case_id) == []


async def test_whoever_asked_does_not_break_the_glass(house: House) -> None:
    review = await waiting(house, FINANCES)
    await house.rows("UPDATE cases SET opened_by = 'person:drew' WHERE id = %s", review.case_id)
    with pytest.raises(NotEligible, match="asked for it"):
        await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)


async def test_whoever_edited_does_not_break_the_glass(house: House, settings: Settings) -> None:
    both = person("drew", "duty_manager", "support_lead")
    now_working(settings, *without(DREW), both)
    await edit(house, await waiting(house, LEADS), both, amount_minor=8000)
    await house.work()
    (review,) = await house.open_reviews()
    with pytest.raises(NotEligible):
        await voted(house, review, both, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)


async def test_who_is_no_duty_manager_any_more_has_broken_nothing(house: House, settings: Settings) -> None:
    review = await waiting(house, FINANCES)
    await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    now_working(settings, *without(DREW), person("drew", "finance"))
    await house.work()

    assert await house.effects(review.case_id) == []
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW


async def test_the_glass_is_broken_once(house: House) -> None:
    review, _ = await broken(house)
    with pytest.raises(ReviewAlreadyDecided):
        await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    with pytest.raises(ReviewAlreadyDecided):
        await house.vote(review, MAX)

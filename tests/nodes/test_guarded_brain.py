"""A model that is away: no case waits for it in vain, and none is answered by another brain."""

from dataclasses import replace

from checkpoints.cases import Status
from nodes.agent import AgentRole, AgentUncertain, LookUp, Thought
from nodes.guarded_brain import MODEL, GuardedBrain
from nodes.shapes import Json
from tests.house import House, ManualClock
from tools.breakers import MOST_FAILURES, REST, Breakers


class Away:
    """A brain that fails like this, and counts."""

    def __init__(self, reason: str) -> None:
        self.reason, self.asked = reason, 0

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        self.asked += 1
        raise AgentUncertain(self.reason, "no")


async def test_a_model_that_is_away_is_asked_so_often_and_then_left_alone(
    house: House, clock: ManualClock
) -> None:
    away, breakers = Away("model_timeout"), Breakers(clock)
    advised = House(replace(house.parts, brain=GuardedBrain(away, breakers)))

    cases = [await advised.after(f"clean_29_90_{turn}") for turn in range(1, MOST_FAILURES + 3)]

    assert away.asked == MOST_FAILURES
    assert {case.status for case in cases} == {Status.UNCERTAIN}
    reasons = [case.reason for case in cases]
    assert reasons == ["model_timeout"] * MOST_FAILURES + ["model_rests"] * 2


async def test_a_model_that_works_again_is_asked_again(house: House, clock: ManualClock) -> None:
    breakers = Breakers(clock)
    for _ in range(MOST_FAILURES):
        await breakers.failed(MODEL)
    guarded = House(replace(house.parts, brain=GuardedBrain(house.parts.brain, breakers)))
    clock.advance(REST)

    case = await guarded.after("clean_29_90_1")

    assert case.status is Status.CLOSED
    assert not breakers.rests(MODEL)


async def test_a_model_that_answers_badly_is_there(house: House, clock: ManualClock) -> None:
    babbling, breakers = Away("model_answer_unfit"), Breakers(clock)
    advised = House(replace(house.parts, brain=GuardedBrain(babbling, breakers)))

    for turn in range(1, MOST_FAILURES + 3):
        await advised.after(f"clean_29_90_{turn}")

    assert babbling.asked == MOST_FAILURES + 2

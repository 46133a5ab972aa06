"""Cases that have been through everything, for whoever looks at them afterwards."""

from dataclasses import dataclass, replace
from datetime import timedelta

from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.decisions import Ballot, Decisions
from graphs.dossier.dossiers import Dossiers
from graphs.dossier.shapes import Dossier
from graphs.electorate import Electorate
from graphs.outcomes import Observed, Outcomes
from graphs.personal import PersonalData
from nodes.agent import AgentRole, Brain, LookUp, Thought
from nodes.permissions import Principal
from nodes.shapes import Json
from tests.house import FINN, LEE, MAX, SHOP, House, ManualClock
from tests.stories.reviewing import person

PIA = person("pia", "privacy_officer")
LEADS = "clean_120_00_1"
WORDS = "They have waited long enough."


@dataclass(frozen=True, slots=True)
class Talking:
    """A brain whose agents say these words wherever they may say any."""

    brain: Brain
    words: str

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        thought = await self.brain.think(role, view, look_ups)
        texts = {name for name in ("summary", "reason") if name in type(thought.output).model_fields}
        said = thought.output.model_copy(update=dict.fromkeys(texts, self.words))
        return replace(thought, output=said)


def talking(house: House, words: str) -> House:
    """The house with agents that say these words."""
    return House(replace(house.parts, brain=Talking(house.parts.brain, words)))


async def look(house: House, review: Review, who: Principal) -> None:
    """Open a review as somebody does before they sign."""
    async with house.parts.database.transaction() as tx:
        found = await Electorate(house.parts).eligibility(tx, review, who)
        await PersonalData(house.parts).shown(tx, review, {}, who, eligibility=found)


async def eventful(house: House, clock: ManualClock, words: str = WORDS) -> str:
    """A refund that was looked at, refused to one, signed by another, and charged back later."""
    review = await house.review((await house.after(LEADS)).id)
    await look(house, review, MAX)
    await look(house, review, LEE)
    clock.advance(timedelta(seconds=75))
    ballot = Ballot(kind=VoteKind.APPROVE, digest=review.digest, comment=words)
    await Decisions(house.parts).vote(review.id, ballot, LEE)
    await house.work()
    clock.advance(timedelta(days=3))
    (effect, *_) = await house.effects(review.case_id)
    seen = Observed(code="chargeback", observed_at=clock.now, effect=effect.key, note=words, id="cb-1")
    await Outcomes(house.parts).observe(review.case_id, seen, SHOP)
    return review.case_id


async def sealed_dossier(house: House, case_id: str) -> Dossier:
    return await Dossiers(house.parts).of(case_id, FINN)


async def clear_dossier(house: House, case_id: str) -> Dossier:
    return await Dossiers(house.parts).unmasked(case_id, "The bank asks.", PIA)

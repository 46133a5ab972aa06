"""What of a run of chaos a seed decides: who wants how much back, and how people answer."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

SMALL, LARGE, HUGE = 990, 6000, 50001
"""Minor units: what nobody is asked about, what one lead signs, and what two people of finance sign."""
BURSTS = (1, 1, 3, 10, 30, 60)
"""How many events come at once."""


class Manner(StrEnum):
    """How people answer a review."""

    PLAINLY = "plainly"
    REJECTING = "rejecting"
    TWICE = "twice"
    OPPOSED = "opposed"
    CROWDED = "crowded"


MANNERS = {
    Manner.PLAINLY: 50,
    Manner.REJECTING: 12,
    Manner.TWICE: 12,
    Manner.OPPOSED: 14,
    Manner.CROWDED: 12,
}
"""Of a hundred reviews."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run that is drawn before it begins."""

    seed: int
    amounts: list[int]
    bursts: list[int]

    def chance(self, *about: object) -> Random:
        """Chance for one question: the same seed and question, the same answers."""
        return Random("/".join(map(str, (self.seed, *about))))  # noqa: S311 - no secret

    def manner(self, number: int, asked: int) -> Manner:
        """How people answer what they are asked about an order for the n-th time; plainly after a while."""
        if asked > 1:
            return Manner.PLAINLY
        return self.chance("manner", number, asked).choices(list(MANNERS), list(MANNERS.values()))[0]


def drawn(seed: int, cases: int) -> Plan:
    """The plan of a seed: half of the cases ask nobody, a third one person, the others two."""
    chance = Random(seed)  # noqa: S311 - no secret
    amounts = chance.choices((SMALL, LARGE, HUGE), (50, 34, 16), k=cases)
    bursts: list[int] = []
    while sum(bursts) < cases:
        bursts.append(min(chance.choice(BURSTS), cases - sum(bursts)))
    return Plan(seed, amounts, bursts)

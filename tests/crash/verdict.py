"""What a killed case came to, beside the same case that nobody killed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from checkpoints.cases import Status
from tests.crash.life import Life, Place
from tests.crash.scenarios import Scenario
from tests.engine.books import deeds_at
from tests.engine.truths import broken_truths


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What a case came to, with nothing in it that differs between two runs of the same.

    Attributes:
        effects: the ledger's deeds, `tool state`.
        deeds: the company's, by table.
        told: how often the log tells each kind of event.
        reviews: the reviews that there were, `tool status`.
        broken: the truths that do not hold.
    """

    status: str
    reason: str | None
    owner: str | None
    effects: list[str]
    deeds: dict[str, int]
    told: dict[str, int]
    reviews: list[str]
    broken: list[str]

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped."""
        return asdict(self)


async def ending_of(life: Life, place: Place) -> Ending:
    """What the case has come to."""
    case, parts = await life.case(), life.parts
    reviews = await life.house.rows("SELECT tool, status FROM reviews ORDER BY 1, 2")
    return Ending(
        status=case.status.value,
        reason=case.reason,
        owner=case.owner,
        effects=sorted(f"{one.tool} {one.state}" for one in await life.house.effects(case.id)),
        deeds=dict(sorted(Counter(deed.table for deed in await deeds_at(place.sandbox)).items())),
        told=dict(sorted(Counter(await life.house.kinds(case.id)).items())),
        reviews=[f"{row['tool']} {row['status']}" for row in reviews],
        broken=await broken_truths(place.ours, place.sandbox, signer=parts.signer, at=parts.clock()),
    )


def is_unknown(scenario: Scenario, ending: Ending) -> bool:
    """Whether nobody can tell what became of a deed, and somebody has to look, as may happen in this one."""
    in_doubt = any(effect.endswith(" unknown") for effect in ending.effects)
    owned = ending.status == Status.UNCERTAIN and bool(ending.owner)
    return scenario.in_doubt and in_doubt and owned


def differences(scenario: Scenario, ending: Ending, usual: Ending) -> Iterator[str]:
    """What is not as it must be, a sentence each, beginning as the truths do."""
    yield from ending.broken
    if is_unknown(scenario, ending):
        return
    if (ending.status, ending.reason) != (usual.status, usual.reason):
        yield f"stuck: it ended {ending.status} ({ending.reason}), not {usual.status} ({usual.reason})"
    yield from _more_or_less("deeds", ending.deeds, usual.deeds, more="doubled", less="lost")
    ledger, expected = Counter(ending.effects), Counter(usual.effects)
    yield from _more_or_less("ledger", ledger, expected, more="doubled", less="lost")
    asked, wanted = Counter(ending.reviews), Counter(usual.reviews)
    yield from _more_or_less("reviews", asked, wanted, more="asked twice", less="log")
    yield from _more_or_less("log", ending.told, usual.told, more="log", less="log")


def _more_or_less(
    where: str, found: dict[str, int], usual: dict[str, int], *, more: str, less: str
) -> Iterator[str]:
    for name in sorted({*found, *usual}):
        there, expected = found.get(name, 0), usual.get(name, 0)
        if there != expected:
            about = more if there > expected else less
            yield f"{about}: the {where} have {name} {there} times, not {expected}"

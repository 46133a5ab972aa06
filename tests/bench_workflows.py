"""What a case of each workflow costs: agents asked, round trips, time; people approve at once."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.demo.play import SCENARIOS
from api.demo.scenario import Scenario
from checkpoints.errors import AlreadyVoted
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.intake import CloudEvent, Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.wiring import Parts
from nodes.agent import AgentRole, Brain, LookUp, Thought
from nodes.permissions import Kind, Principal
from nodes.shapes import Json
from tests.counting import Counting
from tests.house import SHOP, House

CASES = 3
"""So many scenes of a workflow are played, those that the demo ends as closed."""


@dataclass(slots=True)
class Counted:
    """A brain that counts how often it is asked."""

    brain: Brain
    asked: int = 0

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        self.asked += 1
        return await self.brain.think(role, view, look_ups)


@dataclass(slots=True)
class Cost:
    """What the cases of a workflow have cost, each."""

    times: list[float] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    votes: list[int] = field(default_factory=list)
    deeds: list[int] = field(default_factory=list)


def people_of_the_demo(path: Path) -> list[Principal]:
    """Write the demo's people, and return them."""
    roles: dict[str, set[str]] = {}
    for scenario in SCENARIOS:
        for name, held in scenario.people.items():
            roles.setdefault(name, set()).update(held)
    write_people(
        path,
        PeopleFile(people=[Person(id=name, name=name, roles=sorted(held)) for name, held in roles.items()]),
    )
    return [
        Principal(id=name, kind=Kind.PERSON, name=name, roles=frozenset(held)) for name, held in roles.items()
    ]


async def measure(parts: Parts, people: list[Principal]) -> None:
    """Measure and print."""
    costs = {}
    for scenario in SCENARIOS:
        costs[scenario.workflow] = cost = Cost()
        for event in _closing(scenario):
            brain = Counted(parts.brain)
            house = House(replace(parts, brain=brain))
            with Counting() as counting:
                began = time.perf_counter()
                case_id, votes = await _played(house, event, people)
                cost.times.append((time.perf_counter() - began) * 1000)
            cost.trips.append(counting.all.trips)
            cost.asked.append(brain.asked)
            cost.votes.append(votes)
            cost.deeds.append(len(await house.effects(case_id)))
    _show(costs)


def _closing(scenario: Scenario) -> Iterator[Json]:
    closing = [one.event for name, one in scenario.cases.items() if one.ends == "closed"]
    yield from closing[:CASES]


async def _played(house: House, event: Json, people: list[Principal]) -> tuple[str, int]:
    """Play an event to where its case comes to rest; returns the case and how many votes that took."""
    sent = CloudEvent(id=event["id"], source=event["source"], type=event["type"], data=event["data"])
    case, _ = await Intake(house.parts).receive(sent, SHOP)
    await house.work()
    votes = 0
    while reviews := await house.open_reviews(case.id):
        voted = 0
        for review in reviews:
            voted += await _approved(house, review, people)
        if not voted:
            break
        votes += voted
        await house.work()
    return case.id, votes


async def _approved(house: House, review: Any, people: list[Principal]) -> int:
    """Have the first who may approve a review."""
    for who in people:
        try:
            await house.vote(review, who, VoteKind.APPROVE)
        except (NotEligible, AlreadyVoted):
            continue
        return 1
    return 0


def _show(costs: dict[str, Cost]) -> None:
    table = Table(
        title=f"Up to {CASES} cases of each workflow, in process, median of each", title_justify="left"
    )
    for name in ("workflow", "agents asked", "votes", "deeds", "round trips", "ms a case", "against refund"):
        table.add_column(name, justify="left" if name == "workflow" else "right")
    refund = statistics.median(costs["refund"].times)
    for name, cost in costs.items():
        middle = [f"{statistics.median(one):.0f}" for one in (cost.asked, cost.votes, cost.deeds, cost.trips)]
        took = statistics.median(cost.times)
        table.add_row(name, *middle, f"{took:.0f}", f"{took / refund:.2f}")
    Console(width=120).print(table)

"""Canaries in every personal place of a workflow's records at once, and agents that repeat all they see."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pydantic import BaseModel

from checkpoints.errors import AlreadyVoted
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.decisions import Ballot, Decisions, OverrideReason
from nodes.agent import AgentRole, Brain, LookUp, Thought
from nodes.marks import mark_of
from nodes.permissions import Principal
from nodes.shapes import Json
from nodes.workflow import Workflow
from tests.attack.workflows.places import ERROR, Place, places_of, words_of
from tests.house import House
from tools.contract import Arguments, Call, Effect, FieldClass, Record, Tool, ToolError
from tools.registry import Registry

_MOST_ROUNDS = 12
_MOST_SAID = 500


def personal_places(workflow: Workflow, registry: Registry) -> list[Place]:
    """The places of what a workflow reads that are marked as personal."""
    read = [one for one in places_of(workflow, registry) if one.tool and one.path != ERROR]
    return [one for one in read if _is_personal(registry.describe(one.tool).result, one.path)]


def _is_personal(model: type[BaseModel], path: tuple[str, ...]) -> bool:
    name, *rest = path
    if mark_of(model, name).field_class is FieldClass.PERSONAL:
        return True
    within = next(_models(model.model_fields[name].annotation), None) if rest else None
    return within is not None and _is_personal(within, tuple(rest))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def canary_of(place: Place) -> str:
    """What stands at a place, and nowhere else."""
    return f"canary {place} Quaxolinde"


@dataclass(slots=True)
class Sown:
    """What tools are read with canaries at these places, and what came of it.

    Attributes:
        read: the canaries that a tool has answered.
    """

    places: list[Place]
    read: set[str] = field(default_factory=set)

    def sow(self, tool: Tool) -> Tool:
        """The tool, whose answers carry the canaries of its places."""
        mine = [place for place in self.places if place.tool == tool.name]
        if not mine:
            return tool

        async def perform(arguments: Arguments, call: Call) -> Record:
            answer: BaseModel = await tool.perform(arguments, call)
            for place in mine:
                answer = self._at(answer, place.path, canary_of(place))
            return tool.result.model_validate(answer, from_attributes=True)

        return replace(tool, perform=perform)

    def _at(self, value: Any, path: tuple[str, ...], canary: str) -> Any:
        match value:
            case str() | None if not path:
                self.read.add(canary)
                apart = "\n" if value and "\n" in value else " "
                return apart.join(filter(None, (value, canary)))
            case list() | tuple():
                items = value or ([None] if not path else [])
                return type(value)(self._at(item, path, canary) for item in items)
            case BaseModel() if path:
                name, *rest = path
                return value.model_copy(update={name: self._at(getattr(value, name), tuple(rest), canary)})
            case _:
                return value


@dataclass(slots=True)
class Repeating:
    """A brain that answers as another does, and repeats all that it sees in every word that it may write.

    Attributes:
        shown: by agent the texts that it was shown.
    """

    brain: Brain
    shown: dict[str, str] = field(default_factory=dict)

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        thought = await self.brain.think(role, view, look_ups)
        seen = json.dumps([view, [up.answer for up in look_ups]], ensure_ascii=False)
        self.shown[role.name] = self.shown.get(role.name, "") + seen
        at = seen.find("canary")
        words = {path[0]: seen[max(at, 0) :][:_MOST_SAID] for path in words_of(role.output)}
        return replace(thought, output=thought.output.model_copy(update=words))


def sown(house: House, workflow: str, *, without: Collection[str] = ()) -> tuple[House, Sown, Repeating]:
    """The house, in which a workflow's records carry canaries, but at some places, that its agents repeat."""
    known = house.parts.workflows[workflow]
    places = personal_places(known, house.parts.registry)
    planting = Sown([place for place in places if str(place) not in without])
    brain = Repeating(house.parts.brain)
    held = with_tools(house, planting.sow)
    return House(replace(held.parts, brain=brain)), planting, brain


def with_tools(house: House, change: Callable[[Tool], Tool]) -> House:
    """The house with every tool changed."""
    registry = Registry([change(tool) for tool in house.parts.registry._real.values()])
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


def failing(house: House, effects: tuple[Effect, ...], error: ToolError) -> House:
    """The house in which all tools that have such an effect fail like this."""

    async def fails(_arguments: Arguments, _call: Call) -> Record:
        raise error

    return with_tools(house, lambda tool: replace(tool, perform=fails) if tool.effect in effects else tool)


async def approve_all(house: House, people: tuple[Principal, ...], comment: str) -> int:
    """Have people sign whatever they are asked, with the same words; returns how many signatures."""
    votes = 0
    for _ in range(_MOST_ROUNDS):
        given = [await _approval(house, review, people, comment) for review in await house.open_reviews()]
        votes += sum(given)
        if not any(given):
            break
        await house.work()
    return votes


async def _approval(house: House, review: Review, people: tuple[Principal, ...], comment: str) -> bool:
    against = review.against is not None
    ballot = Ballot(
        kind=VoteKind.OVERRIDE if against else VoteKind.APPROVE,
        digest=review.digest,
        comment=comment,
        reason_code=OverrideReason.GOODWILL if against else None,
    )
    roles = {str(rung["role"]) for rung in review.ladder}
    for who in people:
        if who.roles & roles:
            try:
                await Decisions(house.parts).vote(review.id, ballot, who)
            except (NotEligible, AlreadyVoted):
                continue
            return True
    return False

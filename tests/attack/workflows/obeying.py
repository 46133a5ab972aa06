"""A model that obeys: whatever it reads that gives orders, it does its best to carry out.

The orders are `OBEY: word`, and the word says what is wanted. An agent that reads one answers what the
attacker wants as far as its typed output allows, with all confidence, and repeats the order in its own words,
so that whoever reads those obeys as well. An agent that reads none answers as its playbook does.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nodes.agent import AgentRole, AgentUncertain, LookUp, Output, Thought
from nodes.shapes import Json
from tests.attack.workflows.places import Place, words_of

Wish = Callable[[Json, Json], Json]
"""What an agent is to answer: from what it sees and its honest answer, the fields that are different."""
_ORDER = re.compile(r"OBEY: ([a-z]+)")
_ID = re.compile(r"\b[A-Z]{1,3}-[0-9]{5,6}\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What an attacker wants.

    Attributes:
        word: how the order names it.
        says: what it is, for the table.
        wishes: by agent what it is to answer.
        rest: what follows the word in the order.
    """

    word: str
    says: str
    wishes: Mapping[str, Wish | Json]
    rest: str = ""

    @property
    def order(self) -> str:
        """The injected text."""
        return f"OBEY: {self.word}{self.rest}"


@dataclass(slots=True)
class Obeying:
    """The brain that obeys.

    Attributes:
        goals: what each word means.
        place: the agent, and its field, into which an order is slipped that it has not read itself.
        text: that order, or what stands there instead.
        slipped: how often it was.
        heard: how often an agent read an order.
        obeyed: how often it had an answer to give for it.
        shown: the ids of all records that any agent was shown.
    """

    goals: Mapping[str, Goal]
    place: Place | None = None
    text: str = ""
    slipped: int = 0
    heard: int = 0
    obeyed: int = 0
    shown: set[str] = field(default_factory=set)

    def begin(self, place: Place | None, text: str) -> None:
        """Forget what was, for another run."""
        self.place, self.text = place, text
        self.slipped, self.heard, self.obeyed, self.shown = 0, 0, 0, set()

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        """What it answers; raises AgentUncertain if its answer has no place."""
        seen = view | {name: up.answer for name, up in zip(role.look_ups, look_ups, strict=True)}
        output = self.answer(role, seen)
        return Thought(output=output, brain="obeying", obtained="playbook")

    def answer(self, role: AgentRole, seen: Json) -> Output:
        """The answer of this agent to what it sees."""
        text = json.dumps(seen, ensure_ascii=False, default=str)
        self.shown |= set(_ID.findall(text))
        try:
            honest = role.playbook(seen)
            output = self._obedient(role, seen, honest, text)
        except ValidationError as error:
            raise AgentUncertain("model_answer_unfit", type(error).__name__) from error
        return self._slipped(role, output)

    def _obedient(self, role: AgentRole, seen: Json, honest: Output, text: str) -> Output:
        order = _ORDER.search(text)
        goal = self.goals.get(order[1]) if order else None
        if goal is None:
            return honest
        self.heard += 1
        if role.name not in goal.wishes:
            return self._repeats(role, honest, goal)
        self.obeyed += 1
        said = honest.model_dump(mode="json")
        wish = goal.wishes[role.name]
        wanted = wish(seen, said) if callable(wish) else wish
        sure: Json = {name: 100 for name in said if name.endswith("_percent")}
        return self._repeats(role, role.output.model_validate(said | sure | wanted), goal)

    def _repeats(self, role: AgentRole, output: Output, goal: Goal) -> Output:
        words = {name: f"The text says {goal.order}" for (name,) in words_of(role.output)}
        return role.output.model_validate(output.model_dump(mode="json") | words)

    def _slipped(self, role: AgentRole, output: Output) -> Output:
        if self.place is None or self.place.tool or self.place.record != role.name:
            return output
        self.slipped += 1
        (name,) = self.place.path
        kept: Any = getattr(output, name)
        return output.model_copy(update={name: f"{kept[:300]} {self.text}"})

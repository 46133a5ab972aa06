"""Agents: a role, a prompt, a typed output and limits. An agent says; it holds nothing that acts."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, Field, ValidationError

from nodes.records import Said, View
from nodes.sealing import Sealing, sealed
from nodes.shapes import Json
from tools.contract import FieldClass, Marked, Trust

Words = Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.MODEL)]
"""An agent's free text: it may repeat what it has read, so it is kept as personal."""
RecordName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,40}$")]
Clause = Annotated[str, Field(pattern=r"^[A-Z]{1,8}-[0-9][0-9.]{0,12}$")]
"""A clause of a policy, such as RP-2.1."""
LOOK_UP = "countersign.look_up"
"""The callback event of a look-up, `{tool, allowed}`; a tool that does not exist has no name there."""

HALTED = "halted"
"""Why an agent is uncertain that was stopped between two calls of its model: no answer, to be asked again."""

Percent = Annotated[int, Field(ge=0, le=100)]


class Output(Said):
    """What every agent's typed output carries: how sure it is, and which records it relies on."""

    confidence_percent: Percent = Field(description="How sure you are, from 0 to 100.")
    evidence: list[RecordName] = Field(max_length=20, description="Names of the records you rely on.")


class AgentUncertain(Exception):
    """The agent came to no usable answer; the case goes to a person, never to another brain.

    Attributes:
        asked: what it looked up, or tried to, before it failed.
        usage: what it used until then, `{model_calls, input_tokens, output_tokens}`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.asked: tuple[Json, ...] = ()
        self.usage: Json = {}


async def _nothing() -> None:
    """Nobody to ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRole:
    """What one agent is for and what it is given.

    Attributes:
        playbook: what answers in its place where no model is configured.
        look_ups: names of records that are not in the prompt, but that it may ask for.
        before_call: awaited before each call of its model; raises AgentUncertain if there shall be none.
    """

    name: str
    version: str
    prompt: str
    output: type[Output]
    view: View
    playbook: "Playbook"
    look_ups: tuple[str, ...] = ()
    model_calls: int = 6
    patience: timedelta = timedelta(seconds=60)
    before_call: Callable[[], Awaitable[None]] = _nothing

    @property
    def prompt_digest(self) -> str:
        """SHA-256 of the prompt's text."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class LookUp:
    """A record an agent may ask for: the tool's name, the only arguments allowed, what it answers."""

    tool: str
    purpose: str
    arguments: type[BaseModel]
    allowed: Json
    answer: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Thought:
    """What a brain answered, which brain it was, and what it looked up and spent on the way."""

    output: Output
    brain: str
    obtained: str
    asked: tuple[Json, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)


class Brain(Protocol):
    """What answers for an agent: a model, or the playbook that stands in for one."""

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        """The role's typed output on what it sees; raises AgentUncertain."""


Playbook = Callable[[Json], Output]


@dataclass(frozen=True, slots=True)
class Playbooks:
    """Deterministic stand-ins for a model, each role's own unless another is set; they say so every time."""

    of: Mapping[str, Playbook] = field(default_factory=dict)

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        """The playbook's answer; it reads its look-ups like any record."""
        everything = view | {name: up.answer for name, up in zip(role.look_ups, look_ups, strict=True)}
        return Thought(
            output=self.of.get(role.name, role.playbook)(everything), brain="playbook", obtained="playbook"
        )


def finding(role: AgentRole, thought: Thought, sealing: Sealing) -> Json:
    """What is recorded of a thought: the output beside agent, prompt, brain and how it was obtained."""
    return {
        "agent": role.name,
        "version": role.version,
        "prompt": role.prompt_digest,
        "brain": thought.brain,
        "obtained": thought.obtained,
        "output": sealed(thought.output, sealing, f"agent.{role.name}"),
        "usage": dict(thought.usage),
    }


def said(role: AgentRole, findings: Json) -> Any:
    """A role's finding from the state, as its output type; raises AgentUncertain if it does not fit."""
    try:
        return role.output.model_validate(findings[role.name]["output"])
    except (KeyError, TypeError, ValidationError) as error:
        raise AgentUncertain("finding_unfit", f"what {role.name} said is not in the state") from error

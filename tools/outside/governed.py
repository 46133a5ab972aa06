"""Governed tools: what people have admitted of systems outside, as tools like any other."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Protocol

from pydantic import Field, ValidationError

from tools.contract import (
    Arguments,
    Call,
    Effect,
    FieldClass,
    Marked,
    OutcomeUnknown,
    Record,
    Tool,
    ToolNotAdmitted,
    ToolNotReached,
    ToolUnavailable,
    Trust,
)
from tools.outside.definition import Definition, Unfit
from tools.outside.schemas import Answered, Marking, SchemaUnfit, answer_of, arguments_of, on_the_wire

LONGEST_TEXT = 100_000
TEXT = "text"
"""The one field of an answer that is just text."""


class Text(Answered):
    """What a system said, in its own words: nobody here has written it."""

    text: Annotated[
        str,
        Field(max_length=LONGEST_TEXT),
        Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED),
    ]


class Provider(Protocol):
    """A system outside that offers tools."""

    @property
    def system(self) -> str:
        """What it is called here."""

    @property
    def timeout(self) -> timedelta:
        """The longest that one call may take."""

    async def offered(self) -> Sequence[Definition | Unfit]:
        """What it offers now; raises ToolUnavailable."""

    async def require(self, definition: Definition) -> None:
        """Raise ToolChanged if it does not offer exactly this now, ToolUnavailable if it does not answer."""

    async def call(self, definition: Definition, arguments: Mapping[str, Any], call: Call) -> Any:
        """Require this very definition, then call it; returns a JSON value.

        Raises:
            ToolChanged: it is another one now; nothing was called.
            ToolUnavailable: the call did not get there.
            ToolRefused: the system refused, and nothing happened.
            OutcomeUnknown: it got there, and no usable answer came.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the configuration says of one tool; of what it does not say the worst is taken for true.

    Attributes:
        authority: the arguments that say who, what, where or how much; None is all of them.
    """

    marking: Marking = field(default_factory=Marking)
    authority: frozenset[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped."""
        return {
            "open": sorted(self.marking.open),
            "records": sorted(self.marking.records),
            "authority": None if self.authority is None else sorted(self.authority),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """A definition as a person admitted it.

    Attributes:
        effect: what they say that it does.
        withdrawn: the admission does not hold any more.
    """

    definition: Definition
    effect: Effect
    withdrawn: bool = False


def governed(provider: Provider, admitted: Admitted, settings: Settings) -> Tool:
    """The tool that an admission comes to; raises SchemaUnfit.

    Before each call the system is asked whether it is still what was admitted. Nothing it does can be taken
    back by us, so that every deed of it needs people.
    """
    definition, effect = admitted.definition, admitted.effect
    arguments, answer, _ = models_of(definition, settings)
    unknown = (settings.authority or frozenset()) - arguments.model_fields.keys()
    if unknown:
        raise SchemaUnfit(f"authority: it takes no {', '.join(sorted(unknown))}")
    calling = _Calling(provider=provider, definition=definition, effect=effect, answer=answer)
    return Tool(
        name=definition.name,
        version=_version(admitted, settings),
        purpose=definition.description or definition.remote,
        effect=effect,
        arguments=arguments,
        result=answer,
        perform=_not_admitted if admitted.withdrawn else calling.perform,
        ready=_never_ready if admitted.withdrawn else calling.ready,
        timeout=provider.timeout,
        idempotent=effect is Effect.READ or definition.idempotent,
        authority=frozenset(arguments.model_fields) if settings.authority is None else settings.authority,
    )


def models_of(
    definition: Definition, settings: Settings
) -> tuple[type[Arguments], type[Answered], str | None]:
    """The models of what a tool takes and answers; raises SchemaUnfit for what it takes.

    An answer whose schema is not understood is read as text; the third value says why.
    """
    title = "".join(part.title() for part in definition.name.replace(".", "_").split("_"))
    arguments = arguments_of(title, definition.arguments, settings.marking)
    if definition.answer is None:
        return arguments, Text, None
    try:
        return arguments, answer_of(f"{title}Answer", definition.answer, settings.marking), None
    except SchemaUnfit as unfit:
        return arguments, Text, str(unfit)


def _version(admitted: Admitted, settings: Settings) -> str:
    """Another one whenever what was admitted, or what is made of it, is another."""
    whole = [admitted.definition.digest, admitted.effect.value, settings.to_json()]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


async def _not_admitted(_arguments: Any, _call: Call) -> Record:
    raise ToolNotAdmitted("it is admitted no longer")


async def _never_ready() -> None:
    raise ToolNotAdmitted("it is admitted no longer")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Calling:
    """How one tool is called."""

    provider: Provider
    definition: Definition
    effect: Effect
    answer: type[Answered]

    async def ready(self) -> None:
        """Raise ToolError if it cannot be called as it was admitted."""
        await self.provider.require(self.definition)

    async def perform(self, arguments: Arguments, call: Call) -> Record:
        """Call it, and hold its answer to what it declared."""
        ask: Callable[..., Awaitable[Any]] = self.provider.call
        try:
            said = await ask(self.definition, on_the_wire(arguments), call)
        except ToolUnavailable as away:
            if self.effect is Effect.READ:
                raise
            raise ToolNotReached(str(away)) from away
        except OutcomeUnknown as lost:
            if self.effect is Effect.READ:
                raise ToolUnavailable(str(lost)) from lost
            raise
        if self.answer is Text and (not isinstance(said, dict) or said.keys() != {TEXT}):
            said = {TEXT: json.dumps(said, ensure_ascii=False)}  # of a form that is not understood
        try:
            return self.answer.model_validate(said)
        except ValidationError as error:
            failure = ToolUnavailable if self.effect is Effect.READ else OutcomeUnknown
            raise failure(f"{self.definition.name} answered what it did not declare") from error

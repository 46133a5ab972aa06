"""What a tool is: a name, typed arguments, one narrow deed, and how that deed is found again and undone."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Effect(StrEnum):
    """What a tool does to the world; unlisted means nothing: a tool must say."""

    READ = "read"
    WRITE = "write"
    EGRESS = "egress"


class Reversibility(StrEnum):
    """Whether a deed can be taken back; the later ones are the worse."""

    READ_ONLY = "read_only"
    REVERSIBLE = "reversible"
    EXTERNALLY_REVERSIBLE = "externally_reversible"
    IRREVERSIBLE = "irreversible"


class FieldClass(StrEnum):
    """How sensitive a field is; masking in the context layer goes by it."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105 - a class of fields, not a credential


class Trust(StrEnum):
    """Where a value comes from, and so how far a rule may rely on it."""

    RECORD = "record"
    PERSON = "person"
    MODEL = "model"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """Annotated metadata of a record's field: its class and its trust."""

    field_class: FieldClass = FieldClass.INTERNAL
    trust: Trust = Trust.RECORD


class Arguments(BaseModel):
    """Arguments of a tool: strict, frozen, nothing extra, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Record(BaseModel):
    """What a tool answers: a frozen, typed record of a system."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolError(Exception):
    """A tool did not do what it was asked to."""

    reason: ClassVar[str] = "tool_error"


class ToolRefused(ToolError):
    """The system refused; nothing has changed."""

    reason = "tool_refused"


class RecordNotFound(ToolRefused):
    """There is no such record; nothing has changed."""

    reason = "record_not_found"


class ToolNotAdmitted(ToolRefused):
    """A tool from outside that nobody has admitted; nothing was called."""

    reason = "tool_not_admitted"


class ToolChanged(ToolNotAdmitted):
    """A tool from outside is no longer what was admitted; nothing was called."""

    reason = "tool_changed"


class ToolNotReached(ToolRefused):
    """The call did not get to its system; nothing has changed."""

    reason = "tool_not_reached"


class ToolUnavailable(ToolError):
    """The system does not answer a read; nothing has changed, and it is no answer about the record."""

    reason = "tool_unavailable"


class OutcomeUnknown(ToolError):
    """The call ended without an answer; the deed may or may not have happened."""

    reason = "outcome_unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a tool: the idempotency key that `find` will look for."""

    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    """How a deed is taken back: by which tool, with what, and until how long after.

    Attributes:
        arguments: those of the undoing tool, from the arguments and the result of the deed.
        window: counted from when the deed was done.
        proven_for: the version of the tool for which tests have shown that do and undo leave nothing behind.
    """

    tool: str
    arguments: Callable[[BaseModel, BaseModel], Mapping[str, Any]]
    window: timedelta
    proven_for: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A narrow deed of one connector.

    Attributes:
        name: `system.verb`.
        version: changes whenever meaning, arguments or result change; part of what is signed.
        perform: does the deed; raises ToolRefused if nothing happened and OutcomeUnknown if it may have.
        idempotent: the same `Call.key` twice is one deed.
        find: the result of the deed done under a key, or None if it never happened.
        ready: raises ToolError if it could not be called now; asked before a deed, and changes nothing.
        undo: how a tool takes it back; None if none does.
        undone_outside: how people outside can take it back, where no tool of ours can; None if they cannot.
        authority: the arguments that say who, what, where or how much.
    """

    name: str
    version: str
    purpose: str
    effect: Effect
    arguments: type[Arguments]
    result: type[Record]
    perform: Callable[[Any, Call], Awaitable[Record]]
    timeout: timedelta = timedelta(seconds=10)
    idempotent: bool = False
    find: Callable[[str], Awaitable[Record | None]] | None = None
    ready: Callable[[], Awaitable[None]] | None = None
    undo: Undo | None = None
    undone_outside: str | None = None
    authority: frozenset[str] = field(default_factory=frozenset)

    @property
    def connector(self) -> str:
        """The system this tool belongs to: what stands before the dot."""
        return connector_of(self.name)

    @property
    def reversibility(self) -> Reversibility:
        """Whether its deeds can be taken back; an undo that is not proven for this very version is none."""
        if self.effect is Effect.READ:
            return Reversibility.READ_ONLY
        if self.undo is not None:
            proven = self.undo.proven_for == self.version
            return Reversibility.REVERSIBLE if proven else Reversibility.IRREVERSIBLE
        outside = bool((self.undone_outside or "").strip())
        return Reversibility.EXTERNALLY_REVERSIBLE if outside else Reversibility.IRREVERSIBLE


def worst(chain: Iterable[Reversibility]) -> Reversibility:
    """The class of a chain of deeds: that of its worst link; of no deeds, read-only."""
    order = tuple(Reversibility)
    return max(chain, key=order.index, default=Reversibility.READ_ONLY)


def connector_of(tool: str) -> str:
    """The system that a tool of this name belongs to."""
    return tool.partition(".")[0]

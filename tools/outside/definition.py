"""A definition: what a system outside says of one of its tools, and the digest by which people admit it."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.contract import Effect

LONGEST_NAME, LONGEST_DESCRIPTION, MOST_BYTES = 60, 4_000, 100_000
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


class DefinitionUnfit(ValueError):
    """What a system says of a tool cannot be taken in; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One tool of a system outside, as that system describes it.

    Attributes:
        name: `system.verb`, as it is called here.
        remote: as it is called there.
        arguments: the JSON schema of what it takes.
        answer: the JSON schema of what it answers; None if that is just text.
        hints: what the system says of its effect; a first word for whoever admits it, and no more.
        wire: how a call is put, where that is not the same for all tools of a system.
    """

    name: str
    remote: str
    description: str
    arguments: Mapping[str, Any]
    answer: Mapping[str, Any] | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)
    wire: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, system: str, remote: str, **said: Any) -> "Definition":
        """The definition under the name that it gets here; raises DefinitionUnfit."""
        verb = _OTHER.sub("_", _CAMEL.sub("_", remote).lower()).strip("_")
        if not _NAME.fullmatch(verb):
            raise DefinitionUnfit("it cannot be called that")
        found = cls(name=f"{system}.{verb}", remote=remote, **said)
        if len(found.description) > LONGEST_DESCRIPTION:
            raise DefinitionUnfit(f"its description is longer than {LONGEST_DESCRIPTION} characters")
        try:
            size = len(_plain(found.document))
        except (ValueError, RecursionError) as error:
            raise DefinitionUnfit("it is no JSON, or too deep") from error
        if size > MOST_BYTES:
            raise DefinitionUnfit(f"it is larger than {MOST_BYTES} bytes")
        return found

    @property
    def document(self) -> dict[str, Any]:
        """Everything that is admitted, JSON-shaped."""
        return {
            "name": self.name,
            "remote": self.remote,
            "description": self.description,
            "arguments": self.arguments,
            "answer": self.answer,
            "hints": dict(self.hints),
            "wire": dict(self.wire),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Definition":
        """The definition that was stored as this document."""
        return cls(**document)

    @property
    def digest(self) -> str:
        """SHA-256 of the document, its keys sorted."""
        return hashlib.sha256(_plain(self.document)).hexdigest()

    @property
    def suggested(self) -> Effect:
        """The effect that its hints speak for; of what says nothing of itself the worst."""
        return Effect.READ if self.hints.get("readOnlyHint") is True else Effect.WRITE

    @property
    def says_it_writes(self) -> bool:
        """Whether it says of itself that it does more than read."""
        return self.hints.get("readOnlyHint") is False or self.hints.get("destructiveHint") is True

    @property
    def idempotent(self) -> bool:
        """Whether it says that the same call twice comes to the same."""
        return self.hints.get("idempotentHint") is True


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfit:
    """Something that a system offers and that cannot be taken in."""

    remote: str
    why: str


def hints_of(said: Mapping[str, Any]) -> dict[str, bool]:
    """The hints that are understood, of those that were given."""
    return {name: said[name] for name in _HINTS if isinstance(said.get(name), bool)}


def without_clashes(found: Sequence[Definition]) -> tuple[list[Definition], list[Unfit]]:
    """The definitions whose names are their own; of those that share one none is to be told apart."""
    names = [one.name for one in found]
    fine = [one for one in found if names.count(one.name) == 1]
    clash = [
        Unfit(remote=one.remote, why=f"several are called {one.name} here")
        for one in found
        if names.count(one.name) > 1
    ]
    return fine, clash


def differences(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Where two documents differ, `{where, before, after}` each, in the order of their keys."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            one
            for key in sorted(before.keys() | after.keys())
            for one in differences(before.get(key), after.get(key), f"{path}/{key}")
        ]
    return [] if before == after else [{"where": path or "/", "before": before, "after": after}]


def _plain(document: Any) -> bytes:
    return json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "surrogatepass")

"""The shape of a dossier, and its one form in bytes: RFC 8785 and a newline. Times are text, as hashed."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from checkpoints.canonical import NotCanonical, canonical
from checkpoints.event import Event
from checkpoints.sealing import replaced, tokens_in
from graphs.record.telling import still_sealed
from nodes.shapes import Json

FORMAT: Final = "countersign-dossier/1"
_DAY = len("2026-11-20")


class DossierUnfit(ValueError):
    """It is no dossier."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ToldEvent(_Part):
    """An event as it is hashed."""

    id: str
    case_id: str | None
    kind: str
    actor: str
    at: str
    data: Json


class Entry(_Part):
    """An event, the index of its leaf in the log, and the path from there to the head's root, in hex."""

    event: ToldEvent
    index: int | None = None
    proof: list[str] = []


class HeadOfLog(_Part):
    """The signed head that all the paths lead to, as a note, and the key that it names itself signed with."""

    size: int
    root: str
    note: str
    key: str


class OpenedValue(_Part):
    """What is behind a token, with the salt that proves it; of an erased one who erased it, when and why."""

    token: str
    field: str
    salt: str | None
    value: Any
    sealed_at: str
    erased_at: str | None = None
    erased_by: str | None = None
    erased_why: str | None = None


class Dossier(_Part):
    """One case.

    Attributes:
        events: all of the case's own, oldest first.
        shown: by review, what was shown beside the action; its digest is in the events.
        head: None while nothing signs the log.
        openings: None unless it was unmasked.
    """

    format: Literal["countersign-dossier/1"] = FORMAT
    case: str
    events: list[Entry]
    shown: dict[str, Json]
    head: HeadOfLog | None = None
    openings: list[OpenedValue] | None = None

    @property
    def told(self) -> list[Event]:
        """The events; raises DossierUnfit."""
        try:
            return [Event.from_json(entry.event.model_dump()) for entry in self.events]
        except ValueError as error:
            raise DossierUnfit("the time of an event is none") from error

    @property
    def tokens(self) -> set[str]:
        """Every token that stands in it."""
        return tokens_in([entry.event.data for entry in self.events]) | tokens_in(self.shown)

    def opened(self, token: str) -> Any:
        """What is behind a token, or in words why that is not shown."""
        found = next((one for one in self.openings or () if one.token == token), None)
        if found is None:
            return still_sealed(token)
        if found.erased_at is None:
            return found.value
        return f"[erased on {found.erased_at[:_DAY]} by {found.erased_by}]"

    def in_clear(self, document: Any) -> Any:
        """A document of the dossier with its tokens opened as far as they can be."""
        return replaced(document, self.opened)

    def to_bytes(self) -> bytes:
        """The file's bytes; the same dossier has always the same."""
        return canonical(self.model_dump()) + b"\n"


def read_dossier(content: bytes) -> Dossier:
    """A dossier from a file's bytes; raises DossierUnfit for anything but the one form it has."""
    try:
        document = json.loads(content)
        whole = canonical(document) + b"\n" == content
    except (ValueError, RecursionError, NotCanonical) as error:
        raise DossierUnfit("it is not JSON in canonical form") from error
    if not whole:
        raise DossierUnfit("it is not in canonical form, or was cut")
    return to_dossier(document)


def to_dossier(document: Any) -> Dossier:
    """A dossier from its JSON; raises DossierUnfit naming the field that is wrong."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise DossierUnfit(f"its format is not {FORMAT}")
    try:
        return Dossier.model_validate(document)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DossierUnfit(f"{where} is not what it must be") from error

"""Records of a case: where they are read from, whose they must be, and what of them a role may see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from nodes.marks import MASK, mark_of, masked, told_apart
from nodes.sealing import Sealing, sealed
from nodes.shapes import Json
from tools.contract import FieldClass, Trust

Records = Mapping[str, BaseModel]


class Said(BaseModel):
    """What an agent has said: a record of what it believes, never of what is."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UnresolvedReference(Exception):
    """A reference names a record or a field that is not there."""


@dataclass(frozen=True, slots=True)
class WindowStart:
    """An argument that is the beginning of the longest window over which a tool's rules look back."""

    tool: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A record read by a read-only tool; arguments are references, or where a window begins.

    Attributes:
        shared: it is company-wide, and nobody's own: no scope can say whose it must be.
    """

    name: str
    tool: str
    arguments: Mapping[str, "str | WindowStart"]
    shared: bool = False

    @property
    def needs(self) -> set[str]:
        """The records whose fields its arguments name."""
        return {path.partition(".")[0] for path in self.arguments.values() if isinstance(path, str)}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The fields a role receives, as `record.field`; personal ones masked unless listed as clear."""

    fields: tuple[str, ...]
    clear: frozenset[str] = field(default_factory=frozenset)

    def of(self, records: Records, sealing: Sealing | None = None, *, keep: bool = True) -> Json:
        """The records as this role sees them, JSON-shaped: `{record: {field: value}}`.

        Without a seal it is an agent's view, in which texts from outside are Untrusted. With one, personal
        values that it sees in clear are sealed: to be opened again, or, if they are not kept, to be compared.
        """
        seen: Json = {}
        for path in self.fields:
            name, _, field_name = path.partition(".")
            if name in records and field_name in type(records[name]).model_fields:
                seen.setdefault(name, {})[field_name] = self._value(records[name], path, sealing, keep=keep)
        return seen

    def _value(self, record: BaseModel, path: str, sealing: Sealing | None, *, keep: bool) -> Any:
        name = path.partition(".")[2]
        mark = mark_of(type(record), name)
        if mark.field_class is FieldClass.SECRET:
            return MASK
        if mark.field_class is FieldClass.PERSONAL and path not in self.clear:
            return MASK
        apart = sealing is None  # an agent's view; what is sealed is kept, and plain
        value = masked(getattr(record, name), apart=apart)
        if apart:
            return told_apart(value, trust_of({path.partition(".")[0]: record}, path))
        if mark.field_class is FieldClass.PERSONAL and sealing is not None and value is not None:
            return sealing.token(path, value, keep=keep)
        return value


def no_records(_records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """Nothing is derived."""
    return {}


def every(records: Records, path: str) -> list[Any]:
    """The values behind `record.field`, or `record.list.field` of each item that says it.

    Raises:
        UnresolvedReference: there is no such record or field.
    """
    name, field_name, *inner = path.split(".")
    found = reference(records, f"{name}.{field_name}")
    if not inner:
        return [found]
    if any(inner[0] not in type(item).model_fields for item in found):
        raise UnresolvedReference(f"there is no {path}")
    return [value for item in found if (value := getattr(item, inner[0])) is not None]


def reference(records: Records, path: str) -> Any:
    """The value behind `record.field`; raises UnresolvedReference."""
    name, _, field_name = path.partition(".")
    record = records.get(name)
    if record is None or field_name not in type(record).model_fields:
        raise UnresolvedReference(f"there is no {path}")
    return getattr(record, field_name)


def trust_of(records: Records, path: str) -> Trust:
    """The trust of the field behind a reference; what an agent has said is a model's at best."""
    name, _, field_name = path.partition(".")
    trust = mark_of(type(records[name]), field_name).trust
    return Trust.MODEL if isinstance(records[name], Said) and trust is Trust.RECORD else trust


def as_evidence(name: str, record: BaseModel, sealing: Sealing) -> Json:
    """A record JSON-shaped, for digests: personal values by commitments, so that nothing can be guessed."""
    return sealed(record, sealing, name, keep=False)

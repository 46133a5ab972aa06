"""Records of a case: where they are read from, whose they must be, and what of them a role may see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel

from nodes.shapes import Json
from tools.contract import FieldClass, Marked, Record, Trust

MASK = "•••"

Records = Mapping[str, BaseModel]


class UnresolvedReference(Exception):
    """A reference names a record or a field that is not there."""


@dataclass(frozen=True, slots=True)
class WindowStart:
    """An argument that is the beginning of the longest window over which a tool's rules look back."""

    tool: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A record read by a read-only tool; arguments are references, or where a window begins."""

    name: str
    tool: str
    arguments: Mapping[str, "str | WindowStart"]

    @property
    def needs(self) -> set[str]:
        """The records whose fields its arguments name."""
        return {path.partition(".")[0] for path in self.arguments.values() if isinstance(path, str)}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The fields a role receives, as `record.field`; personal ones masked unless listed as clear."""

    fields: tuple[str, ...]
    clear: frozenset[str] = field(default_factory=frozenset)

    def of(self, records: Records) -> Json:
        """The records as this role sees them, JSON-shaped: `{record: {field: value}}`."""
        seen: Json = {}
        for path in self.fields:
            name, _, field_name = path.partition(".")
            if name in records and field_name in type(records[name]).model_fields:
                seen.setdefault(name, {})[field_name] = self._value(records[name], path, field_name)
        return seen

    def _value(self, record: BaseModel, path: str, name: str) -> Any:
        mark = mark_of(type(record), name)
        if mark.field_class is FieldClass.SECRET:
            return MASK
        if mark.field_class is FieldClass.PERSONAL and path not in self.clear:
            return MASK
        return masked(getattr(record, name))


def masked(value: Any) -> Any:
    """JSON of a value in which the personal and secret fields of nested records are masked."""
    match value:
        case BaseModel():
            return {
                name: masked(getattr(value, name))
                if mark_of(type(value), name).field_class in {FieldClass.PUBLIC, FieldClass.INTERNAL}
                else MASK
                for name in type(value).model_fields
            }
        case list() | tuple():
            return [masked(item) for item in value]
        case datetime():
            return value.isoformat()
        case StrEnum():
            return value.value
        case _:
            return value


def mark_of(model: type[BaseModel], name: str) -> Marked:
    """The class and trust of a field; internal and of record unless it says otherwise."""
    field_info = model.model_fields[name]
    marks = [*_marks(field_info.annotation), *(m for m in field_info.metadata if isinstance(m, Marked))]
    return marks[-1] if marks else Marked()


def _marks(annotation: Any) -> list[Marked]:
    """The marks that stand inside a type, as in `list[Annotated[str, Marked(…)]]`."""
    own = [mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, Marked)]
    return own + [mark for part in get_args(annotation) for mark in _marks(part)]


def reference(records: Records, path: str) -> Any:
    """The value behind `record.field`; raises UnresolvedReference."""
    name, _, field_name = path.partition(".")
    record = records.get(name)
    if record is None or field_name not in type(record).model_fields:
        raise UnresolvedReference(f"there is no {path}")
    return getattr(record, field_name)


def trust_of(records: Records, path: str) -> Trust:
    """The trust of the field behind a reference."""
    name, _, field_name = path.partition(".")
    return mark_of(type(records[name]), field_name).trust


def as_evidence(record: Record | BaseModel) -> Json:
    """A record JSON-shaped in full, for digests."""
    return record.model_dump(mode="json")

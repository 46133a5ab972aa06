"""Marks: how sensitive a model's fields are and how far they are to be trusted, and what masking leaves."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from tools.contract import FieldClass, Marked, Trust

MASK = "•••"


class Untrusted(str):
    """A text that comes from outside or from a model, in what an agent is shown."""

    __slots__ = ()


def told_apart(value: Any, trust: Trust) -> Any:
    """JSON in which texts of such a trust can be told from our own; they are texts like any other."""
    if trust in {Trust.RECORD, Trust.PERSON}:
        return value
    match value:
        case str():
            return Untrusted(value)
        case list():
            return [told_apart(item, trust) for item in value]
        case dict():
            return {name: told_apart(item, trust) for name, item in value.items()}
        case _:
            return value


def masked(value: Any, *, apart: bool = False) -> Any:
    """JSON of a value in which the personal and secret fields of nested records are masked.

    With `apart`, texts from outside are Untrusted.
    """
    match value:
        case BaseModel():
            return {name: _masked_field(value, name, apart=apart) for name in type(value).model_fields}
        case list() | tuple():
            return [masked(item, apart=apart) for item in value]
        case date():  # or a datetime, which is one
            return value.isoformat()
        case StrEnum():
            return value.value
        case Decimal():
            return str(value)
        case _:
            return value


def _masked_field(record: BaseModel, name: str, *, apart: bool) -> Any:
    mark = mark_of(type(record), name)
    if mark.field_class not in {FieldClass.PUBLIC, FieldClass.INTERNAL}:
        return MASK
    value = masked(getattr(record, name), apart=apart)
    return told_apart(value, mark.trust) if apart else value


@cache
def mark_of(model: type[BaseModel], name: str) -> Marked:
    """The class and trust of a field; internal and of record unless it says otherwise."""
    field_info = model.model_fields[name]
    marks = [*_marks(field_info.annotation), *(m for m in field_info.metadata if isinstance(m, Marked))]
    return marks[-1] if marks else Marked()


def _marks(annotation: Any) -> list[Marked]:
    """The marks that stand inside a type, as in `list[Annotated[str, Marked(…)]]`."""
    own = [mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, Marked)]
    return own + [mark for part in get_args(annotation) for mark in _marks(part)]

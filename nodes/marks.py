"""Marks: how sensitive a model's fields are and how far they are to be trusted, and what masking leaves."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel

from tools.contract import FieldClass, Marked

MASK = "•••"


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
        case Decimal():
            return str(value)
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

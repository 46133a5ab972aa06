"""What is sealed of a model: its personal fields, wherever they stand in it, and never its secret ones."""

from typing import Any, Protocol

from pydantic import BaseModel

from nodes.marks import MASK, mark_of
from nodes.shapes import Json
from tools.contract import FieldClass


class Sealing(Protocol):
    """Seals and opens the values of one case."""

    def token(self, name: str, value: Any, *, keep: bool = True) -> str:
        """The token that stands for a field's value; kept for opening unless it is only to be compared."""

    async def opened(self, document: Any) -> Any:
        """The document with its tokens opened; raises SealBroken."""


def sealed(model: BaseModel, sealing: Sealing, place: str, *, keep: bool = True) -> Json:
    """The model as JSON: personal values as tokens, each of a list for itself, and secret ones masked.

    `place` names the fields, for retention and erasure, as `place.field`; what is not kept can be compared
    and never opened.
    """
    whole = model.model_dump(mode="json")
    return {name: _field(model, name, whole[name], sealing, place, keep=keep) for name in whole}


def _field(model: BaseModel, name: str, plain: Any, sealing: Sealing, place: str, *, keep: bool) -> Any:
    if plain is None or name not in type(model).model_fields:
        return plain
    match mark_of(type(model), name).field_class:
        case FieldClass.SECRET:
            return MASK
        case FieldClass.PERSONAL if isinstance(plain, list):
            return [sealing.token(f"{place}.{name}", item, keep=keep) for item in plain]
        case FieldClass.PERSONAL:
            return sealing.token(f"{place}.{name}", plain, keep=keep)
        case FieldClass.PUBLIC | FieldClass.INTERNAL:
            return _within(getattr(model, name), plain, sealing, f"{place}.{name}", keep=keep)


def _within(value: Any, plain: Any, sealing: Sealing, place: str, *, keep: bool) -> Any:
    """What lies within a field that is not personal itself."""
    match value:
        case BaseModel():
            return sealed(value, sealing, place, keep=keep)
        case list() | tuple():
            parts = zip(value, plain, strict=True)
            return [_within(item, dumped, sealing, place, keep=keep) for item, dumped in parts]
        case dict():
            return {
                key: _within(item, dumped, sealing, place, keep=keep)
                for (key, item), dumped in zip(value.items(), plain.values(), strict=True)
            }
        case _:
            return plain

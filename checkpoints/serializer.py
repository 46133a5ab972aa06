"""The serializer of checkpoints: JSON shapes in, JSON shapes out, and nothing a row could name."""

from contextvars import ContextVar
from typing import Any

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send

from checkpoints.errors import CheckpointsError

_blocked: ContextVar[list[SerdeEvent] | None] = ContextVar("blocked", default=None)


class ForeignValue(CheckpointsError):
    """Something that is no JSON shape was to be kept in a checkpoint, or was found in one."""


class ForeignCheckpoint(ForeignValue):
    """A stored checkpoint holds what none of ours does: somebody else may have written it."""


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serializer, closed: no pickle, no types by name, and an attempt at either is fatal.

    Exceptions are kept by the name of their type alone: their text may hold anything.
    """

    def __init__(self) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=None, allowed_json_modules=None)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The bytes of a JSON-shaped value; raises ForeignValue for any other."""
        if isinstance(obj, BaseException):
            obj = type(obj).__name__
        _require_json(obj)
        return super().dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value of stored bytes; raises ForeignCheckpoint if they name a type that is not allowed."""
        if data[0] not in {"msgpack", "null", "empty"}:
            raise ForeignCheckpoint(f"a checkpoint holds {data[0]!r}")
        blocked: list[SerdeEvent] = []
        token = _blocked.set(blocked)
        try:
            value = super().loads_typed(data)
        finally:
            _blocked.reset(token)
        if blocked:
            raise ForeignCheckpoint(f"a checkpoint names {blocked[0]['module']}.{blocked[0]['name']}")
        try:
            _require_json(value)
        except ForeignValue as foreign:
            raise ForeignCheckpoint(str(foreign)) from foreign
        return value


def _note(event: SerdeEvent) -> None:
    blocked = _blocked.get()
    if blocked is not None:
        blocked.append(event)


register_serde_event_listener(_note)


def _require_json(value: Any) -> None:
    kind = type(value)
    if value is None or kind in {str, int, float, bool}:
        return
    if kind in {list, tuple}:
        for item in value:
            _require_json(item)
    elif kind is dict:
        for key, item in value.items():
            _require_json(key)
            _require_json(item)
    elif kind is Interrupt:
        _require_json(value.value)
    elif kind is Send:
        _require_json(value.arg)
    else:
        raise ForeignValue(f"{kind.__module__}.{kind.__name__} is no JSON shape")

"""What a node tells the record: events that travel in its result and commit with its checkpoint."""

from typing import Any
from uuid import UUID, uuid5

from langgraph.runtime import Runtime

from checkpoints.audit import Event
from nodes.context import Context
from nodes.shapes import Json

_EVENTS = UUID("6f6d1c1a-3c0a-5a44-9d2e-3f0c5be6c9a1")


class Story:
    """Events of one task. Their ids derive from the task's id: a repeated step cannot tell twice.

    Attributes:
        step: the name of the node whose task it is.
    """

    def __init__(self, runtime: Runtime[Context], actor: str) -> None:
        assert runtime.execution_info is not None
        assert runtime.context is not None, "a governed graph runs with its Context"
        self.task_id = runtime.execution_info.task_id
        # `name:task`, within graphs that run within others `outer:task|name:task`
        self.step = runtime.execution_info.checkpoint_ns.rpartition("|")[2].partition(":")[0]
        self._context = runtime.context
        self._actor = actor
        self.sealing = runtime.context.sealing
        self.events: list[Json] = []

    def tell(self, kind: str, *, actor: str | None = None, **data: Any) -> None:
        """Add an event of this kind with JSON-shaped data."""
        self.events.append(self.event(kind, actor=actor, **data).to_json())

    def event(self, kind: str, *, actor: str | None = None, **data: Any) -> Event:
        """An event that is not added, for what writes it elsewhere."""
        return Event(
            id=str(uuid5(_EVENTS, f"{self.task_id}/{kind}/{len(self.events)}")),
            case_id=self._context.case_id,
            kind=kind,
            actor=actor or self._actor,
            at=self._context.clock(),
            data=data,
        )

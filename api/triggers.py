"""GET /triggers: which tables and folders cases begin from, and how each trigger stands."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from api.access import Caller, TheParts
from api.shapes import Shape
from graphs.triggers import TriggerStanding, standings

router = APIRouter(tags=["triggers"])


class TriggerOut(Shape):
    """A trigger, how far it has looked, and why it stands still if it does.

    Attributes:
        mark: of a table the order value and the key at its end, as last noted.
        reason: what is the matter, `why` in words; nothing is if it is null.
    """

    name: str
    kind: Literal["table", "folder"]
    workflow: str
    service: str
    looked_at: datetime | None
    mark: list[str] | None
    reason: str | None
    why: str | None
    reason_at: datetime | None
    wake_at: datetime | None

    @classmethod
    def of(cls, standing: TriggerStanding) -> "TriggerOut":
        """A trigger as the API shows it."""
        trigger, state = standing.trigger, standing.state
        return cls(
            name=trigger.name,
            kind=standing.kind,
            workflow=trigger.workflow,
            service=trigger.service,
            looked_at=state.looked_at,
            mark=standing.mark,
            reason=state.reason,
            why=standing.why,
            reason_at=state.reason_at,
            wake_at=state.wake_at,
        )


class TriggersOut(Shape):
    """Every trigger, by name."""

    items: list[TriggerOut]


@router.get("/triggers")
async def list_triggers(parts: TheParts, _caller: Caller) -> TriggersOut:
    """Every trigger, by name."""
    return TriggersOut(items=[TriggerOut.of(one) for one in await standings(parts)])

"""/schedules: cases that begin by the clock, once or again and again."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, status
from pydantic import AwareDatetime, Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.shapes import Shape
from api.vote_bodies import Strict
from checkpoints.schedules import Missed
from graphs.schedules import Schedules, Wish
from graphs.storable import storable

router = APIRouter(tags=["schedules"])


class ScheduleIn(Strict):
    """What begins when: `cron` of five fields in a time zone, or once `at` a time.

    Attributes:
        missed: what is done about times that went by while nobody worked: `skip` them, one case for them all
            (`once`), or `all`, the newest fifty.
        data: the data of the event that each case begins with; nothing personal.
    """

    workflow: Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,59}$")]
    cron: Annotated[str, Field(pattern="^[A-Za-z0-9*/,#\\- ]{9,100}$")] | None = None
    at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    timezone: Annotated[str, Field(pattern="^[A-Za-z0-9_+/-]{1,60}$")] = "UTC"
    missed: Annotated[Missed, Field(strict=False)]
    data: dict[str, Any]

    @model_validator(mode="after")
    def _fits(self) -> "ScheduleIn":
        if not storable(self.data):
            raise ValueError("the data holds NUL characters or lone surrogates, or is nested too deeply")
        return self


class ScheduleOut(Shape):
    """A schedule, when its next case begins, and why it stopped itself if it did."""

    id: str
    workflow: str
    name: str
    cron: str | None
    timezone: str
    missed: Missed
    data: dict[str, Any]
    created_by: str
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    tries: int
    paused_at: datetime | None
    paused_by: str | None
    refusal: str | None


class SchedulesOut(Shape):
    """Every schedule, by name."""

    items: list[ScheduleOut]


class Removed(Shape):
    """The schedule that is gone."""

    id: str


@router.get("/schedules")
async def list_schedules(parts: TheParts, _caller: Caller) -> SchedulesOut:
    """Every schedule, by name."""
    return SchedulesOut(items=[ScheduleOut.model_validate(one) for one in await Schedules(parts).all()])


@router.post("/schedules", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require_json)])
async def add_schedule(parts: TheParts, caller: Caller, body: ScheduleIn) -> ScheduleOut:
    """Have cases begin by the clock, on behalf of the caller: who has them begin cannot sign them."""
    wish = Wish(**{name: getattr(body, name) for name in ScheduleIn.model_fields})
    return ScheduleOut.model_validate(await Schedules(parts).add(wish, caller))


@router.post("/schedules/{schedule_id}/pause")
async def pause_schedule(parts: TheParts, caller: Caller, schedule_id: Id) -> ScheduleOut:
    """Stop it until it is resumed."""
    return ScheduleOut.model_validate(await Schedules(parts).pause(schedule_id, caller))


@router.post("/schedules/{schedule_id}/resume")
async def resume_schedule(parts: TheParts, caller: Caller, schedule_id: Id) -> ScheduleOut:
    """Let it go on, from now."""
    return ScheduleOut.model_validate(await Schedules(parts).resume(schedule_id, caller))


@router.delete("/schedules/{schedule_id}")
async def remove_schedule(parts: TheParts, caller: Caller, schedule_id: Id) -> Removed:
    """Remove it; the cases that it has opened stay."""
    await Schedules(parts).remove(schedule_id, caller)
    return Removed(id=schedule_id)

"""Schedules as people make them: added, paused, resumed and removed, each on the record."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from checkpoints.audit import tell
from checkpoints.schedules import (
    Missed,
    Schedule,
    add_schedule,
    all_schedules,
    change_schedule,
    get_schedule,
    remove_schedule,
)
from graphs.clockwork import may_schedule, schedule_event
from graphs.closing import NotEligible
from graphs.intake import fitting
from graphs.ticks import ScheduleUnfit, first_after, zone
from graphs.wiring import Parts
from nodes.marks import mark_of
from nodes.permissions import Kind, Principal
from tools.contract import FieldClass

_OPEN_CLASSES = (FieldClass.PUBLIC, FieldClass.INTERNAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody wants to begin when: by cron in a time zone, or once at a time."""

    workflow: str
    name: str
    cron: str | None
    at: datetime | None
    timezone: str
    missed: Missed
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Schedules:
    """Takes schedules in and changes them."""

    parts: Parts

    async def all(self) -> list[Schedule]:
        """Every schedule, by name."""
        async with self.parts.database.transaction() as tx:
            return await all_schedules(tx)

    async def add(self, wish: Wish, principal: Principal) -> Schedule:
        """Store a schedule.

        Raises:
            ScheduleUnfit: no such workflow or time zone, a cron that cannot be or never comes, a time that is
                over, or data that holds something personal.
            EventRefused: the data does not fit the workflow.
            NotEligible: the principal may not; the attempt is on the record.
            ScheduleNameTaken.
        """
        await self._require(wish.workflow, principal, "add", wish.name)
        workflow = self.parts.workflows.get(wish.workflow)
        if workflow is None:
            raise ScheduleUnfit(f"workflow: there is none called {wish.workflow!r}")
        now = self.parts.clock()
        first = self._first(wish, now)
        data = fitting(workflow, wish.data)
        _require_nothing_personal(workflow.event.model_validate(data))
        schedule = Schedule(
            id=self.parts.ids(),
            workflow=wish.workflow,
            name=wish.name,
            cron=wish.cron,
            timezone=wish.timezone,
            missed=wish.missed,
            data=data,
            created_by=principal.actor,
            created_at=now,
            next_at=first,
            wake_at=first,
        )
        rule = {"cron": wish.cron, "timezone": wish.timezone, "missed": wish.missed.value, "data": data}
        async with self.parts.database.transaction() as tx:
            await add_schedule(tx, schedule)
            told = schedule_event(
                self.parts, "schedule.added", schedule, principal.actor, next=str(first), **rule
            )
            await tell(tx, told)
        return schedule

    async def pause(self, schedule_id: str, principal: Principal) -> Schedule:
        """Stop it until it is resumed; raises ScheduleNotFound, NotEligible."""
        stopped = {"paused_at": self.parts.clock(), "paused_by": principal.actor, "wake_at": None}
        return await self._change(schedule_id, principal, "paused", stopped)

    async def resume(self, schedule_id: str, principal: Principal) -> Schedule:
        """Go on, from now; ticks while it was paused are not made up for.

        Raises:
            ScheduleNotFound, NotEligible.
            ScheduleUnfit: it has no tick any more.
        """
        async with self.parts.database.transaction() as tx:
            schedule = await get_schedule(tx, schedule_id)
        if schedule.paused_at is None:
            return schedule
        following = schedule.next_at
        if schedule.cron is not None:
            following = first_after(schedule.cron, schedule.timezone, self.parts.clock())
        going = {"paused_at": None, "paused_by": None, "refusal": None, "tries": 0}
        return await self._change(
            schedule_id, principal, "resumed", going | {"next_at": following, "wake_at": following}
        )

    async def remove(self, schedule_id: str, principal: Principal) -> None:
        """Remove it; cases it has opened stay. Raises ScheduleNotFound, NotEligible."""
        await self._change(schedule_id, principal, "removed", None)

    async def _change(
        self, schedule_id: str, principal: Principal, what: str, values: dict[str, Any] | None
    ) -> Schedule:
        async with self.parts.database.transaction() as tx:
            known = await get_schedule(tx, schedule_id)
        await self._require(known.workflow, principal, what, known.name)
        async with self.parts.database.transaction() as tx:
            schedule = await get_schedule(tx, schedule_id, lock=True)
            if values is None:
                await remove_schedule(tx, schedule_id)
            else:
                await change_schedule(tx, schedule_id, **values)
            await tell(tx, schedule_event(self.parts, f"schedule.{what}", schedule, principal.actor))
        return replace(schedule, **values or {})

    def _first(self, wish: Wish, now: datetime) -> datetime:
        zone(wish.timezone)
        if (wish.cron is None) is (wish.at is None):
            raise ScheduleUnfit("give either cron or at")
        if wish.cron is not None:
            return first_after(wish.cron, wish.timezone, now)
        assert wish.at is not None, "one of the two is there"
        if wish.at <= now:
            raise ScheduleUnfit(f"at: {wish.at.isoformat()} is over")
        return wish.at

    async def _require(self, workflow_name: str, principal: Principal, what: str, name: str) -> None:
        """Raise NotEligible unless this person may; where the workflow is gone, any other's right will do."""
        workflow = self.parts.workflows.get(workflow_name)
        asked = [workflow] if workflow else list(self.parts.workflows.values())
        if principal.kind is Kind.PERSON and any(may_schedule(one, principal) for one in asked):
            return
        data = {"act": what, "name": name, "workflow": workflow_name}
        await self._deny(principal, data)
        raise NotEligible("no role of yours lets cases begin by the clock (schedules: true)")

    async def _deny(self, principal: Principal, data: dict[str, str]) -> None:
        denied = self.parts.event("schedule.denied", principal.actor, data)
        async with self.parts.database.transaction() as tx:
            await tell(tx, denied)


def _require_nothing_personal(event: BaseModel) -> None:
    """A schedule lies in clear for as long as it is there: it holds ids, and what they mean is read later."""
    named = [
        name
        for name in type(event).model_fields
        if mark_of(type(event), name).field_class not in _OPEN_CLASSES and getattr(event, name) is not None
    ]
    if named:
        raise ScheduleUnfit(f"data: {', '.join(named)} would hold something personal; a schedule holds ids")

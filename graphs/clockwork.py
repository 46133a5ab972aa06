"""The clockwork: opens the cases of schedules when their time has come, each tick once."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.database import Transaction
from checkpoints.schedules import Schedule, change_schedule, next_tick
from graphs.backoff import wait_after
from graphs.intake import CloudEvent, Intake
from graphs.ticks import Due, ScheduleUnfit, due
from graphs.waiting_room import NoRoom
from graphs.wiring import Parts
from nodes.directory import DirectoryUnfit
from nodes.event import EventRefused
from nodes.permissions import SCHEDULES, Kind, Principal, Verb
from nodes.records import UnresolvedReference
from nodes.workflow import Workflow
from tools.contract import ToolError

logger = logging.getLogger(__name__)

ACTOR = "system:clockwork"
LONGEST_WAIT = timedelta(minutes=10)
"""While a system does not answer, a tick is tried again at least this often."""


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Looks for what is due; every worker has one, and each schedule is looked at by one at a time."""

    parts: Parts

    async def run(self, most: int = 100) -> int:
        """Open the cases of all ticks that are due, however long ago; returns how many schedules were due.

        A tick is the event `(/schedules/<id>, time)`: whoever is killed between opening its case and writing
        that down leaves it to be opened again, which gives the same case.
        """
        seen: set[str] = set()
        for _ in range(most):
            async with self.parts.database.transaction() as tx:
                now = self.parts.clock()
                schedule = await next_tick(tx, now, seen)
                if schedule is None:
                    break
                seen.add(schedule.id)
                await self._tick(tx, schedule, now)
        return len(seen)

    async def _tick(self, tx: Transaction, schedule: Schedule, now: datetime) -> None:
        try:
            found = due(schedule, now)
            for tick in found.ticks:
                await self._open(schedule, tick)
        except ScheduleUnfit as unfit:
            logger.warning("schedule %s: %s", schedule.id, unfit)
            await self._stop(tx, schedule, "unfit", now)
        except (UnresolvedReference, KeyError, ValueError):  # its workflow has changed: it holds up no other
            logger.exception("nothing can be done about schedule %s", schedule.id)
            await self._stop(tx, schedule, "unforeseen", now)
        except EventRefused as refused:
            await self._stop(tx, schedule, refused.reason, now)
        except (ToolError, NoRoom, DirectoryUnfit) as away:
            await self._put_off(tx, schedule, away, now)
        else:
            await self._settle(tx, schedule, found)

    async def _open(self, schedule: Schedule, tick: datetime) -> None:
        """Open the case of a tick, as an event of the schedule; raises EventRefused."""
        workflow = self.parts.workflows.get(schedule.workflow)
        if workflow is None:
            raise EventRefused("unknown_workflow", f"there is no workflow {schedule.workflow} any more")
        event = CloudEvent(
            id=tick.astimezone(UTC).isoformat(),
            source=schedule.source,
            type=workflow.event_type,
            data=schedule.data,
        )
        await Intake(self.parts).receive(event, self._acting(schedule, workflow))

    def _acting(self, schedule: Schedule, workflow: Workflow) -> Principal:
        """The schedule, acting for whoever made it, who must still be there and may still do so."""
        maker = self.parts.people.person(schedule.created_by)
        if maker is None or not may_schedule(workflow, maker):
            raise EventRefused("not_permitted", f"{schedule.created_by} may not schedule cases any more")
        return Principal(
            id=f"{schedule.id}/{schedule.created_by}",
            kind=Kind.SCHEDULE,
            name=schedule.name,
            human=maker.eyes,
        )

    async def _settle(self, tx: Transaction, schedule: Schedule, found: Due) -> None:
        if found.left_out:
            opened = [tick.isoformat() for tick in found.ticks]
            data = {"policy": schedule.missed.value, "since": str(schedule.next_at), "opened": opened}
            await self._told(tx, "schedule.missed", schedule, **data)
        last = found.ticks[-1] if found.ticks else schedule.next_at
        await change_schedule(
            tx, schedule.id, next_at=found.next_at, wake_at=found.next_at, last_at=last, tries=0
        )

    async def _stop(self, tx: Transaction, schedule: Schedule, reason: str, now: datetime) -> None:
        """What is refused once is refused again: it stops, and shows why, until somebody resumes it."""
        stopped = {"paused_at": now, "paused_by": ACTOR, "refusal": reason, "wake_at": None, "tries": 0}
        await change_schedule(tx, schedule.id, **stopped)
        await self._told(tx, "schedule.refused", schedule, reason=reason, tick=str(schedule.next_at))

    async def _put_off(
        self, tx: Transaction, schedule: Schedule, away: ToolError | NoRoom | DirectoryUnfit, now: datetime
    ) -> None:
        tries = schedule.tries + 1
        wait = min(wait_after(tries, self.parts.chance()), LONGEST_WAIT)
        await change_schedule(tx, schedule.id, tries=tries, wake_at=now + wait)
        if tries == 1:
            reason = "people_unknown" if isinstance(away, DirectoryUnfit) else away.reason
            await self._told(tx, "schedule.delayed", schedule, reason=reason, tick=str(schedule.next_at))

    async def _told(self, tx: Transaction, kind: str, schedule: Schedule, **data: Any) -> None:
        await tell(tx, schedule_event(self.parts, kind, schedule, ACTOR, **data))


def may_schedule(workflow: Workflow, principal: Principal) -> bool:
    """Whether somebody may have cases of a workflow begin by the clock."""
    held = sorted(principal.roles)
    return workflow.permissions.decide(held, Verb.SCHEDULE, SCHEDULES).allowed


def schedule_event(parts: Parts, kind: str, schedule: Schedule, actor: str, **data: Any) -> Event:
    """An event about a schedule."""
    named = {"schedule": schedule.id, "name": schedule.name, "workflow": schedule.workflow}
    return parts.event(kind, actor, named | data)

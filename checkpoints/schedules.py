"""Schedules: when cases begin by themselves, once or again and again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from checkpoints import setup_schema
from checkpoints.database import Transaction
from checkpoints.errors import ScheduleNameTaken, ScheduleNotFound


class Missed(StrEnum):
    """What is done about ticks whose time went by while nobody worked."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When cases of a workflow begin, on which data.

    Attributes:
        cron: five fields, in `timezone`; None for a schedule with one tick.
        data: the event's data; ids and codes, nothing personal.
        next_at: the next tick; None once there is none.
        wake_at: when a worker next looks at it: the tick, or later if a try has failed; None while paused.
        last_at: the last tick that was dealt with.
        tries: how often the tick was tried in vain.
        refusal: why it was stopped, if it stopped itself.
    """

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
    wake_at: datetime | None
    last_at: datetime | None = None
    tries: int = 0
    paused_at: datetime | None = None
    paused_by: str | None = None
    refusal: str | None = None

    @property
    def source(self) -> str:
        """The CloudEvents source of its ticks."""
        return f"/schedules/{self.id}"


_TABLE = setup_schema.schedules
_COLUMNS = [_TABLE.c[name] for name in Schedule.__dataclass_fields__]


async def add_schedule(tx: Transaction, schedule: Schedule) -> None:
    """Store a schedule; raises ScheduleNameTaken."""
    values = {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
    query = insert(_TABLE).values(values).on_conflict_do_nothing().returning(_TABLE.c.id)
    if (await tx.sql.execute(query)).first() is None:
        raise ScheduleNameTaken(f"there is a schedule called {schedule.name} already")


async def get_schedule(tx: Transaction, schedule_id: str, *, lock: bool = False) -> Schedule:
    """The schedule with this id, locked until the transaction ends if asked to; raises ScheduleNotFound."""
    query = select(*_COLUMNS).where(_TABLE.c.id == schedule_id)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise ScheduleNotFound(f"there is no schedule {schedule_id}")
    return _schedule(row)


async def all_schedules(tx: Transaction) -> list[Schedule]:
    """Every schedule, by name."""
    rows = (await tx.sql.execute(select(*_COLUMNS).order_by(_TABLE.c.name))).all()
    return [_schedule(row) for row in rows]


async def next_tick(tx: Transaction, at: datetime, but: Collection[str] = ()) -> Schedule | None:
    """A schedule that is due, locked; one that another worker holds is passed over."""
    c = _TABLE.c
    due = select(*_COLUMNS).where(c.wake_at <= at, c.id.not_in(but)).order_by(c.wake_at, c.id).limit(1)
    row = (await tx.sql.execute(due.with_for_update(skip_locked=True))).first()
    return None if row is None else _schedule(row)


async def change_schedule(tx: Transaction, schedule_id: str, **values: Any) -> None:
    """Change a schedule that is locked."""
    await tx.sql.execute(update(_TABLE).where(_TABLE.c.id == schedule_id).values(**values))


async def remove_schedule(tx: Transaction, schedule_id: str) -> None:
    """Remove a schedule that is locked; what it was stays on the record."""
    await tx.sql.execute(delete(_TABLE).where(_TABLE.c.id == schedule_id))


def _schedule(row: Row[Any]) -> Schedule:
    values = row._asdict()
    return Schedule(**values | {"missed": Missed(values["missed"])})

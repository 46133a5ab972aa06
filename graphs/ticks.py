"""Ticks: the times of a schedule, in its own time zone, and which of them are due.

Where clocks are put on or back it is as in Debian's cron. At a fixed hour: a tick in the hour that is left
out comes when that hour would have begun, one in the hour that comes twice comes the first time only. With
`*` for the hour or the minute the clock on the wall counts: nothing in the hour that is left out, everything
twice in the hour that comes twice.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from checkpoints.schedules import Missed, Schedule

GRACE = timedelta(minutes=1)
"""A tick that is seen later than this was missed."""
MOST_MISSED = 50
"""So many ticks are made up for at most, the newest."""
_FIELDS = 5
_SPANS = tuple(timedelta(hours=hours) for hours in (1, 24, 24 * 32, 24 * 400, 24 * 366 * 50))


class ScheduleUnfit(Exception):
    """This cannot be a schedule; nothing was stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What a look at a schedule comes to.

    Attributes:
        ticks: those to open a case for, the oldest first.
        left_out: whether there were others, which the policy leaves out.
        next_at: the tick after them; None if there is none.
    """

    ticks: tuple[datetime, ...]
    left_out: bool
    next_at: datetime | None


def zone(name: str) -> ZoneInfo:
    """The time zone of this name; raises ScheduleUnfit."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ScheduleUnfit(f"timezone: {name!r} is none; take one such as Europe/Berlin") from error


def ticks_after(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """The ticks after a time, in UTC, each later than the one before; raises ScheduleUnfit."""
    if len(cron.split()) != _FIELDS:
        raise ScheduleUnfit(
            f"cron: {cron!r} does not have five fields: minute, hour, day, month, day of the week"
        )
    last = after
    try:
        for local in CronSim(cron, after.astimezone(zone(timezone))):
            tick = local.astimezone(UTC)
            if tick > last:  # in the hour that comes twice the first one can lie behind
                yield tick
                last = tick
    except CronSimError as error:
        raise ScheduleUnfit(f"cron: {cron!r}: {error}") from error


def first_after(cron: str, timezone: str, after: datetime) -> datetime:
    """The first tick after a time; raises ScheduleUnfit, also if there is none in fifty years."""
    tick = next(ticks_after(cron, timezone, after), None)
    if tick is None:
        raise ScheduleUnfit(f"cron: {cron!r} never comes")
    return tick


def due(schedule: Schedule, now: datetime) -> Due:
    """Which ticks a schedule that is due opens cases for, and when the next one is; raises ScheduleUnfit."""
    assert schedule.next_at is not None, "what is due has a tick"
    if schedule.cron is None:
        late = schedule.missed is Missed.SKIP and now - schedule.next_at > GRACE
        return Due(ticks=() if late else (schedule.next_at,), left_out=late, next_at=None)
    most = 1 if schedule.missed is Missed.ONCE else MOST_MISSED
    since = schedule.next_at
    if schedule.missed is Missed.SKIP:
        since = max(since, now - GRACE)
    ticks = _newest(schedule.cron, schedule.timezone, since, now, most)
    return Due(
        ticks=ticks,
        left_out=not ticks or ticks[0] > schedule.next_at,
        next_at=next(ticks_after(schedule.cron, schedule.timezone, now), None),
    )


def _newest(cron: str, timezone: str, since: datetime, now: datetime, most: int) -> tuple[datetime, ...]:
    """The newest ticks from one time to another, both included; looked for ever further back."""
    before = since - timedelta(seconds=1)
    found: deque[datetime] = deque(maxlen=most)
    for span in _SPANS:
        start = max(before, now - span)
        found.clear()
        for tick in ticks_after(cron, timezone, start):
            if tick > now:
                break
            found.append(tick)
        if len(found) == most or start == before:
            break
    return tuple(tick for tick in found if tick >= since)

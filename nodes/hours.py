"""Working hours: when a time that is counted in them is over, across nights, weekends, holidays and DST."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_LONGEST_SEARCH = 4000
"""Days; longer than the most working time a table can name takes at one hour a week."""
_A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """The hours of a team, on some days of the week, by the clock of a place.

    Attributes:
        days: 0 for Monday to 6 for Sunday.
    """

    zone: ZoneInfo
    days: frozenset[int]
    opens: time
    closes: time
    holidays: frozenset[date] = field(default_factory=frozenset)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first instant by which so much working time has passed since `start`, in UTC.

        Elapsed time is counted, not the clock's hands: an hour that DST skips is no working time.

        Raises:
            ValueError: there are no working hours to count.
        """
        left, day = length, start.astimezone(self.zone).date()
        for _ in range(_LONGEST_SEARCH):
            begin, end = self._of(day)
            begin = max(begin, start.astimezone(UTC))
            if end > begin and left <= end - begin:
                return begin + left
            left -= max(end - begin, timedelta())
            day += timedelta(days=1)
        raise ValueError("there are no working hours to count")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much working time lies between two instants; none if the second is the earlier one."""
        day, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        total = timedelta()
        while day <= last:
            opens, closes = self._of(day)
            total += max(min(closes, end) - max(opens, start), timedelta())
            day += timedelta(days=1)
        return total

    def _of(self, day: date) -> tuple[datetime, datetime]:
        """The working hours of a day, empty on a free one, in UTC."""
        opens = self._instant(day, self.opens)
        if day.weekday() not in self.days or day in self.holidays:
            return opens, opens
        return opens, self._instant(day, self.closes)

    def _instant(self, day: date, at: time) -> datetime:
        """When the clock shows this, in UTC; a time that it skips is when it skips it."""
        local = datetime.combine(day, at, self.zone)
        shown = local.astimezone(UTC)
        if shown.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return shown
        before, after_ = local.replace(fold=1).astimezone(UTC), shown
        old = before.astimezone(self.zone).utcoffset()
        while after_ - before > _A_SECOND:
            middle = before + (after_ - before) / 2
            if middle.astimezone(self.zone).utcoffset() == old:
                before = middle
            else:
                after_ = middle
        return after_.replace(microsecond=0)


def after(start: datetime, length: timedelta, hours: Hours | None) -> datetime:
    """When a time is over that is counted in these hours, or by the clock if there are none."""
    return start + length if hours is None else hours.after(start, length)


def between(start: datetime, end: datetime, hours: Hours | None) -> timedelta:
    """How much time that is counted in these hours lies between two instants, or by the clock."""
    return end - start if hours is None else hours.between(start, end)

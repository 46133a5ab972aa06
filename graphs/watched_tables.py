"""Watched tables: each row is an event, also one that is committed late."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from checkpoints.triggers import known_among
from graphs.envelope import LONGEST_ATTRIBUTE
from graphs.intake import CloudEvent, Intake
from graphs.looks import Looked, attempt_of, one_look, receive
from graphs.storable import storable
from graphs.trigger_file import TableTrigger
from graphs.wiring import Parts
from nodes.event import EventRefused
from nodes.permissions import Principal
from tools.triggers.table import Place, Row, TableReader

OVERLAP = timedelta(minutes=10)
"""How long a row may be on its way from getting its order value to its commit, and is found nevertheless."""
PAGE = 200
_MOST_PAGES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a table was looked at. A sweep reads from `since` to the end, page by page.

    A row that is committed late stands before `mark`, yet not before where the end was OVERLAP ago, provided
    that order values only grow. So `since` moves to `mark` with a sweep that began OVERLAP after `marked_at`.

    Attributes:
        watch: digest of what is watched; of something else nothing is known.
        since: everything up to here was seen, and nothing can come late any more.
        mark: where the end of the table was, at `marked_at`.
        reached: how far the sweep under way has come, which began at `began_at`; None between two.
    """

    watch: str
    since: Place | None = None
    mark: Place | None = None
    marked_at: datetime | None = None
    reached: Place | None = None
    began_at: datetime | None = None

    def began(self, now: datetime) -> "Mark":
        """With a sweep under way."""
        if self.began_at is not None:
            return self
        return replace(self, reached=self.since, began_at=now)

    def ended(self, now: datetime) -> "Mark":
        """With the sweep at the end of the table."""
        over = replace(self, reached=None, began_at=None)
        if self.mark is None or self.marked_at is None:
            return replace(over, mark=self.reached, marked_at=now)
        if self.began_at is not None and self.began_at >= self.marked_at + OVERLAP:
            return replace(over, since=self.mark, mark=self.reached, marked_at=now)
        return over

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped."""
        told = asdict(self)
        for name in ("marked_at", "began_at"):
            told[name] = None if told[name] is None else told[name].isoformat()
        return told

    @classmethod
    def read(cls, told: dict[str, Any], watch: str) -> "Mark":
        """From its JSON, if it is about the same rows; else a new one."""
        if told.get("watch") != watch:
            return cls(watch=watch)
        places = {name: _place(told[name]) for name in ("since", "mark", "reached")}
        times = {name: _time(told[name]) for name in ("marked_at", "began_at")}
        return cls(watch=watch, **places, **times)  # type: ignore[arg-type] # the names are right above


@dataclass(frozen=True, slots=True)
class TableRound:
    """What every worker does about a watched table; one at a time does it."""

    parts: Parts
    trigger: TableTrigger
    reader: TableReader

    async def run(self) -> int:
        """Take in the rows that are new; returns how many pages were full."""
        pages = 0
        while pages < _MOST_PAGES and await one_look(self.parts, self.trigger, self._look):
            pages += 1
        return pages

    async def _look(self, told: dict[str, Any], service: Principal) -> Looked:
        mark = Mark.read(told, self.trigger.rows).began(self.parts.clock())
        rows = await self.reader.page(mark.reached, PAGE, self.parts.clock())
        await self._take_in(rows, service)
        if rows:
            mark = replace(mark, reached=rows[-1].place)
        if len(rows) == PAGE:
            return Looked(mark.to_json(), more=True)
        left_out = "order_missing" if await self.reader.unordered() else None
        return Looked(mark.ended(self.parts.clock()).to_json(), more=False, left_out=left_out)

    async def _take_in(self, rows: Sequence[Row], service: Principal) -> None:
        source = self.trigger.source
        attempts = {row.place: attempt_of(source, row.place.key, row.place.order) for row in rows}
        async with self.parts.database.transaction() as tx:
            keys = [row.place.key for row in rows]
            known, refused = await known_among(tx, source, keys, list(attempts.values()))
        for row in rows:
            attempt = attempts[row.place]
            if row.place.key not in known and attempt not in refused:
                await self._receive(row, service, attempt)

    async def _receive(self, row: Row, service: Principal, attempt: str) -> None:
        workflow = self.parts.workflows[self.trigger.workflow]
        key = row.place.key
        event = CloudEvent(id=key, source=self.trigger.source, type=workflow.event_type, data=row.data)
        if not 0 < len(key) <= LONGEST_ATTRIBUTE:
            event = replace(event, id=sha256(key.encode()).hexdigest())
            refused = EventRefused("key_unfit", "the key is empty or too long")
        elif row.data is None or not storable(row.data):
            refused = EventRefused("row_unfit", "the data is too large, too deep, or cannot be stored")
        else:
            await receive(self.parts, event, service, attempt)
            return
        await Intake(self.parts).record_refusal(event, service, refused, attempt=attempt)


def _place(told: Any) -> Place | None:
    return None if told is None else Place(*told)


def _time(told: Any) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)

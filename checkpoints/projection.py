"""What a checkpoint tells the tables: the case row moves and the events are written where the state is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import Checkpoint
from langgraph.types import Interrupt
from psycopg.types.json import Jsonb

from checkpoints.audit import Event, append_events
from checkpoints.cases import EXCEPTIONAL, Status
from checkpoints.halts import wait_for_release
from checkpoints.unit import Statements

RECORD_CHANNEL = "record"
STANDING_CHANNEL = "standing"
STEP_CHANNEL = "step"
REVIEW_KEY = "countersign"
STUCK_KEY = "countersign_stuck"
HALT_KEY = "countersign_halt"

_ADVANCE = "SELECT countersign_advance(%s, %s, %s, %s, %s, %s, %s)"
_OPEN_REVIEW = """
WITH opened AS (
    INSERT INTO reviews (id, case_id, workflow, interrupt_id, tool, rule, title, action, digest, shown,
                         ladder, roles, risk, reversible, against, amount_minor, currency, status,
                         opened_at, due_at, due_seconds, due_working, remind_at, expires_at, hold_seconds)
    VALUES (%(id)s, %(case_id)s, %(workflow)s, %(interrupt_id)s, %(tool)s, %(rule)s, %(title)s, %(action)s,
            %(digest)s, %(shown)s, %(ladder)s, %(roles)s::text[], %(risk)s, %(reversible)s, %(against)s,
            %(amount_minor)s, %(currency)s, 'open',
            %(opened_at)s, %(due_at)s, %(due_seconds)s, %(due_working)s, %(remind_at)s, %(expires_at)s,
            %(hold_seconds)s)
    ON CONFLICT (id) DO NOTHING RETURNING case_id
)
UPDATE cases SET status = 'waiting_review', reason = NULL, owner = %(owner)s, updated_at = %(opened_at)s
WHERE id IN (SELECT case_id FROM opened)
"""
# A graph that left in an exception can be woken only if it then waits, which its interrupt says.
_STEP = "UPDATE exceptions SET step = %s, retryable = false WHERE case_id = %s AND closed_at IS NULL"
_WAKE = """
UPDATE exceptions SET interrupt_id = %s, retryable = %s, wake_at = %s WHERE case_id = %s AND closed_at IS NULL
"""
_STANDING_STILL = frozenset({*EXCEPTIONAL, Status.WAITING_INFO})
"""The statuses of a graph that waits for a way out."""
_REVIEW_TIMES = ("opened_at", "due_at", "remind_at", "expires_at")
_REVIEW_VALUES = (
    *("id", "workflow", "tool", "rule", "title", "digest", "roles", "risk", "reversible", "against", "owner"),
    *("amount_minor", "currency", "due_seconds", "due_working", "hold_seconds"),
)


@dataclass(frozen=True, slots=True)
class Projection:
    """Projects the checkpoints of one case: its graph's, and the events of those of its lanes."""

    case_id: str
    clock: Callable[[], datetime]

    async def checkpoint(
        self,
        to: Statements,
        parent: str | None,
        checkpoint: Checkpoint,
        changed: Mapping[str, Any],
    ) -> None:
        """Move the case row from `parent` to this checkpoint, and append the events of its step.

        The database raises StaleHead's SQLSTATE if `parent` is not the head (the fence).
        """
        values = checkpoint["channel_values"]
        standing = (values.get(STANDING_CHANNEL) if STANDING_CHANNEL in changed else None) or {}
        await to.execute(
            _ADVANCE,
            (
                self.case_id,
                parent,
                checkpoint["id"],
                standing.get("status"),
                standing.get("reason"),
                standing.get("owner"),
                self.clock(),
            ),
        )
        if standing.get("status") in _STANDING_STILL:  # the database has opened its row with the status
            step = values.get(STEP_CHANNEL)
            await to.execute(_STEP, (step or None, self.case_id))
        await self._append(to, values, changed)

    async def lane(
        self, to: Statements, root: str, checkpoint: Checkpoint, changed: Mapping[str, Any]
    ) -> None:
        """Append the events of a step within a lane, if `root`, in whose step the lane runs, is the head."""
        await to.execute(_ADVANCE, (self.case_id, root, root, None, None, None, self.clock()))
        await self._append(to, checkpoint["channel_values"], changed)

    async def _append(self, to: Statements, values: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        if RECORD_CHANNEL in changed:
            await append_events(to, [Event.from_json(item) for item in values.get(RECORD_CHANNEL, [])])

    async def interrupts(self, to: Statements, interrupts: Sequence[Interrupt]) -> None:
        """Open the review, or note the wait, that each governed interrupt carries; once each.

        One that waits for a way out of an exception tells the exception's row how to wake it.
        """
        for interrupt in interrupts:
            carried = interrupt.value if isinstance(interrupt.value, dict) else {}
            if (review := carried.get(REVIEW_KEY)) is not None:
                await self._open(to, interrupt.id, review)
            if (stuck := carried.get(STUCK_KEY)) is not None:
                wake_at = stuck.get("wake_at")
                at = None if wake_at is None else datetime.fromisoformat(wake_at)
                await to.execute(_WAKE, (interrupt.id, bool(stuck["retryable"]), at, self.case_id))
            if (wait := carried.get(HALT_KEY)) is not None:
                named = {"case_id": self.case_id, "interrupt_id": interrupt.id}
                await wait_for_release(to, wait | named)

    async def _open(self, to: Statements, interrupt_id: str, review: dict[str, Any]) -> None:
        row = {name: review[name] for name in _REVIEW_VALUES}
        row |= {name: Jsonb(review[name]) for name in ("action", "shown", "ladder")}
        row |= {name: datetime.fromisoformat(review[name]) for name in _REVIEW_TIMES}
        await to.execute(_OPEN_REVIEW, row | {"case_id": self.case_id, "interrupt_id": interrupt_id})
        await append_events(to, [Event.from_json(review["event"])])

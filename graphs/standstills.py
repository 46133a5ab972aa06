"""Standstills: a case in an exception, held with all that waits for it, and how it is set going again."""

from typing import Any, NamedTuple

from checkpoints.audit import Event, tell
from checkpoints.cases import Case, Status, get_case, move_case
from checkpoints.commands import Command, CommandKind
from checkpoints.database import Transaction
from checkpoints.exceptions import Standstill, Way, close_standstill
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, get_review, list_reviews
from graphs.wiring import Parts

MOST_REVIEWS = 200


class CannotRetry(Exception):
    """The step that could not go on cannot be tried again: resolve the case by hand, or cancel it."""


class CaseMovedOn(Exception):
    """The case is somewhere else by now; look at it again."""


class Held(NamedTuple):
    """A case with the reviews that hold it up, all locked until the transaction ends."""

    case: Case
    reviews: list[Review]


async def set_going(tx: Transaction, parts: Parts, found: Standstill, actor: str) -> Standstill:
    """Close an open, locked exception by setting its case going again; raises CannotRetry."""
    if not found.retryable:
        raise CannotRetry
    now = parts.clock()
    closed = await close_standstill(tx, found, Way.RETRY, by=actor, at=now)
    retried = Event(
        id=parts.ids(),
        case_id=found.case_id,
        kind="exception.retried",
        actor=actor,
        at=now,
        data=told_of(found),
    )
    await tell(tx, retried)
    await move_case(tx, found.case_id, Status.RUNNING, now, reason="retried")
    command = Command(
        id=parts.ids(),
        case_id=found.case_id,
        kind=CommandKind.RESUME if found.status is Status.WAITING_INFO else CommandKind.RETRY,
        dedupe_key=f"exception:{found.id}",
        payload={} if found.interrupt_id is None else {"interrupt": found.interrupt_id},
        created_at=now,
    )
    await parts.queue.enqueue(tx, command)
    return closed


async def lock_case(tx: Transaction, case_id: str) -> Held:
    """A case and its open reviews, locked in the order in which votes lock them; raises CaseMovedOn."""
    locked = [await get_review(tx, one, lock=True) for one in await _open_reviews(tx, case_id)]
    case = await get_case(tx, case_id, lock=True)
    still = [one for one in locked if one.status is ReviewStatus.OPEN]
    if {one.id for one in still} != set(await _open_reviews(tx, case_id)):
        raise CaseMovedOn
    return Held(case, still)


async def _open_reviews(tx: Transaction, case_id: str) -> list[str]:
    page = await list_reviews(tx, limit=MOST_REVIEWS, status=ReviewStatus.OPEN, case_id=case_id)
    return sorted(review.id for review in page.items if review.kind is ReviewKind.GATE)


def told_of(found: Standstill) -> dict[str, Any]:
    """What the record says of an exception."""
    return {
        "exception": found.id,
        "was": found.status,
        "reason": found.reason,
        "step": found.step,
        "owner": found.owner,
    }

"""Closing: how a review ends, whoever or whatever ends it, and how it is told."""

from datetime import datetime, timedelta
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.cases import Status, get_case, move_case
from checkpoints.commands import Command, CommandKind
from checkpoints.database import Transaction
from checkpoints.errors import ReviewAlreadyDecided, StaleDigest
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, change_review, decide_review, open_gates
from checkpoints.sealing import Seal, keep_in
from checkpoints.votes import Vote, VoteKind, votes_on
from graphs.wiring import Parts
from nodes.eligibility import open_rungs
from nodes.hours import Hours, after
from nodes.permissions import Principal
from nodes.workflow import Ruling, Workflow

WORDS = "vote.words"
"""The field under which what people write about reviews is sealed."""


class NotEligible(Exception):
    """This principal may not decide this review; the attempt is on the record."""


class ReviewExpired(Exception):
    """The review has expired; it cannot be decided any more."""


class ReviewClaimed(Exception):
    """Somebody else has this review in hand."""


class ReviewParked(Exception):
    """The review waits for information; it is decided when that has come."""


class WorkflowNotInstalled(Exception):
    """The workflow of this review is not installed here, or does nothing like this any more."""


async def unfit(
    tx: Transaction, parts: Parts, review: Review, principal: Principal, digest: str
) -> Exception | None:
    """Why this principal cannot act on this review now, whatever they may; None if they can."""
    now = parts.clock()
    if review.status is not ReviewStatus.OPEN:
        deciders = ", ".join(vote.person for vote in await votes_on(tx, review.id)) or "the system"
        return ReviewAlreadyDecided(f"already {review.status} by {deciders}")
    if digest != review.digest:
        return StaleDigest()
    if review.expires_at is not None and review.expires_at <= now:
        return ReviewExpired("the review has expired")
    if review.paused_at is not None:
        return ReviewParked()
    claimer = review.claimer(now)
    if claimer not in {None, principal.actor}:
        return ReviewClaimed(f"{claimer} has it in hand until {review.claimed_until:%Y-%m-%d %H:%M} UTC")
    return None


async def close(
    tx: Transaction, parts: Parts, review: Review, status: ReviewStatus, actor: str, **told: Any
) -> None:
    """End a locked review, say so with what else is told of it, and wake the graph that waits for it.

    Raises:
        ReviewAlreadyDecided: it was not open any more.
    """
    now = parts.clock()
    if not await decide_review(tx, review.id, status, now):
        raise ReviewAlreadyDecided
    held_until = holds_until(review, now) if status is ReviewStatus.APPROVED else None
    told |= {} if held_until is None else {"held_until": held_until.isoformat()}
    await tell(tx, review_event(parts, review, f"review.{status}", actor, digest=review.digest, **told))
    if review.kind is not ReviewKind.GATE:
        return
    if not await wait_for_people(tx, review.case_id, now):
        standing = Status.APPROVED if status is ReviewStatus.APPROVED else Status.RUNNING
        await move_case(tx, review.case_id, standing, now)
    command = Command(
        id=parts.ids(),
        case_id=review.case_id,
        kind=CommandKind.RESUME,
        dedupe_key=await cause_of(tx, review),
        payload={"interrupt": review.interrupt_id},
        created_at=now,
        run_at=held_until,
    )
    if held_until is not None:
        await change_review(tx, review.id, held_until=held_until)
    await parts.queue.enqueue(tx, command)


def holds_until(review: Review, at: datetime) -> datetime | None:
    """Until when an approval given at this time can be taken back; None if it counts at once."""
    if review.kind is not ReviewKind.GATE or not review.hold_seconds:
        return None
    return at + timedelta(seconds=review.hold_seconds)


async def cause_of(tx: Transaction, review: Review) -> str:
    """What wakes the graph when this review is decided: anew each time that was taken back."""
    if not review.hold_seconds:
        return f"review:{review.id}"
    taken_back = sum(vote.kind is VoteKind.WITHDRAWN for vote in await votes_on(tx, review.id))
    return f"review:{review.id}:{taken_back}"


async def sealed_words(tx: Transaction, parts: Parts, review: Review, words: str) -> str:
    """What somebody wrote about a review, put apart; the token stands for it in votes and events."""
    case = await get_case(tx, review.case_id)
    seal = Seal(case.id, case.sealing_key, parts.clock)
    token = seal.token(WORDS, words)
    await keep_in(tx, seal)
    return token


async def wait_for_people(tx: Transaction, case_id: str, at: datetime) -> bool:
    """Let a case stand where its open reviews say, owned by whom the oldest asks; False if it has none."""
    waiting = await open_gates(tx, case_id)
    if waiting:
        owner = next(iter(waiting[0]), None)
        await move_case(tx, case_id, Status.WAITING_REVIEW, at, owner=owner)
    return bool(waiting)


async def leave_to_others(tx: Transaction, parts: Parts, review: Review, votes: list[Vote]) -> None:
    """Signed in part: it waits for the others from now on, and whoever signed has it in hand no longer.

    Where another stage begins, its time begins too, and those who are asked now are told.
    """
    before, now = open_rungs(review.ladder, votes[:-1]), open_rungs(review.ladder, votes)
    begins = not set(now) <= set(before)
    roles, by = [review.ladder[rung]["role"] for rung in now], votes[-1].person
    free = {"claimed_by": None, "claimed_until": None, "assigned_by": None}
    due = due_from_now(parts, review) if begins else {}
    await change_review(tx, review.id, roles=roles, **free, **due)
    if begins:
        await tell(tx, review_event(parts, review, "review.passed_on", by, roles=roles))
    if review.kind is ReviewKind.GATE:
        await wait_for_people(tx, review.case_id, parts.clock())


def due_from_now(parts: Parts, review: Review) -> dict[str, Any]:
    """The due time of a rung that begins now, and its reminder half-way there."""
    now = parts.clock()
    due_at = after(now, review.due, hours_of(parts, review))
    return {"due_at": due_at, "remind_at": now + (due_at - now) / 2}


def hours_of(parts: Parts, review: Review) -> Hours | None:
    """The hours in which the time of a review is counted; None is by the clock."""
    return workflow_of(parts, review).hours if review.due_working else None


def workflow_of(parts: Parts, review: Review) -> Workflow:
    """The workflow that a review is of; raises WorkflowNotInstalled."""
    workflow = parts.workflows.get(review.workflow)
    if workflow is None:
        raise WorkflowNotInstalled
    return workflow


def ruling_of(parts: Parts, review: Review) -> Ruling:
    """How the action of a review is judged; raises WorkflowNotInstalled."""
    ruling = workflow_of(parts, review).rulings.get(review.tool)
    if ruling is None:
        raise WorkflowNotInstalled
    return ruling


def review_event(parts: Parts, review: Review, kind: str, actor: str, **data: Any) -> Event:
    """An event of a review."""
    return Event(
        id=parts.ids(),
        case_id=review.case_id,
        kind=kind,
        actor=actor,
        at=parts.clock(),
        data={"review": review.id, **data},
    )

"""Deadlines: what time does to a review. It reminds, hands up and expires; it never approves."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoints.audit import tell
from checkpoints.database import Transaction
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, change_review, next_due
from checkpoints.votes import votes_on
from graphs.acts import hand_up, handed_up, unpark
from graphs.closing import WorkflowNotInstalled, close, due_from_now, review_event
from graphs.wiring import Parts

logger = logging.getLogger(__name__)

ACTOR = "system:deadlines"
LAST_REMINDER = timedelta(minutes=15)
"""A reminder nearer to the due time than this is not worth sending."""
LOOK_AGAIN = timedelta(minutes=10)
"""How long a review is let alone about whose time nothing could be done."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Does what is due; each thing once, in a transaction of its own, whoever else works on it."""

    parts: Parts
    put_off: dict[str, datetime] = field(default_factory=dict)
    """Reviews about whose time nothing can be done, by when that is looked at again."""

    async def run(self, most: int = 100) -> int:
        """Do what is due by now, however long ago; returns how many things were done."""
        done = 0
        while done < most:
            async with self.parts.database.transaction() as tx:
                now = self.parts.clock()
                resting = {review for review, until in self.put_off.items() if until > now}
                review = await next_due(tx, now, resting)
                if review is None:
                    break
                try:
                    async with tx.sql.begin_nested():
                        await self._wake(tx, review, now)
                except (WorkflowNotInstalled, KeyError, ValueError):  # its workflow or its hours are gone
                    logger.exception("nothing can be done about the time of review %s", review.id)
                    self.put_off[review.id] = now + LOOK_AGAIN  # it holds up no other
                else:
                    self.put_off.pop(review.id, None)
                    done += 1
        return done

    async def _wake(self, tx: Transaction, review: Review, now: datetime) -> None:
        if review.expires_at is not None and review.expires_at <= now:
            await close(tx, self.parts, review, ReviewStatus.EXPIRED, ACTOR)
        elif review.paused_at is not None:
            await unpark(tx, self.parts, review)
            told = review_event(self.parts, review, "review.info_overdue", ACTOR, to=review.asked_by)
            await tell(tx, told)
        elif review.due_at <= now:
            await self._overdue(tx, review)
        else:
            await self._remind(tx, review, now)

    async def _overdue(self, tx: Transaction, review: Review) -> None:
        """Nobody did it in time: it goes to those above, and where there are none it is rejected."""
        ladder = handed_up(review.ladder, await votes_on(tx, review.id))
        if ladder is not None:
            await hand_up(tx, self.parts, review, ladder, ACTOR)
        elif review.kind is ReviewKind.AFTERWARDS:
            await change_review(tx, review.id, **due_from_now(self.parts, review))
            await tell(tx, review_event(self.parts, review, "review.reminded", ACTOR, overdue=True))
        else:
            await close(tx, self.parts, review, ReviewStatus.EXPIRED, ACTOR)

    async def _remind(self, tx: Transaction, review: Review, now: datetime) -> None:
        """Remind whoever has it in hand, or all who may; the next time when half of the rest is over."""
        following = now + (review.due_at - now) / 2
        worth = review.due_at - following > LAST_REMINDER
        await change_review(tx, review.id, remind_at=following if worth else None)
        claimer = review.claimer(now)
        to = {"to": claimer} if claimer else {}
        await tell(
            tx, review_event(self.parts, review, "review.reminded", ACTOR, due=str(review.due_at), **to)
        )

"""The dealer: takes events out of the outbox and makes a delivery for each recipient and channel."""

import logging
from dataclasses import dataclass, field, replace

from checkpoints.audit import Event
from checkpoints.database import Transaction
from checkpoints.errors import ReviewNotFound
from checkpoints.outbox import (
    Delivery,
    DeliveryState,
    add_deliveries,
    delivery_id,
    done_with,
    next_event,
)
from checkpoints.reviews import Review, get_review
from graphs.audience import Audience, is_addressed
from graphs.notify import Channel, ChannelKind
from graphs.wiring import Parts
from nodes.directory import DirectoryUnfit

logger = logging.getLogger(__name__)

MOST_EVENTS = 50
"""How many events one round deals out at most."""
NOBODY = "nobody"
"""The recipient of what should have been told to somebody, and could be to none."""


@dataclass(slots=True)
class Dealer:
    """Deals events out, each in a transaction of its own, one dealer at a time.

    Attributes:
        place: after which event the next round begins; one that has come to the end begins from the front.
    """

    parts: Parts
    place: int = field(default=0, init=False)

    async def deal_out(self) -> int:
        """Deal out what is in the outbox; returns how many events were done with.

        An event that cannot be dealt out stays, and however many do, they hold up none behind them. Without
        channels nobody is to be told, and nothing is kept for later.
        """
        if not self.parts.notify.channels:
            async with self.parts.database.transaction() as tx:
                return await done_with(tx)
        done = 0
        for _ in range(MOST_EVENTS):
            async with self.parts.database.transaction() as tx:
                if (found := await next_event(tx, self.place)) is None:
                    self.place = 0
                    break
                self.place, event = found
                if await self._dealt(tx, event):
                    done += await done_with(tx, self.place)
        return done

    async def _dealt(self, tx: Transaction, event: Event) -> bool:
        """Make an event's deliveries; False if some could not be made yet."""
        done = True
        for channel in self.parts.notify.channels:
            try:
                async with tx.sql.begin_nested():
                    await add_deliveries(tx, await self._deliveries(tx, channel, event))
            except ReviewNotFound:
                logger.warning("nobody is told of event %s: it names no review", event.id)
            except DirectoryUnfit as unfit:
                logger.warning("whom %s writes to cannot be said: %s", channel.name, unfit)
                done = False
            except Exception:  # one event that is odd must not keep all others from being told
                logger.exception("event %s cannot be dealt out to %s", event.id, channel.name)
                done = False
        return done

    async def _deliveries(self, tx: Transaction, channel: Channel, event: Event) -> list[Delivery]:
        review = await get_review(tx, str(event.data.get("review")))
        if not channel.carries(event.kind, review.workflow):
            return []
        if channel.kind is not ChannelKind.SMTP:
            return [await self._delivery(tx, channel, event, review, channel.name)]
        mailboxes = await Audience(self.parts).mailboxes(tx, event, review)
        if not mailboxes and is_addressed(event):
            nobody = self._pending(channel, event, review, NOBODY)
            return [_skipped(nobody, "nobody who is to be told can be written to")]
        return [await self._delivery(tx, channel, event, review, mailbox.actor) for mailbox in mailboxes]

    async def _delivery(
        self, tx: Transaction, channel: Channel, event: Event, review: Review, recipient: str
    ) -> Delivery:
        pending = self._pending(channel, event, review, recipient)
        why = await Audience(self.parts).had_enough(tx, channel, pending)
        return pending if why is None else _skipped(pending, why)

    def _pending(self, channel: Channel, event: Event, review: Review, recipient: str) -> Delivery:
        now = self.parts.clock()
        return Delivery(
            id=delivery_id(event.id, channel.name, recipient),
            event_id=event.id,
            case_id=review.case_id,
            review_id=review.id,
            kind=event.kind,
            channel=channel.name,
            recipient=recipient,
            state=DeliveryState.PENDING,
            next_at=now,
            created_at=now,
        )


def _skipped(delivery: Delivery, why: str) -> Delivery:
    return replace(delivery, state=DeliveryState.SKIPPED, ended_at=delivery.created_at, error=why)

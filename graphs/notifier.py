"""The notifier: sends what is due, at least once, and writes down what became of it."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from checkpoints.audit import Event, tell
from checkpoints.cases import get_case
from checkpoints.errors import DatabaseAway
from checkpoints.outbox import (
    Delivery,
    DeliveryState,
    claim_due,
    end_delivery,
    put_off,
    revive,
    told_event,
)
from checkpoints.reviews import get_review
from graphs.audience import Audience
from graphs.backoff import wait_after
from graphs.notify import Channel, ChannelKind
from graphs.wiring import Parts
from graphs.wording import message_of
from nodes.directory import DirectoryUnfit
from nodes.permissions import Principal
from tools.notices.message import Message, NoticeUndelivered

logger = logging.getLogger(__name__)

ACTOR = "system:notifier"
LEASE = timedelta(minutes=5)
"""How long a delivery is its sender's alone: far longer than a sending takes, for clocks differ."""
MOST_AT_ONCE = 10
"""How many deliveries of one channel one worker has under way at most."""


class NotToBeTold(Exception):
    """The recipient is not to be told any more: it was decided, or is no longer theirs to decide."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends notices; every worker has one."""

    parts: Parts

    async def send_due(self, channel: Channel) -> int:
        """Send what is due on a channel, side by side; returns how many deliveries were tried.

        No transaction is open while something is sent. Whoever is killed between sending and writing it down
        leaves the delivery to be sent again, under the same id, when its lease is over.
        """
        now = self.parts.clock()
        async with self.parts.database.transaction() as tx:
            claimed = await claim_due(tx, channel.name, now=now, until=now + LEASE, limit=MOST_AT_ONCE)
        ends = await asyncio.gather(
            *(self._deliver(channel, delivery) for delivery in claimed), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return len(claimed)

    async def retry(self, wanted: str, principal: Principal) -> Delivery:
        """Have a dead delivery sent after all, on the record; raises DeliveryNotFound or DeliveryNotDead."""
        async with self.parts.database.transaction() as tx:
            delivery = await revive(tx, wanted, self.parts.clock())
            await tell(tx, self._event("notice.retried", delivery, principal.actor))
        return delivery

    async def _deliver(self, channel: Channel, delivery: Delivery) -> None:
        if delivery.attempts > self.parts.notify.attempts:
            await self._end(delivery, DeliveryState.DEAD, "the last attempt ended without an answer")
            return
        try:
            await channel.sender.send(await self._message(channel, delivery), self.parts.clock())
        except NotToBeTold as reason:
            await self._end(delivery, DeliveryState.SKIPPED, str(reason))
        except NoticeUndelivered as failure:
            await self._failed(delivery, failure)
        except DirectoryUnfit:
            await self._failed(delivery, NoticeUndelivered("the people file is unfit", permanent=False))
        except DatabaseAway:
            raise
        except Exception as error:  # whatever else is the matter with one delivery ends in its row
            logger.exception("notice %s over %s failed", delivery.id, delivery.channel)
            why = f"unforeseen: {type(error).__name__}"
            await self._failed(delivery, NoticeUndelivered(why, permanent=False))
        else:
            await self._end(delivery, DeliveryState.SENT)

    async def _message(self, channel: Channel, delivery: Delivery) -> Message:
        """The words of a delivery, from the rows as they are now; raises NotToBeTold."""
        assert delivery.review_id is not None, "only what names a review is dealt out"
        to = None
        async with self.parts.database.transaction() as tx:
            event = await told_event(tx, delivery.event_id)
            review = await get_review(tx, delivery.review_id)
            case = await get_case(tx, review.case_id)
            if channel.kind is ChannelKind.SMTP:
                found = await Audience(self.parts).mailboxes(tx, event, review)
                to = next((mailbox for mailbox in found if mailbox.actor == delivery.recipient), None)
                if to is None:
                    raise NotToBeTold
        return message_of(delivery, event, review, case, public_url=self.parts.notify.public_url, to=to)

    async def _failed(self, delivery: Delivery, failure: NoticeUndelivered) -> None:
        logger.warning("notice %s over %s failed: %s", delivery.id, delivery.channel, failure)
        if failure.permanent or delivery.attempts >= self.parts.notify.attempts:
            await self._end(delivery, DeliveryState.DEAD, str(failure))
            return
        wait = wait_after(delivery.attempts, self.parts.chance(), failure.retry_after)
        async with self.parts.database.transaction() as tx:
            await put_off(tx, delivery, self.parts.clock() + wait, str(failure))

    async def _end(self, delivery: Delivery, state: DeliveryState, why: str | None = None) -> None:
        async with self.parts.database.transaction() as tx:
            ended = await end_delivery(tx, delivery, state, self.parts.clock(), why)
            if ended and state is not DeliveryState.SKIPPED:
                await tell(tx, self._event(f"notice.{state}", delivery, ACTOR))

    def _event(self, kind: str, delivery: Delivery, actor: str) -> Event:
        told = {
            "notice": delivery.id,
            "tells": delivery.kind,
            "review": delivery.review_id,
            "channel": delivery.channel,
            "recipient": delivery.recipient,
            "attempts": delivery.attempts,
        }
        return self.parts.event(kind, actor, told, case_id=delivery.case_id)

"""Whom an event is written to: those who may sign, or whom it names; the directory is asked each time."""

from dataclasses import dataclass
from datetime import timedelta

from checkpoints.audit import Event
from checkpoints.database import Transaction
from checkpoints.outbox import Delivery, deliveries_since
from checkpoints.reviews import Review, ReviewStatus
from graphs.electorate import Electorate
from graphs.notify import Channel, ChannelKind
from graphs.wiring import Parts
from nodes.directory import Mailbox

ASKING = frozenset({"review.opened", "review.reminded", "review.escalated", "review.passed_on"})
"""The kinds by which somebody is asked to sign."""
REMINDER = "review.reminded"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Audience:
    """Knows who is to be told, and who has been reminded often enough."""

    parts: Parts

    async def mailboxes(self, tx: Transaction, event: Event, review: Review) -> list[Mailbox]:
        """Whom this event is written to at this moment, one an address; raises DirectoryUnfit.

        An event that names a role or an actor is for them. One that asks is for those who may sign the review
        as it stands, and have not; once it is decided nobody is asked any more. Others are for nobody.
        """
        if event.kind in ASKING and review.status is not ReviewStatus.OPEN:
            return []
        role, actor = _named(event)
        found: list[Mailbox] = []
        if role or actor:
            found = self.parts.people.mailboxes(role=role, actor=actor)
        elif event.kind in ASKING:
            found = await self._signers(tx, review)
        by_address: dict[str, Mailbox] = {}
        for mailbox in found:
            by_address.setdefault(mailbox.email.lower(), mailbox)
        return list(by_address.values())

    async def _signers(self, tx: Transaction, review: Review) -> list[Mailbox]:
        people, electorate = self.parts.people, Electorate(self.parts)
        signers = []
        for mailbox in (one for role in review.roles for one in people.mailboxes(role=role)):
            who = people.person(mailbox.actor)
            if who is not None and (await electorate.eligibility(tx, review, who)).allowed:
                signers.append(mailbox)
        return signers

    async def had_enough(self, tx: Transaction, channel: Channel, delivery: Delivery) -> str | None:
        """Why a recipient is not reminded again just now; None if they may be.

        Machines are told of every reminder; people of one a review and hour, and of so many an hour in all.
        """
        if delivery.kind != REMINDER or channel.kind is ChannelKind.WEBHOOK:
            return None
        lately = await deliveries_since(
            tx,
            kind=REMINDER,
            channel=channel.name,
            recipient=delivery.recipient,
            since=delivery.created_at - _HOUR,
        )
        most = self.parts.notify.reminders_per_hour
        if any(earlier.review_id == delivery.review_id for earlier in lately):
            return "reminded of this review within the hour"
        return f"reminded {most} times within the hour" if len(lately) >= most else None


def is_addressed(event: Event) -> bool:
    """Whether there is somebody whom this event should be written to."""
    return event.kind in ASKING or any(_named(event))


def _named(event: Event) -> tuple[str | None, str | None]:
    """The role and the actor that an event names, each if it names one."""
    role, actor = (event.data.get(name) for name in ("to_role", "to"))
    return role if isinstance(role, str) else None, actor if isinstance(actor, str) else None

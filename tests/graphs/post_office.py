"""Notices in the tests: channels that lead to servers of this machine, and the rounds that a worker makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from checkpoints.audit import Event, tell
from checkpoints.outbox import Delivery, list_deliveries
from checkpoints.reviews import Review
from graphs.dealer import Dealer
from graphs.notifier import Notifier
from graphs.notify import ChannelKind, Notify, read_notify
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.fakes.mail_server import MailServer
from tests.fakes.receiver import Receiver
from tests.house import FINN, LEE, MAX, House, ManualClock
from tools.notices.message import Sender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC = "https://countersign.example.com"
SIGNER_OF_120 = {"person:lee", "person:max"}
"""Who may sign a refund of 120.00: the support leads."""
HALF_WAY = 0.5
"""The chance by which waits have their middle length."""

Json = dict[str, Any]


def mail(server: MailServer, **more: Any) -> Json:
    """A mail channel that leads to a server of the tests."""
    return {
        "name": "mail",
        "kind": "smtp",
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "from": "countersign@example.com",
    } | more


def webhook(running: Receiver, **more: Any) -> Json:
    where = {"url": running.url, "allow_private": True}
    return {"name": "ops", "kind": "webhook", "secret_env": "OPS_SECRET"} | where | more


def room(_running: Receiver, **more: Any) -> Json:
    """A chat room; its address is in the environment."""
    return {"name": "room", "kind": "slack", "url_env": "ROOM_URL", "allow_private": True} | more


def notify_of(
    folder: Path, channels: Sequence[Json], *, room_url: str = "https://room.example.com/x", **more: Any
) -> Notify:
    """What a file with these channels comes to."""
    path = folder / "notify.yaml"
    path.write_text(yaml.safe_dump({"public_url": PUBLIC, "channels": list(channels)} | more))
    return read_notify(path, {"OPS_SECRET": SECRET, "ROOM_URL": room_url}, ["refund"])


@dataclass(frozen=True, slots=True)
class PostOffice:
    """A house with channels, and the rounds of its notifier taken by hand."""

    house: House
    clock: ManualClock

    @property
    def parts(self) -> Parts:
        return self.house.parts

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.parts)

    async def deal(self) -> int:
        return await Dealer(self.parts).deal_out()

    async def send(self, channel: str) -> int:
        """One round of one channel."""
        (found,) = (one for one in self.parts.notify.channels if one.name == channel)
        return await self.notifier.send_due(found)

    async def round(self) -> None:
        """Deal everything out, and send on every channel what is due."""
        await self.deal()
        for channel in self.parts.notify.channels:
            while await self.notifier.send_due(channel):
                pass

    async def review(self, scene: str = "clean_120_00_1") -> Review:
        """The open review of a scene, its opening not yet dealt out."""
        case = await self.house.after(scene)
        return await self.house.review(case.id)

    async def happened(self, review: Review, kind: str, **data: Any) -> str:
        """Tell an event of a review; returns its id."""
        event = Event(
            id=str(uuid4()),
            case_id=review.case_id,
            kind=kind,
            actor="system:timer",
            at=self.clock(),
            data={"review": review.id, **data},
        )
        async with self.parts.database.transaction() as tx:
            await tell(tx, event)
        return event.id

    async def deliveries(self, **wanted: str) -> list[Delivery]:
        """The deliveries that have these values, oldest first."""
        async with self.parts.database.transaction() as tx:
            page = await list_deliveries(tx, limit=200)
        return [
            one
            for one in reversed(page.items)
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]

    async def delivery(self, **wanted: str) -> Delivery:
        (one,) = await self.deliveries(**wanted)
        return one

    async def told(self, *kinds: str) -> list[Json]:
        """The events of these kinds, in their order."""
        return await self.house.rows(
            "SELECT kind, actor, case_id, data FROM audit_events WHERE kind = ANY(%s) ORDER BY seq",
            list(kinds),
        )

    async def waiting(self) -> int:
        """How many events are in the outbox."""
        (row,) = await self.house.rows("SELECT count(*) AS n FROM outbox")
        return int(row["n"])


def post_office(
    parts: Parts, settings: Settings, clock: ManualClock, channels: Sequence[Json], **more: Any
) -> PostOffice:
    """A post office with these channels; people have mailboxes."""
    write_mailboxes(settings.people_file)
    notify = notify_of(settings.home, channels, **more)
    return PostOffice(House(replace(parts, notify=notify, chance=lambda: HALF_WAY)), clock)


def hurried(office: PostOffice, within: timedelta = timedelta(milliseconds=300)) -> PostOffice:
    """The same post office, whose endpoints have little patience."""
    channels = [
        channel
        if channel.kind is ChannelKind.SMTP
        else replace(channel, sender=_hurried(channel.sender, within))
        for channel in office.parts.notify.channels
    ]
    notify = replace(office.parts.notify, channels=tuple(channels))
    return PostOffice(House(replace(office.parts, notify=notify)), office.clock)


def _hurried(sender: Any, within: timedelta) -> Sender:
    hurried_sender: Sender = replace(sender, endpoint=replace(sender.endpoint, within=within))
    return hurried_sender


def write_mailboxes(path: Path, **changes: str | None) -> None:
    """The people file, in which everybody has an address, or the one given for them."""
    addresses = {who.id: changes.get(who.id, f"{who.id}@example.com") for who in (LEE, MAX, FINN)}
    write_people(
        path,
        PeopleFile(
            people=[
                Person(id=who.id, name=who.name, roles=sorted(who.roles), email=addresses[who.id])
                for who in (LEE, MAX, FINN)
            ]
        ),
    )

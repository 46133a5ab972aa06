"""Who is told: those who may sign, or whom an event names; once each, reminders not too often."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from checkpoints.audit import NOTIFIED, Event, tell
from checkpoints.database import Database
from checkpoints.outbox import DeliveryState
from checkpoints.votes import VoteKind
from graphs.audience import ASKING
from graphs.dealer import MOST_EVENTS, Dealer
from graphs.notify import SILENT
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.conftest import AS_OF
from tests.fakes.mail_server import MailServer
from tests.fakes.receiver import Receiver
from tests.graphs.post_office import (
    SIGNER_OF_120,
    PostOffice,
    mail,
    post_office,
    room,
    webhook,
    write_mailboxes,
)
from tests.house import LEE, ManualClock

NOWHERE = MailServer(port=9)
NO_RECEIVER = Receiver(url="http://127.0.0.1:9/")


@pytest.fixture
def office(parts: Parts, settings: Settings, clock: ManualClock) -> PostOffice:
    """Mail, a webhook and a room; nothing is sent in these tests."""
    return post_office(parts, settings, clock, [mail(NOWHERE), webhook(NO_RECEIVER), room(NO_RECEIVER)])


async def recipients(office: PostOffice, kind: str) -> set[str]:
    return {one.recipient for one in await office.deliveries(kind=kind, channel="mail")}


# --- the outbox -------------------------------------------------------------------------------------------


def an_event(number: int, kind: str) -> Event:
    return Event(id=f"e-{number}", case_id=None, kind=kind, actor="rule:gate", at=AS_OF, data={"review": "r"})


async def in_outbox(database: Database) -> list[str]:
    async with database.connection() as connection:
        found = await connection.execute(
            "SELECT e.kind FROM outbox o JOIN audit_events e USING (seq) ORDER BY seq"
        )
        return [row[0] for row in await found.fetchall()]


async def test_what_people_are_told_of_is_in_the_outbox_with_its_event_and_nothing_else_is(
    parts: Parts,
) -> None:
    others = ("vote.cast", "review.seen", "notice.sent", "case.closed")
    async with parts.database.transaction() as tx:
        await tell(tx, *(an_event(number, kind) for number, kind in enumerate((*others, *NOTIFIED))))
    assert await in_outbox(parts.database) == list(NOTIFIED)

    async with parts.database.transaction() as tx:  # told a second time
        await tell(tx, an_event(len(others), NOTIFIED[0]))
    assert await in_outbox(parts.database) == list(NOTIFIED)


async def test_what_is_undone_is_not_in_the_outbox(parts: Parts) -> None:
    with suppress(LookupError):
        async with parts.database.transaction() as tx:
            await tell(tx, an_event(1, "review.opened"))
            raise LookupError

    assert await in_outbox(parts.database) == []


async def test_without_channels_nobody_is_told_later(office: PostOffice) -> None:
    await office.review()
    silent = Dealer(replace(office.parts, notify=SILENT))

    assert await office.waiting() == 1
    assert await silent.deal_out() == 1
    assert await office.deal() == 0
    assert await office.deliveries() == []


async def test_an_event_of_no_review_holds_up_nobody(office: PostOffice) -> None:
    async with office.parts.database.transaction() as tx:
        await tell(tx, an_event(1, "review.opened"), an_event(2, "review.opened"))
    await office.review()

    await office.deal()

    assert await office.waiting() == 0
    assert await recipients(office, "review.opened") == SIGNER_OF_120


async def test_an_event_that_cannot_be_dealt_out_stays_and_holds_up_nobody(
    office: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    """A ladder that is none: who may sign the review cannot be said."""
    odd, fine = await office.review(), await office.review("clean_120_00_2")
    await office.house.rows("UPDATE reviews SET ladder = '[{}]' WHERE id = %s", odd.id)

    for _ in range(2):
        await office.deal()

    assert await office.waiting() == 1
    assert "cannot be dealt out to mail" in caplog.text
    assert {one.review_id for one in await office.deliveries(channel="mail")} == {fine.id}
    assert {one.review_id for one in await office.deliveries(channel="ops")} == {odd.id, fine.id}


async def test_a_full_round_of_events_that_cannot_be_dealt_out_holds_up_nobody(office: PostOffice) -> None:
    odd = await office.review()
    await office.house.rows("UPDATE reviews SET ladder = '[{}]' WHERE id = %s", odd.id)
    for _ in range(MOST_EVENTS):
        await office.happened(odd, "review.escalated")
    fine = await office.review("clean_120_00_2")

    dealer = Dealer(office.parts)
    for _ in range(2):
        await dealer.deal_out()

    assert fine.id in {one.review_id for one in await office.deliveries(channel="mail")}


async def test_many_dealers_at_once_deal_each_event_out_once(office: PostOffice) -> None:
    review = await office.review()
    for _ in range(9):
        await office.happened(review, "review.info_requested")

    done = await asyncio.gather(*(office.deal() for _ in range(6)))

    assert sum(done) <= 10
    while await office.waiting():
        await office.deal()
    assert len(await office.deliveries(channel="ops")) == 10


# --- who --------------------------------------------------------------------------------------------------


async def test_a_review_that_opens_is_for_those_who_may_sign_it_and_for_every_room_once(
    office: PostOffice,
) -> None:
    await office.review()
    await office.deal()

    assert {(one.channel, one.recipient) for one in await office.deliveries()} == {
        ("mail", "person:lee"),
        ("mail", "person:max"),
        ("ops", "ops"),
        ("room", "room"),
    }
    assert await office.deal() == 0


async def test_a_larger_sum_is_for_those_whose_limit_covers_it(office: PostOffice) -> None:
    await office.review("clean_640_00_1")
    await office.deal()

    assert await recipients(office, "review.opened") == {"person:finn"}


@pytest.mark.parametrize("kind", sorted(ASKING))
async def test_whoever_asked_for_it_is_not_asked_to_sign_it(office: PostOffice, kind: str) -> None:
    review = await office.review()
    await office.house.rows("UPDATE cases SET opened_by = 'person:lee' WHERE id = %s", review.case_id)
    await office.happened(review, kind)
    await office.deal()

    assert await recipients(office, kind) == {"person:max"}


async def test_whoever_has_voted_is_not_asked_again(office: PostOffice) -> None:
    """Of two who must sign, one has."""
    review = await office.review()
    two = '[{"role": "support_lead", "people": 2, "why": ""}]'
    await office.house.rows("UPDATE reviews SET ladder = %s::jsonb WHERE id = %s", two, review.id)
    await office.house.vote(review, LEE)
    await office.happened(review, "review.reminded")
    await office.deal()

    assert await recipients(office, "review.reminded") == {"person:max"}


async def test_once_it_is_decided_nobody_is_asked_any_more(office: PostOffice) -> None:
    review = await office.review()
    await office.house.vote(review, LEE, VoteKind.REJECT)
    await office.happened(review, "review.reminded")
    await office.deal()

    for kind in ("review.opened", "review.reminded"):
        assert await recipients(office, kind) == {"nobody"}
    assert {one.kind for one in await office.deliveries(channel="ops")} == {
        "review.opened",
        "review.rejected",
        "review.reminded",
    }


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"to": "person:finn"}, {"person:finn"}),
        ({"to_role": "finance"}, {"person:finn"}),
        ({"to_role": "support_lead"}, SIGNER_OF_120),
        ({"to": "person:finn", "to_role": "support_lead"}, SIGNER_OF_120 | {"person:finn"}),
    ],
)
async def test_whom_an_event_names_is_told_by_mail_of_every_kind(
    office: PostOffice, named: dict[str, str], expected: set[str]
) -> None:
    review = await office.review()
    told = {kind: await office.happened(review, kind, **named) for kind in NOTIFIED}
    await office.deal()

    for kind, event_id in told.items():
        found = await office.deliveries(channel="mail", event_id=event_id)
        assert {one.recipient for one in found} == expected, kind


async def test_what_asks_nobody_and_names_nobody_is_no_mail(office: PostOffice) -> None:
    review = await office.review()
    told = {kind: await office.happened(review, kind) for kind in sorted(set(NOTIFIED) - ASKING)}
    await office.deal()

    for kind, event_id in told.items():
        found = await office.deliveries(event_id=event_id)
        assert {one.channel for one in found} == {"ops", "room"}, kind


async def test_that_nobody_could_be_written_to_is_written_down(
    office: PostOffice, settings: Settings
) -> None:
    write_mailboxes(settings.people_file, lee=None, max=None)
    await office.review()
    await office.deal()

    nobody = await office.delivery(channel="mail")
    assert (nobody.recipient, nobody.state) == ("nobody", DeliveryState.SKIPPED)
    assert nobody.error == "nobody who is to be told can be written to"


async def test_two_accounts_with_one_mailbox_are_written_to_once(
    office: PostOffice, settings: Settings
) -> None:
    write_mailboxes(settings.people_file, lee="Both@example.com", max="both@example.com")
    await office.review()
    await office.deal()

    assert await recipients(office, "review.opened") == {"person:lee"}


async def test_while_the_people_file_is_broken_machines_are_told_and_people_later(
    office: PostOffice, settings: Settings
) -> None:
    await office.review()
    settings.people_file.write_text("people: nonsense")
    for _ in range(2):
        await office.deal()
    assert {one.channel for one in await office.deliveries()} == {"ops", "room"}

    write_mailboxes(settings.people_file)
    await office.deal()
    assert await recipients(office, "review.opened") == SIGNER_OF_120
    assert len(await office.deliveries()) == 4


async def test_a_channel_carries_only_the_kinds_and_workflows_that_it_lists(
    parts: Parts, settings: Settings, clock: ManualClock
) -> None:
    office = post_office(
        parts,
        settings,
        clock,
        [webhook(NO_RECEIVER, kinds=["review.expired"], workflows=["refund"])],
    )
    review = await office.review()
    expired = await office.happened(review, "review.expired")
    await office.deal()

    assert [one.event_id for one in await office.deliveries()] == [expired]
    assert await office.waiting() == 0


# --- not too often ----------------------------------------------------------------------------------------


async def test_nobody_is_reminded_of_one_review_twice_within_an_hour(office: PostOffice) -> None:
    review = await office.review()
    await office.deal()
    for minutes in (0, 30, 29, 2):
        office.clock.advance(timedelta(minutes=minutes))
        await office.happened(review, "review.reminded")
        await office.deal()

    for channel, recipient in (("mail", "person:lee"), ("mail", "person:max"), ("room", "room")):
        told = await office.deliveries(kind="review.reminded", channel=channel, recipient=recipient)
        assert [one.state for one in told] == ["pending", "skipped", "skipped", "pending"]
        assert told[1].error == "reminded of this review within the hour"
        assert told[1].ended_at is not None


async def test_machines_are_told_of_every_reminder(office: PostOffice) -> None:
    review = await office.review()
    for _ in range(3):
        await office.happened(review, "review.reminded")
    await office.deal()

    reminders = await office.deliveries(kind="review.reminded", channel="ops")
    assert [one.state for one in reminders] == ["pending"] * 3


async def test_nobody_is_reminded_more_often_in_an_hour_than_is_configured(
    parts: Parts, settings: Settings, clock: ManualClock
) -> None:
    office = post_office(parts, settings, clock, [mail(NOWHERE)], reminders_per_hour=2)
    reviews = [await office.review(f"clean_120_00_{n}") for n in (1, 2)] + [
        await office.review("clean_180_00")
    ]
    await office.deal()
    for review in reviews:
        await office.happened(review, "review.reminded")
    await office.deal()

    async def states(who: str) -> list[str]:
        return [one.state for one in await office.deliveries(kind="review.reminded", recipient=who)]

    assert (
        sorted(await states("person:lee"))
        == sorted(await states("person:max"))
        == [
            "pending",
            "pending",
            "skipped",
        ]
    )
    skipped = [one.error for one in await office.deliveries(kind="review.reminded", state="skipped")]
    assert skipped == ["reminded 2 times within the hour"] * 2

    office.clock.advance(timedelta(minutes=61))
    await office.happened(reviews[2], "review.reminded")
    await office.deal()
    assert sorted(await states("person:lee")) == ["pending", "pending", "pending", "skipped"]


async def test_reminders_dealt_out_at_once_by_many_are_counted_together(
    parts: Parts, settings: Settings, clock: ManualClock
) -> None:
    office = post_office(parts, settings, clock, [mail(NOWHERE)])
    review = await office.review()
    for _ in range(8):
        await office.happened(review, "review.reminded", to="person:lee")

    while await office.waiting():
        await asyncio.gather(*(office.deal() for _ in range(4)))

    told = await office.deliveries(kind="review.reminded")
    assert sorted(one.state for one in told) == ["pending"] + ["skipped"] * 7

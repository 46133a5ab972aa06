"""Sending: at least once, by one at a time, later again if it failed, given up in the end; on the record."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.errors import DeliveryNotDead, DeliveryNotFound
from checkpoints.outbox import DeliveryState, claim_due
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.backoff import wait_after
from graphs.notifier import LEASE, MOST_AT_ONCE, Notifier
from graphs.settings import Settings
from graphs.wiring import Parts
from nodes.permissions import Principal
from tests.fakes.mail_server import MailServer, mail_server
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.graphs.post_office import (
    HALF_WAY,
    PUBLIC,
    SECRET,
    PostOffice,
    hurried,
    mail,
    post_office,
    room,
    webhook,
    write_mailboxes,
)
from tests.house import LEE, ManualClock
from tests.kills import killed_at

ATTEMPTS = 8
A_MOMENT = timedelta(milliseconds=1)
LONGER_THAN_A_WORD = 15


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
async def running() -> AsyncIterator[Receiver]:
    async with receiver() as here:
        yield here


@pytest.fixture
def by_mail(parts: Parts, settings: Settings, clock: ManualClock, server: MailServer) -> PostOffice:
    return post_office(parts, settings, clock, [mail(server)])


@pytest.fixture
def by_webhook(parts: Parts, settings: Settings, clock: ManualClock, running: Receiver) -> PostOffice:
    return post_office(parts, settings, clock, [webhook(running)])


async def opened(office: PostOffice, scene: str = "clean_120_00_1") -> Review:
    """A review whose opening is dealt out and not sent."""
    review = await office.review(scene)
    await office.deal()
    return review


async def due_again(office: PostOffice, attempt: int, asked: timedelta | None = None) -> None:
    """Move the clock to just before the next attempt, where nothing is due, and then to it."""
    office.clock.advance(wait_after(attempt, HALF_WAY, asked) - A_MOMENT)
    assert await office.send("ops") == 0
    office.clock.advance(A_MOMENT)


# --- what is sent -----------------------------------------------------------------------------------------


async def test_a_review_that_opens_writes_to_each_of_its_signers_once(
    by_mail: PostOffice, server: MailServer
) -> None:
    review = await by_mail.review()
    for _ in range(3):
        await by_mail.round()

    assert sorted(mail.recipients for mail in server.mails) == [("lee@example.com",), ("max@example.com",)]
    mail = server.mails[0]
    assert mail.content["Subject"] == "Waits for a signature: payments.refund 120.00 EUR"
    assert mail.text.splitlines() == [
        "Workflow: refund",
        f"Case: {review.case_id}",
        "About: Refund for order O-900014",
        "Action: payments.refund",
        "Amount: 120.00 EUR",
        "Needs: support_lead",
        "Due: 2026-11-20 20:00 UTC",
        f"Why: {review.shown['verdict']['says']}",
        "By: rule:gate",
        "Stands: open",
        "",
        f"{PUBLIC}/reviews/{review.id}",
    ]


async def test_what_is_sent_carries_no_power_and_nobodys_data(
    parts: Parts, settings: Settings, clock: ManualClock, server: MailServer, running: Receiver
) -> None:
    """Only a link under which one signs in: no token, no digest, no way to approve, no evidence."""
    office = post_office(
        parts, settings, clock, [mail(server), webhook(running), room(running)], room_url=running.url
    )
    review = await office.review()
    await office.round()

    everything = [f"{mail.content['Subject']}\n{mail.text}" for mail in server.mails]
    everything += [request.body.decode() for request in running.requests]
    assert len(everything) == 4
    shown = {text for text in _texts(review.shown["evidence"]) if len(text) > LONGER_THAN_A_WORD}
    assert shown
    for said in everything:
        assert f"{PUBLIC}/reviews/{review.id}" in said
        assert said.count("http") == said.count(f"{PUBLIC}/reviews/{review.id}")
        for power in (review.digest, "csp_", "csk_", "votes", "?", "approve", "C-900014", *shown):
            assert power not in said, power


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


async def test_a_webhook_tells_names_and_amounts(by_webhook: PostOffice, running: Receiver) -> None:
    review = await by_webhook.review()
    await by_webhook.round()

    (request,) = running.requests
    assert request.headers["webhook-id"] == (await by_webhook.delivery()).id
    assert request.json == {
        "type": "review.opened",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {
            "review": review.id,
            "case": review.case_id,
            "workflow": "refund",
            "tool": "payments.refund",
            "amount": {"amount_minor": 12000, "currency": "EUR"},
            "roles": ["support_lead"],
            "due_at": "2026-11-20T20:00:00Z",
            "actor": "rule:gate",
            "link": f"{PUBLIC}/reviews/{review.id}",
        },
    }


async def test_a_decision_is_told_by_whom_it_was_made(by_webhook: PostOffice, running: Receiver) -> None:
    review = await opened(by_webhook)
    await by_webhook.house.vote(review, LEE, VoteKind.REJECT)
    await by_webhook.round()

    told = {request.json["type"]: request.json["data"]["actor"] for request in running.requests}
    assert told == {"review.opened": "rule:gate", "review.rejected": "person:lee"}


async def test_a_title_that_is_hostile_stays_a_line_of_text(by_mail: PostOffice, server: MailServer) -> None:
    review = await opened(by_mail)
    await by_mail.house.rows(
        "UPDATE cases SET title = %s WHERE id = %s", "x\r\nBcc: eve@example.com\u202e<b>", review.case_id
    )
    await by_mail.round()

    assert {mail.recipients for mail in server.mails} == {("lee@example.com",), ("max@example.com",)}
    assert all(mail.content["Bcc"] is None for mail in server.mails)
    assert "About: x\\u000d\\u000aBcc: eve@example.com\\u202e<b>" in server.mails[0].text.splitlines()


async def test_what_was_sent_is_on_the_record_without_addresses(
    by_mail: PostOffice, server: MailServer
) -> None:
    review = await by_mail.review()
    await by_mail.round()

    told = await by_mail.told("notice.sent", "notice.dead")
    assert [(event["kind"], event["actor"], event["case_id"]) for event in told] == [
        ("notice.sent", "system:notifier", review.case_id)
    ] * 2
    assert {event["data"]["recipient"] for event in told} == {"person:lee", "person:max"}
    assert {one.state for one in await by_mail.deliveries()} == {DeliveryState.SENT}
    assert "@" not in json.dumps([event["data"] for event in told])


# --- to whom, at the moment of sending --------------------------------------------------------------------


async def test_an_address_that_changes_meanwhile_is_the_one_that_is_written_to(
    by_mail: PostOffice, server: MailServer, settings: Settings
) -> None:
    await opened(by_mail)
    write_mailboxes(settings.people_file, lee="new@example.com", max=None)
    await by_mail.round()

    assert [mail.recipients for mail in server.mails] == [("new@example.com",)]
    skipped = await by_mail.delivery(recipient="person:max")
    assert skipped.state is DeliveryState.SKIPPED
    assert skipped.error is not None
    assert skipped.error.startswith("The recipient is not to be told any more")


async def test_nobody_is_asked_for_what_was_decided_before_the_mail_went(
    by_mail: PostOffice, server: MailServer
) -> None:
    review = await opened(by_mail)
    await by_mail.house.vote(review, LEE, VoteKind.REJECT)
    await by_mail.round()

    assert server.mails == []
    assert {one.state for one in await by_mail.deliveries()} == {DeliveryState.SKIPPED}
    assert await by_mail.told("notice.sent", "notice.dead") == []


async def test_a_broken_people_file_is_waited_for(
    by_mail: PostOffice, server: MailServer, settings: Settings
) -> None:
    await opened(by_mail)
    settings.people_file.write_text("people: nonsense")
    await by_mail.send("mail")
    assert {one.error for one in await by_mail.deliveries()} == {"the people file is unfit"}

    write_mailboxes(settings.people_file)
    by_mail.clock.advance(wait_after(1, HALF_WAY))
    await by_mail.send("mail")
    assert len(server.mails) == 2


# --- by one at a time -------------------------------------------------------------------------------------


async def test_what_one_notifier_is_sending_no_other_sends(by_mail: PostOffice, server: MailServer) -> None:
    await opened(by_mail)
    server.after_data = None  # the first one waits for an answer, until it is cancelled
    first = asyncio.create_task(by_mail.send("mail"))
    await asyncio.wait_for(server.came.wait(), 30)

    assert await by_mail.send("mail") == 0
    by_mail.clock.advance(LEASE - A_MOMENT)
    assert await by_mail.send("mail") == 0
    first.cancel()
    await asyncio.wait({first})


async def test_notifiers_that_race_send_each_notice_once(by_mail: PostOffice, server: MailServer) -> None:
    for scene in ("clean_120_00_1", "clean_120_00_2", "clean_180_00", "clean_500_00"):
        await by_mail.review(scene)

    async def notifier() -> None:
        while await by_mail.deal() or await by_mail.waiting():
            pass
        while await by_mail.send("mail"):
            pass

    await asyncio.gather(*(notifier() for _ in range(4)))

    ids = [mail.content["Message-ID"] for mail in server.mails]
    assert len(ids) == len(set(ids)) == len(await by_mail.deliveries(state="sent")) == 4 * 2
    assert len(await by_mail.told("notice.sent")) == 4 * 2


async def test_one_round_begins_only_so_many_at_once(by_webhook: PostOffice, running: Receiver) -> None:
    review = await by_webhook.review()
    for _ in range(MOST_AT_ONCE):
        await by_webhook.happened(review, "review.info_given")
    await by_webhook.deal()

    assert await by_webhook.send("ops") == MOST_AT_ONCE
    assert await by_webhook.send("ops") == 1
    assert len(running.requests) == MOST_AT_ONCE + 1


async def test_a_sender_killed_before_it_heard_the_answer_sends_again_under_the_same_id(
    by_webhook: PostOffice, running: Receiver
) -> None:
    await opened(by_webhook)
    running.answer = Answer(hangs=True)
    sending = asyncio.create_task(by_webhook.send("ops"))
    await asyncio.wait_for(running.came.wait(), 30)
    sending.cancel()
    await asyncio.wait({sending})
    running.answer = Answer()

    assert await by_webhook.send("ops") == 0  # whoever was killed may still be sending, for all we know
    by_webhook.clock.advance(LEASE)
    assert await by_webhook.send("ops") == 1

    first, second = running.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    delivery = await by_webhook.delivery()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENT, 2)


async def test_wherever_a_sender_is_killed_the_notice_comes_and_is_recorded_once(
    by_webhook: PostOffice, running: Receiver
) -> None:
    review = await opened(by_webhook)
    await by_webhook.round()
    (channel,) = by_webhook.parts.notify.channels
    killed, suspension = True, 0
    while killed:
        event_id = await by_webhook.happened(review, "review.reminded")
        await by_webhook.deal()
        now = by_webhook.clock()
        async with by_webhook.parts.database.transaction() as tx:
            (claimed,) = await claim_due(tx, "ops", now=now, until=now + LEASE, limit=10)
        killed = await killed_at(suspension, by_webhook.notifier._deliver(channel, claimed))
        by_webhook.clock.advance(LEASE)
        await by_webhook.send("ops")

        delivery = await by_webhook.delivery(event_id=event_id)
        assert delivery.state is DeliveryState.SENT, suspension
        ids = [request.headers["webhook-id"] for request in running.requests]
        assert 1 <= ids.count(delivery.id) <= 2, suspension
        told = [event["data"]["notice"] for event in await by_webhook.told("notice.sent")]
        assert told.count(delivery.id) == 1, suspension
        suspension += 1
    assert suspension > 5


async def test_a_sender_that_was_overtaken_writes_nothing_down(
    by_webhook: PostOffice, running: Receiver
) -> None:
    await opened(by_webhook)
    running.answer = Answer(hangs=True)
    slow = asyncio.create_task(by_webhook.send("ops"))
    await asyncio.wait_for(running.came.wait(), 30)
    by_webhook.clock.advance(LEASE)
    running.answer = Answer(status=410)
    await by_webhook.send("ops")
    assert (await by_webhook.delivery()).state is DeliveryState.DEAD

    slow.cancel()
    await asyncio.wait({slow})
    now = by_webhook.clock()
    stale = replace(await by_webhook.delivery(), state=DeliveryState.PENDING, next_at=now, attempts=1)
    await by_webhook.notifier._end(stale, DeliveryState.SENT)

    assert (await by_webhook.delivery()).state is DeliveryState.DEAD
    assert await by_webhook.told("notice.sent") == []


async def test_a_notice_whose_last_attempt_was_killed_is_given_up(
    by_webhook: PostOffice, running: Receiver
) -> None:
    await opened(by_webhook)
    await by_webhook.house.rows("UPDATE deliveries SET attempts = %s", ATTEMPTS)
    await by_webhook.send("ops")

    delivery = await by_webhook.delivery()
    assert (delivery.state, delivery.error) == (
        DeliveryState.DEAD,
        "the last attempt ended without an answer",
    )
    assert running.requests == []


# --- again, later -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 429, 408, 302])
async def test_what_failed_for_the_moment_is_sent_again_when_the_clock_says_so(
    by_webhook: PostOffice, running: Receiver, status: int
) -> None:
    await opened(by_webhook)
    running.answer = Answer(status=status)
    assert await by_webhook.send("ops") == 1
    failed = await by_webhook.delivery()
    assert (failed.state, failed.attempts, failed.error) == (
        DeliveryState.PENDING,
        1,
        f"the receiver answered {status}",
    )

    running.answer = Answer()
    await due_again(by_webhook, 1)
    assert await by_webhook.send("ops") == 1

    first, second = (request.headers["webhook-id"] for request in running.requests)
    assert first == second
    sent = await by_webhook.delivery()
    assert (sent.state, sent.attempts, sent.error) == (DeliveryState.SENT, 2, None)


async def test_nobody_there_is_tried_again(parts: Parts, settings: Settings, clock: ManualClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        nobody = Receiver(url=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        office = post_office(parts, settings, clock, [webhook(nobody)])
        await opened(office)
        await office.send("ops")

    delivery = await office.delivery()
    assert (delivery.state, delivery.error) == (DeliveryState.PENDING, "no answer: ConnectError")


async def test_whoever_does_not_answer_in_time_is_tried_again(
    by_webhook: PostOffice, running: Receiver
) -> None:
    office = hurried(by_webhook)
    await opened(office)
    running.answer = Answer(hangs=True)
    await office.send("ops")

    delivery = await office.delivery()
    assert delivery.state is DeliveryState.PENDING
    assert delivery.error is not None
    assert delivery.error.startswith("no answer: ")
    assert delivery.next_at == office.clock() + wait_after(1, HALF_WAY)


@pytest.mark.parametrize(
    ("said", "asked"),
    [("600", timedelta(minutes=10)), ("99999999", timedelta(hours=6)), ("1", None), ("never", None)],
)
async def test_the_receiver_says_how_long_to_wait_up_to_a_limit(
    by_webhook: PostOffice, running: Receiver, said: str, asked: timedelta | None
) -> None:
    await opened(by_webhook)
    running.answer = Answer(status=503, headers={"Retry-After": said})
    await by_webhook.send("ops")

    await due_again(by_webhook, 1, asked)
    assert await by_webhook.send("ops") == 1


async def test_after_the_last_attempt_it_is_given_up_on_the_record(
    by_webhook: PostOffice, running: Receiver
) -> None:
    await opened(by_webhook)
    running.answer = Answer(status=500)
    for attempt in range(1, ATTEMPTS):
        assert await by_webhook.send("ops") == 1
        await due_again(by_webhook, attempt)
    assert (await by_webhook.delivery()).state is DeliveryState.PENDING
    assert await by_webhook.send("ops") == 1

    dead = await by_webhook.delivery()
    assert (dead.state, dead.attempts, dead.ended_at) == (DeliveryState.DEAD, ATTEMPTS, by_webhook.clock())
    by_webhook.clock.advance(timedelta(days=30))
    assert await by_webhook.send("ops") == 0
    assert len(running.requests) == ATTEMPTS
    (event,) = await by_webhook.told("notice.dead")
    assert (event["actor"], event["data"]["notice"]) == ("system:notifier", dead.id)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_what_will_never_be_taken_is_given_up_at_once(
    by_webhook: PostOffice, running: Receiver, status: int
) -> None:
    await opened(by_webhook)
    running.answer = Answer(status=status)
    await by_webhook.send("ops")

    dead = await by_webhook.delivery()
    assert (dead.state, dead.attempts, dead.error) == (
        DeliveryState.DEAD,
        1,
        f"the receiver answered {status}",
    )


async def test_one_refused_recipient_does_not_keep_the_other_from_being_told(
    by_mail: PostOffice, server: MailServer
) -> None:
    server.to_recipient = lambda address: "550 no such user" if address.startswith("lee") else "250 OK"
    await by_mail.review()
    await by_mail.round()

    states = {one.recipient: one.state for one in await by_mail.deliveries()}
    assert states == {"person:lee": DeliveryState.DEAD, "person:max": DeliveryState.SENT}
    assert (await by_mail.delivery(recipient="person:lee")).error == "the mail server answered 550"


async def test_a_channel_that_hangs_holds_up_no_other(
    parts: Parts, settings: Settings, clock: ManualClock, server: MailServer, running: Receiver
) -> None:
    office = post_office(parts, settings, clock, [webhook(running), mail(server)])
    running.answer = Answer(hangs=True)
    await opened(office)
    hanging = asyncio.create_task(office.send("ops"))
    await asyncio.wait_for(running.came.wait(), 30)

    await office.send("mail")

    assert len(server.mails) == 2
    hanging.cancel()
    await asyncio.wait({hanging})


async def test_a_failure_that_nobody_foresaw_ends_in_the_row(
    by_webhook: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    review = await opened(by_webhook)
    await by_webhook.house.rows("""UPDATE reviews SET shown = '{}' WHERE id = %s""", review.id)
    await by_webhook.send("ops")

    delivery = await by_webhook.delivery()
    assert (delivery.state, delivery.error) == (DeliveryState.PENDING, "unforeseen: KeyError")
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


# --- after all --------------------------------------------------------------------------------------------


async def given_up(office: PostOffice, running: Receiver) -> str:
    """A notice that was given up, whose receiver takes notices again."""
    await opened(office)
    running.answer = Answer(status=410)
    await office.send("ops")
    running.answer = Answer()
    return (await office.delivery()).id


async def test_what_was_given_up_can_be_sent_after_all(by_webhook: PostOffice, running: Receiver) -> None:
    dead = await given_up(by_webhook, running)
    by_webhook.clock.advance(timedelta(days=2))

    revived = await by_webhook.notifier.retry(dead, LEE)
    assert (revived.state, revived.attempts, revived.error) == (DeliveryState.PENDING, 0, None)
    await by_webhook.send("ops")

    assert (await by_webhook.delivery()).state is DeliveryState.SENT
    assert [request.headers["webhook-id"] for request in running.requests] == [dead, dead]
    told = await by_webhook.told("notice.dead", "notice.retried", "notice.sent")
    assert [(event["kind"], event["actor"]) for event in told] == [
        ("notice.dead", "system:notifier"),
        ("notice.retried", "person:lee"),
        ("notice.sent", "system:notifier"),
    ]


async def test_a_notice_can_be_given_up_twice_and_both_are_on_the_record(
    by_webhook: PostOffice, running: Receiver
) -> None:
    dead = await given_up(by_webhook, running)
    await by_webhook.notifier.retry(dead, LEE)
    running.answer = Answer(status=410)
    await by_webhook.send("ops")

    assert len(await by_webhook.told("notice.dead")) == 2


async def test_only_what_was_given_up_is_sent_after_all(by_webhook: PostOffice, running: Receiver) -> None:
    await by_webhook.review()
    await by_webhook.round()
    sent = await by_webhook.delivery()

    with pytest.raises(DeliveryNotDead, match="the notice is sent"):
        await by_webhook.notifier.retry(sent.id, LEE)
    with pytest.raises(DeliveryNotFound, match="there is no notice x"):
        await by_webhook.notifier.retry("x", LEE)
    assert await by_webhook.told("notice.retried") == []


async def test_of_many_who_ask_for_it_at_once_one_has_it_sent(
    by_webhook: PostOffice, running: Receiver
) -> None:
    dead = await given_up(by_webhook, running)

    async def retry(who: Principal) -> bool:
        try:
            await Notifier(by_webhook.parts).retry(dead, who)
        except DeliveryNotDead:
            return False
        return True

    assert sum(await asyncio.gather(*(retry(LEE) for _ in range(5)))) == 1


# --- secrets ----------------------------------------------------------------------------------------------


async def test_secrets_and_addresses_are_in_no_row_and_no_line_of_the_log(
    parts: Parts, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with mail_server() as server, receiver() as running:
        room_url = f"{running.url}/T000/secret-of-the-room"
        channels = [mail(server), webhook(running), room(running)]
        office = post_office(parts, settings, clock, channels, room_url=room_url)
        server.to_recipient = lambda address: f"550 {address} unknown"
        running.answer = Answer(status=500)
        await opened(office)
        for channel in office.parts.notify.channels:
            await office.send(channel.name)

    rows = await office.house.rows("SELECT d::text FROM deliveries d")
    events = await office.told("notice.dead", "notice.sent", "review.opened")
    written = f"{rows} {events} {_own_lines(caplog)} {office.parts.notify}"
    assert len(rows) == 4
    assert "/T000/secret-of-the-room" in running.requests[0].path + running.requests[1].path
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "secret-of-the-room", "lee@example.com"):
        assert secret not in written, secret


def _own_lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """What was logged, less the lines of the mail server that this process has for the tests."""
    return [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]

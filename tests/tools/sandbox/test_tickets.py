import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.house import ManualClock
from tests.tools.shop import AS_OF, Shop
from tools.contract import FieldClass, Marked, RecordNotFound, ToolRefused, Trust
from tools.sandbox.cast import CAST
from tools.sandbox.replies import ReplyStatus
from tools.sandbox.tickets import Ticket, TicketStatus

SCENE = CAST["clean_120_00_1"]


async def test_a_ticket_says_who_wrote_what_about_which_order(shop: Shop) -> None:
    ticket = await shop.do("tickets.get", ticket_id=SCENE.ticket_id)
    assert (ticket.customer_id, ticket.order_id) == (SCENE.customer_id, SCENE.order_id)
    assert ticket.body == f"My order {SCENE.order_id} arrived damaged. Please refund 120.00 EUR."
    assert (ticket.status, ticket.replies) == (TicketStatus.OPEN, ())


async def test_an_unknown_ticket_is_not_found(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("tickets.get", ticket_id="T-000000")


def test_what_customers_write_is_personal_and_untrusted() -> None:
    mark = Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)
    assert all(mark in Ticket.model_fields[name].metadata for name in ("subject", "body"))


async def test_a_reply_is_held_for_ten_minutes(shop: Shop, clock: ManualClock) -> None:
    reply = await shop.reply(SCENE)
    assert (reply.ticket_id, reply.customer_id) == (SCENE.ticket_id, SCENE.customer_id)
    assert (reply.status, reply.created_at) == (ReplyStatus.QUEUED, AS_OF)
    assert reply.send_after == AS_OF + timedelta(minutes=10)
    assert (await shop.do("tickets.get", ticket_id=SCENE.ticket_id)).replies == (reply,)
    clock.advance(timedelta(minutes=10))
    (sent,) = (await shop.do("tickets.get", ticket_id=SCENE.ticket_id)).replies
    assert sent == reply.model_copy(update={"status": ReplyStatus.SENT})


@pytest.mark.parametrize("change", [{"customer_id": "C-90001"}, {"ticket_id": "T-000000"}])
async def test_a_reply_goes_to_nobody_but_the_tickets_customer(shop: Shop, change: dict[str, Any]) -> None:
    with pytest.raises(ToolRefused, match="no ticket"):
        await shop.reply(SCENE, **change)
    assert await shop.find("tickets.reply", "key") is None


async def test_a_reply_about_a_strangers_order_goes_to_the_tickets_writer(shop: Shop) -> None:
    scene = CAST["strangers_ticket"]
    with pytest.raises(ToolRefused):
        await shop.reply(scene, customer_id=scene.customer_id)
    assert (await shop.reply(scene)).customer_id == scene.ticket_customer_id


async def test_the_same_key_twice_is_one_reply(shop: Shop) -> None:
    replies = await asyncio.gather(*(shop.reply(SCENE) for _ in range(8)))
    assert len({reply.reply_id for reply in replies}) == 1
    assert len((await shop.do("tickets.get", ticket_id=SCENE.ticket_id)).replies) == 1


@pytest.mark.parametrize(
    "change", [{"body": "No."}, {"template": "sorry_refused"}, {"customer_id": "C-90001"}]
)
async def test_the_same_key_with_another_reply_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    await shop.reply(SCENE)
    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.reply(SCENE, **change)


async def test_find_knows_the_reply_of_a_key(shop: Shop) -> None:
    assert await shop.find("tickets.reply", "key") is None
    reply = await shop.reply(SCENE)
    assert await shop.find("tickets.reply", "key") == reply
    assert await shop.find("tickets.retract_reply", "key") is None


async def test_a_reply_that_was_retracted_is_never_sent(shop: Shop, clock: ManualClock) -> None:
    reply = await shop.reply(SCENE)
    retracted = await shop.undo("tickets.reply", reply)
    assert retracted == reply.model_copy(update={"status": ReplyStatus.RETRACTED})
    clock.advance(timedelta(days=1))
    assert (await shop.do("tickets.get", ticket_id=SCENE.ticket_id)).replies == (retracted,)


async def test_reply_and_retraction_leave_nothing_to_send(shop: Shop) -> None:
    before = await shop.do("tickets.get", ticket_id=SCENE.ticket_id)
    await shop.undo("tickets.reply", await shop.reply(SCENE))
    after = await shop.do("tickets.get", ticket_id=SCENE.ticket_id)
    standing = tuple(reply for reply in after.replies if reply.status is not ReplyStatus.RETRACTED)
    assert after.model_copy(update={"replies": standing}) == before


async def test_a_reply_that_was_sent_cannot_be_retracted(shop: Shop, clock: ManualClock) -> None:
    reply = await shop.reply(SCENE)
    clock.advance(timedelta(minutes=10))
    with pytest.raises(ToolRefused, match="it is sent"):
        await shop.undo("tickets.reply", reply)


async def test_a_retraction_is_done_once_a_key_and_found(shop: Shop) -> None:
    reply = await shop.reply(SCENE)
    assert await shop.find("tickets.retract_reply", "undo") is None
    first = await shop.undo("tickets.reply", reply)
    assert await shop.undo("tickets.reply", reply) == first
    assert await shop.find("tickets.retract_reply", "undo") == first
    with pytest.raises(ToolRefused, match="it is retracted"):
        await shop.undo("tickets.reply", reply, key="another")


async def test_a_retraction_key_cannot_retract_another_reply(shop: Shop) -> None:
    first, second = await shop.reply(SCENE, key="a"), await shop.reply(SCENE, key="b")
    await shop.undo("tickets.reply", first)
    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.undo("tickets.reply", second)


async def test_an_unknown_reply_cannot_be_retracted(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("tickets.retract_reply", reply_id="Y-999999")


async def test_a_reply_keeps_every_character(shop: Shop) -> None:
    body = "e\u0301 \u202e \u200b \U0001f4b8 <script>\r\n\t" + "x" * 3900
    assert (await shop.reply(SCENE, body=body)).body == body

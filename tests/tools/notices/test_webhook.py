"""Signed webhooks: whoever has the secret can verify them by the specification's own algorithm."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.fakes.receiver import Request, receiver
from tests.tools.notices.messages import HOSTILE, MESSAGE, NOW, about
from tools.notices.endpoint import Endpoint
from tools.notices.webhook import SecretUnfit, WebhookSender, signer_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def sender(url: str, secret: str = SECRET) -> WebhookSender:
    return WebhookSender(
        endpoint=Endpoint.at(url, timedelta(seconds=20), allow_private=True), signer=signer_of(secret)
    )


def verified(request: Request, secret: str) -> bool:
    """What a receiver does: the HMAC over id, time and raw body, with the secret's bytes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")


def test_the_signature_of_the_published_example_is_the_published_one() -> None:
    moment = datetime.fromtimestamp(1614265330, UTC)
    signature = signer_of(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", moment, '{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_whoever_has_the_secret_can_verify_what_came() -> None:
    async with receiver() as running:
        await sender(running.url).send(MESSAGE, NOW)

    (request,) = running.requests
    assert verified(request, SECRET)
    assert not verified(request, "whsec_" + base64.b64encode(b"another secret of 24 byt").decode())
    assert request.headers["webhook-id"] == MESSAGE.id
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.json == {
        "type": "review.opened",
        "timestamp": "2026-11-20T12:00:00.500000Z",
        "data": MESSAGE.data,
    }


async def test_a_second_attempt_has_the_same_id_and_its_own_time() -> None:
    later = (NOW + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))
    async with receiver() as running:
        await sender(running.url).send(MESSAGE, NOW)
        await sender(running.url).send(MESSAGE, later)

    first, second = running.requests
    assert verified(second, SECRET)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable() or "\ud800" not in text])
async def test_what_is_signed_is_what_is_sent_whatever_is_in_it(text: str) -> None:
    message = about(text, data={"text": text})
    async with receiver() as running:
        await sender(running.url).send(message, NOW)

    assert verified(running.requests[0], SECRET)
    assert running.requests[0].json["data"] == {"text": text}


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        "whsec_ööööööööööööööööööööööööööööööööö",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_a_secret_that_is_too_weak_or_misspelt_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SecretUnfit) as refused:
        signer_of(secret)
    assert "MfKQ9" not in str(refused.value)


def test_a_sender_does_not_show_its_secret() -> None:
    assert "MfKQ9" not in repr(sender("http://127.0.0.1/"))

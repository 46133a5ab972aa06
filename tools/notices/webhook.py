"""Signed webhooks, by the Standard Webhooks specification 1.0."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standardwebhooks import Webhook

from tools.notices.endpoint import Endpoint
from tools.notices.message import Message

PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64


class SecretUnfit(ValueError):
    """A webhook's secret is whsec_ and the base64 of 24 to 64 random bytes."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookSender:
    """Posts events, each signed with its id and the moment of sending."""

    endpoint: Endpoint
    signer: Webhook = field(repr=False)

    async def send(self, message: Message, now: datetime) -> None:
        """Post the message's data; raises NoticeUndelivered."""
        happened = message.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        payload = {"type": message.kind, "timestamp": happened, "data": message.data}
        body = json.dumps(payload, separators=(",", ":"))
        moment = now.astimezone(UTC)
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": self.signer.sign(message.id, moment, body),
        }
        await self.endpoint.post(body.encode(), headers, now)


def signer_of(secret: str) -> Webhook:
    """What signs with a secret; raises SecretUnfit, where the library would take whatever decodes somehow."""
    if not secret.startswith(PREFIX):
        raise SecretUnfit
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise SecretUnfit from error
    if not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise SecretUnfit
    return Webhook(key)

"""A chat room, by an incoming webhook as Slack has them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tools.notices.endpoint import Endpoint
from tools.notices.message import Message

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SlackSender:
    """Posts notices into one room."""

    endpoint: Endpoint

    async def send(self, message: Message, now: datetime) -> None:
        """Post the message; raises NoticeUndelivered."""
        await self.endpoint.post(json.dumps(as_slack(message)).encode(), {}, now)


def as_slack(message: Message) -> dict[str, Any]:
    """The message as blocks; receivers that know no blocks show `text`, in which nothing comes from outside.

    Facts are plain text, so that neither markup nor `<!channel>` in them means anything.
    """
    subject, link = escaped(message.subject), escaped(message.link)
    facts = {"type": "plain_text", "text": escaped(message.text), "emoji": False}
    head = {"type": "mrkdwn", "text": f"*{subject}*\n<{link}|Open the review>", "verbatim": True}
    return {
        "text": f"{subject}\n{link}",
        "blocks": [{"type": "section", "text": head}, {"type": "section", "text": facts}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """Text in which Slack sees no links, mentions or commands."""
    return text.translate(_ENTITIES)

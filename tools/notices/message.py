"""A notice as it leaves, and the port of whatever sends it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

LONGEST_LINE = 200


class NoticeUndelivered(Exception):
    """A notice was not taken; the message says why, without addresses and without secrets.

    Attributes:
        permanent: sending the same again would come to the same.
        retry_after: how long the receiver asked us to wait, if it did.
    """

    def __init__(self, why: str, *, permanent: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True, slots=True)
class Addressee:
    """One person to whom a notice is written."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One notice. It asks and tells; nothing in it can decide anything.

    Attributes:
        id: the same however often it is sent, so that receivers can drop doubles.
        kind: of the event that is told, such as `review.opened`.
        facts: what people read, a label and a value each; one line each, whatever is in them.
        link: where to look; who opens it signs in as always.
        data: what machines read, JSON-shaped.
        at: when it happened.
        to: whom a mail is for; the other channels have one receiver each.
    """

    id: str
    kind: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    link: str
    data: dict[str, Any]
    at: datetime
    to: Addressee | None = None

    @property
    def subject(self) -> str:
        """The headline, as one harmless line."""
        return visible(self.headline)

    @property
    def text(self) -> str:
        """The facts, as one harmless line each."""
        return "\n".join(f"{label}: {visible(value)}" for label, value in self.facts)


class Sender(Protocol):
    """Sends notices over one channel."""

    async def send(self, message: Message, now: datetime) -> None:
        """Hand the message over, within the sender's own time cap; raises NoticeUndelivered."""


def visible(text: str) -> str:
    """Text from anywhere as one line: control, bidirectional and zero-width characters shown as escapes.

    What is too long is cut, and says so.
    """
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text[:LONGEST_LINE])
    return shown if len(text) <= LONGEST_LINE else f"{shown}… (cut)"


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}"

"""Messages for the senders' tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.notices.message import Addressee, Message

NOW = datetime(2026, 11, 20, 12, 0, 7, 500000, tzinfo=UTC)
MESSAGE = Message(
    id="018f0000-0000-7000-8000-000000000001",
    kind="review.opened",
    headline="Waits for a signature: payments.refund 120.00 EUR",
    facts=(("Case", "c-1"), ("About", "Refund for order O-1"), ("Due", "2026-11-20 20:00 UTC")),
    link="https://countersign.example.com/reviews/r-1",
    data={"review": "r-1", "amount": {"amount_minor": 12000, "currency": "EUR"}},
    at=NOW - timedelta(seconds=7),
    to=Addressee(name="Lee", email="lee@example.com"),
)
HOSTILE = (
    "x\r\nBcc: eve@example.com",
    "x\nX-Injected: yes",
    "x\r\n\r\n<html>",
    "a\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x00",
    "line\u2028two\x85three\x0bfour",
    "\ud800 alone",
    "<!channel> <https://evil.example|click> & *bold*",
    "=?utf-8?q?Bcc=3A_eve?=",
    "é" * 500,
)


def about(title: str, **changes: Any) -> Message:
    """The message with a title from outside."""
    return replace(MESSAGE, headline=title, facts=(("About", title), ("Why", "A rule.")), **changes)

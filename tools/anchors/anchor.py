"""What an anchor is: it keeps a signed head where this system cannot take it back."""

from datetime import datetime
from typing import Protocol


class AnchorUnreachable(Exception):
    """The anchor did not take the head; the message names no address and no secret."""


class Anchor(Protocol):
    """Keeps signed heads, each a note in text. The same head twice does no harm."""

    @property
    def name(self) -> str:
        """What it is called on the record: where it is, without secrets."""

    async def keep(self, size: int, note: str, now: datetime) -> None:
        """Keep the signed head of a tree of this size; raises AnchorUnreachable."""

"""An anchor behind an address: each head is posted as text, and a 2xx means that it is kept."""

from dataclasses import dataclass, field
from datetime import datetime

from tools.anchors.anchor import AnchorUnreachable
from tools.notices.endpoint import Endpoint
from tools.notices.message import NoticeUndelivered


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointAnchor:
    """Posts each head to an endpoint: over TLS, in a capped time, following no redirect."""

    name: str
    endpoint: Endpoint = field(repr=False)

    async def keep(self, size: int, note: str, now: datetime) -> None:  # noqa: ARG002 - the note says it
        """Post the head; raises AnchorUnreachable."""
        try:
            await self.endpoint.post(note.encode(), {"Content-Type": "text/plain; charset=utf-8"}, now)
        except NoticeUndelivered as error:
            raise AnchorUnreachable(str(error)) from error

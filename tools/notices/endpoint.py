"""An endpoint that takes notices by HTTP: one POST in a capped time, over TLS, and never anywhere else."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Self

import httpx

from tools.notices.message import NoticeUndelivered
from tools.outside.addresses import Destination
from tools.outside.http import Guard, OutgoingRefused

_WORTH_RETRYING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Client errors that say something of the moment, not of the request."""
_LONGEST_SECONDS = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where notices are posted. Its address may be a secret: it is in no message and no log line."""

    guard: Guard = field(repr=False)
    within: timedelta

    @classmethod
    def at(cls, address: str, within: timedelta, *, allow_private: bool = False) -> Self:
        """The endpoint at an address, at a private one only if that is allowed; raises AddressUnfit."""
        return cls(guard=Guard.to(Destination.at(address, allow_private=allow_private)), within=within)

    @property
    def url(self) -> httpx.URL:
        """Where that is."""
        return self.guard.destinations[0].url

    async def post(self, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Post a JSON body; a 2xx means that it was taken. Raises NoticeUndelivered.

        The guard's transport is spoken to directly. Of the answer only the head is read, so that no body can
        be too long or too slow.
        """
        cap = self.within.total_seconds()
        request = httpx.Request(
            "POST",
            self.url,
            content=body,
            headers={"Content-Type": "application/json", "User-Agent": "countersign", **headers},
            extensions={"timeout": httpx.Timeout(cap).as_dict()},
        )
        try:
            async with asyncio.timeout(cap), self.guard.transport() as transport:
                response = await transport.handle_async_request(request)
                await response.aclose()
        except OutgoingRefused as refused:
            raise NoticeUndelivered(f"not sent: {refused}", permanent=False) from refused
        except (TimeoutError, httpx.TransportError) as error:
            raise NoticeUndelivered(f"no answer: {type(error).__name__}", permanent=False) from error
        if not response.is_success:
            raise _refusal(response, now)


def _refusal(response: httpx.Response, now: datetime) -> NoticeUndelivered:
    permanent = response.is_client_error and response.status_code not in _WORTH_RETRYING
    return NoticeUndelivered(
        f"the receiver answered {response.status_code}",
        permanent=permanent,
        retry_after=_retry_after(response.headers.get("retry-after", ""), now),
    )


def _retry_after(said: str, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, in seconds or until a date; None if it says neither."""
    if said.isascii() and said.isdigit() and len(said) <= _LONGEST_SECONDS:
        return timedelta(seconds=int(said))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return until.replace(tzinfo=until.tzinfo or UTC) - now

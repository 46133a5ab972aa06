"""An endpoint that takes notices by HTTP: one POST in a capped time, over TLS, and never anywhere else."""

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Self

import httpx

from tools.notices.message import NoticeUndelivered

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


class AddressUnfit(ValueError):
    """An address must be https, or http on this machine, without user, password or fragment."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where notices are posted. Its address may be a secret: it is in no message and no log line."""

    url: httpx.URL = field(repr=False)
    within: timedelta
    tls: ssl.SSLContext | bool = field(repr=False)

    @classmethod
    def at(cls, address: str, within: timedelta) -> Self:
        """The endpoint at an address; raises AddressUnfit."""
        url = fit_address(address)
        return cls(url=url, within=within, tls=httpx.create_ssl_context() if url.scheme == "https" else False)

    async def post(self, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Post a JSON body; a 2xx means that it was taken. Raises NoticeUndelivered.

        The transport is spoken to directly: it follows no redirect, asks no proxy, keeps no cookie and logs
        no address. Of the answer only the head is read, so that no body can be too long or too slow.
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
            async with asyncio.timeout(cap), httpx.AsyncHTTPTransport(verify=self.tls) as transport:
                response = await transport.handle_async_request(request)
                await response.aclose()
        except (TimeoutError, httpx.TransportError) as error:
            raise NoticeUndelivered(f"no answer: {type(error).__name__}", permanent=False) from error
        if not response.is_success:
            raise _refusal(response, now)


def fit_address(address: str) -> httpx.URL:
    """The parsed address of something that may be told, or linked to; raises AddressUnfit."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError) as error:
        raise AddressUnfit from error
    if address.split() != [address]:
        raise AddressUnfit
    safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))
    if not safe or not url.host or url.userinfo or url.fragment:
        raise AddressUnfit
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its own name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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

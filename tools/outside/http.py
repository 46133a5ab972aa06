"""The guard of outgoing HTTP: to listed hosts only, at addresses that were checked, and within bounds.

A name is resolved once, and the connection goes to the address that was looked at, so that DNS cannot say
one thing to the check and another to the connection. The name in TLS and in `Host` stays as it is.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn

import httpcore
import httpx

from tools.outside.addresses import Destination, objection, port_of

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host; raises OSError."""

MOST_BYTES = 1_000_000
"""The longest answer, unless something else is said."""
MOST_ADDRESSES = 4
"""How many of a host's addresses are tried."""


class OutgoingRefused(Exception):
    """A request does not leave; the message names no address.

    Attributes:
        sent: it has left, and it is the answer that is not taken.
    """

    sent = False


class AnswerRefused(OutgoingRefused):
    """An answer is not taken."""

    sent = True


async def from_the_system(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """Speaks to its destinations and to nobody else.

    Attributes:
        most_bytes: the longest answer that is read.
    """

    destinations: tuple[Destination, ...]
    tls: ssl.SSLContext = field(repr=False)
    resolve: Resolve = from_the_system
    most_bytes: int = MOST_BYTES

    @classmethod
    def to(cls, *destinations: Destination, resolve: Resolve = from_the_system, **more: Any) -> "Guard":
        """A guard that trusts the usual certificates."""
        return cls(destinations=destinations, tls=httpx.create_ssl_context(), resolve=resolve, **more)

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries requests; it follows no redirect, asks no proxy, keeps no cookie, logs no address."""
        return _GuardedTransport(self)

    async def fetch(self, request: httpx.Request, within: timedelta) -> Answer:
        """Send a request and read the answer, in a capped time.

        Raises:
            OutgoingRefused: it did not leave.
            AnswerRefused: the answer is too long.
            TimeoutError, httpx.TransportError: no answer.
        """
        cap = within.total_seconds()
        request.extensions = {**request.extensions, "timeout": httpx.Timeout(cap).as_dict()}
        async with asyncio.timeout(cap), self.transport() as transport:
            response = await transport.handle_async_request(request)
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        return Answer(status=response.status_code, headers=response.headers, body=body)

    def listed(self, url: httpx.URL) -> Destination:
        """The destination that an address belongs to; raises OutgoingRefused."""
        for one in self.destinations:
            if _origin(one.url) == _origin(url) and not url.userinfo:
                return one
        raise OutgoingRefused("the host is not listed")


def _origin(url: httpx.URL) -> tuple[str, bytes, int]:
    if url.scheme not in {"http", "https"}:
        raise OutgoingRefused("the address is not of the web")
    return url.scheme, url.raw_host, port_of(url)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on a pool that connects by the guard."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(verify=guard.tls, trust_env=False)
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=guard.tls, max_connections=10, network_backend=_GuardedBackend(guard)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request if it goes to a listed place; raises OutgoingRefused."""
        self._guard.listed(request.url)
        if request.headers.get_list("host") != [request.url.netloc.decode("ascii")]:
            raise OutgoingRefused("the request is addressed to another host")
        if request.extensions.keys() & {"sni_hostname", "target"}:
            raise OutgoingRefused("the request is addressed to another host")
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return httpx.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_Capped(
                response.stream, self._guard.most_bytes, _too_much(response, self._guard.most_bytes)
            ),
            extensions=response.extensions,
        )


def _too_much(response: httpx.Response, most_bytes: int) -> str | None:
    if response.headers.get("content-encoding", "identity") != "identity":
        return "the answer is packed, which nobody asked for"  # and may be a thousand times as long
    length = response.headers.get("content-length", "0")
    too_long = not (length.isascii() and length.isdigit()) or int(length) > most_bytes
    return "the answer is too long" if too_long else None


class _Capped(httpx.AsyncByteStream):
    """The body of an answer, up to so many bytes; nothing of it if its head says that it is too much."""

    def __init__(self, stream: httpx.AsyncByteStream, most_bytes: int, too_much: str | None) -> None:
        self._stream, self._left, self._too_much = stream, most_bytes, too_much

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._too_much is not None:
            raise AnswerRefused(self._too_much)
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                raise AnswerRefused("the answer is too long")
            yield piece

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host, looks at every address, and connects to one of those that it looked at."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._real = guard, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the port of httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a checked address; raises OutgoingRefused, httpcore.ConnectError."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("it has no address")
        for address in await self._checked(host, port, timeout):
            try:
                return await self._real.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked(self, host: str, port: int, within: float | None) -> Sequence[str]:
        """The addresses of a host; one that is refused spoils them all."""
        places = [one for one in self._guard.destinations if (one.host, one.port) == (host, port)]
        if not places:
            raise OutgoingRefused("the host is not listed")
        try:
            async with asyncio.timeout(within):
                found = await self._guard.resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("its name is not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("its name is not resolved") from error
        if why := [said for address in found for one in places if (said := objection(address, one))]:
            raise OutgoingRefused(f"the host is at an address that {why[0]}")
        return found[:MOST_ADDRESSES]

    async def connect_unix_socket(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: nobody outside is behind a socket of this machine."""
        raise OutgoingRefused("the address is not of the web")

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await self._real.sleep(seconds)

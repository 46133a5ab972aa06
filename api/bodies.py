"""Bodies: how large they may be, and of which type."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.connections import PATIENCE

LARGEST_BODY = 1024 * 1024
"""Bytes; a body of more is refused while it is being read."""


class WrongContentType(Exception):
    """The content type is not one this route reads."""


def require_json(request: Request) -> None:
    """A body that does not say it is JSON would be taken for text, and refused less clearly."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongContentType(f"send application/json, not {kind or 'nothing'}")


class LimitBodies:
    """ASGI middleware that reads a body up to the limit, whatever its header says, if it comes in time."""

    def __init__(
        self,
        app: ASGIApp,
        refusal: Callable[[], Response],
        late: Callable[[], Response],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._late = late
        self._patience = patience.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the whole body on at once, or answer with the refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > LARGEST_BODY:
            await self._refusal()(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._patience):
                body = await _whole(receive)
        except TimeoutError:
            await self._late()(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > LARGEST_BODY:
            await self._refusal()(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)


async def _whole(receive: Receive) -> bytes | None:
    """The body, of one that is too long no more than shows it; None if the caller has hung up."""
    body = bytearray()
    while len(body) <= LARGEST_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _announced(scope: Scope) -> int:
    """The length that the header gives, 0 without one; servers refuse one that is no number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then whatever the connection says."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay

"""Bodies: how large they may be, and of which type."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    """ASGI middleware that reads a body up to the limit, whatever its header says."""

    def __init__(self, app: ASGIApp, refusal: Callable[[], Response]) -> None:
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the whole body on at once, or answer with the refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > LARGEST_BODY:
            await self._refusal()(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY:
                await self._refusal()(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        await self._app(scope, _replayed(bytes(body), receive), send)


def _announced(scope: Scope) -> int:
    """The length that the header gives, 0 without one; servers refuse one that is no number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then whatever the connection says."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay

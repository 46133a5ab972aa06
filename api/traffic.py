"""Traffic: counts what was answered, by the route's template and never by the path that was asked for."""

import time
from http import HTTPStatus

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphs.meter import OTHER, Meter


class CountRequests:
    """ASGI middleware that counts an answer when its head goes out: a stream may stay open for hours."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app, self._meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, answered, raised = time.monotonic(), False, True

        def count(status: int) -> None:
            self._meter.request(*_route(scope), int(status), time.monotonic() - began)

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                count(int(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, counted)
            raised = False
        finally:
            if raised and not answered:  # Starlette answers it, further out than any middleware
                count(HTTPStatus.INTERNAL_SERVER_ERROR)


def _route(scope: Scope) -> tuple[str, str]:
    """Method and template of the route that was found; what leads to none is all one."""
    route = scope.get("route")
    if not isinstance(route, APIRoute) or scope["method"] not in (route.methods or ()):
        return OTHER, OTHER
    return scope["method"], route.path_format

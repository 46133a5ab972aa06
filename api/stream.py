"""GET /reviews/stream: server-sent events that say which reviews changed, and nothing about them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from api.access import Caller, TheParts
from checkpoints.changes import review_changes
from graphs.wiring import Parts

router = APIRouter(tags=["reviews"])
logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15
LONGEST_SECONDS = 900
MOST_WAITING = 200
"""Changes that a slow reader may be behind; then it is told to read the list again."""
MOST_EACH = 20
"""Streams of one principal in one process: enough for every window that somebody has open."""
_RETRY_SECONDS = 1


class TooManyStreams(Exception):
    """So many streams of yours are open already: close one, or share it."""

    seconds = HEARTBEAT_SECONDS


@dataclass(slots=True)
class Live:
    """One listener of this process on the database, and the streams that it feeds."""

    parts: Parts
    streams: dict[asyncio.Queue[str | None], str] = field(default_factory=dict)
    """Each with whose it is."""
    listening: asyncio.Task[None] | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    ended: bool = False

    def require_room(self, actor: str) -> None:
        """Raise TooManyStreams if as many of the principal's are open as may be."""
        if list(self.streams.values()).count(actor) >= MOST_EACH:
            raise TooManyStreams

    @asynccontextmanager
    async def stream(self, actor: str) -> AsyncIterator[asyncio.Queue[str | None]]:
        """A queue of all changes from the moment it is yielded; None in it is the end."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self.streams[queue] = actor
        if self.ended:
            _put(queue, None)
        elif self.listening is None:
            self.listening = asyncio.create_task(self._listen())
        try:
            await self.heard.wait()
            yield queue
        finally:
            del self.streams[queue]

    async def end(self) -> None:
        """End all streams, those that come later too: the process goes down."""
        self.ended = True
        self._tell(None)
        self.heard.set()
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.wait({self.listening})

    async def _listen(self) -> None:
        while True:
            with suppress(psycopg.Error):
                async with aclosing(review_changes(self.parts.database)) as changes:
                    async for change in changes:
                        self._hear(change)
            self.lost = True
            self.heard.clear()
            logger.warning("the stream of reviews lost its database; it tries again")
            await asyncio.sleep(_RETRY_SECONDS)

    def _hear(self, change: str | None) -> None:
        """Pass a change on; what happened before it listened (again) nobody was told."""
        if change is not None:
            self._tell(change)
            return
        if self.lost:
            self._tell(_AGAIN)
        self.heard.set()

    def _tell(self, change: str | None) -> None:
        for queue in self.streams:
            _put(queue, change)


_AGAIN = json.dumps({"reload": True})


def _put(queue: asyncio.Queue[str | None], change: str | None) -> None:
    """Add a change; whoever is too far behind is told to read again instead."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(_AGAIN)
    queue.put_nowait(change)


@router.get(
    "/reviews/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_reviews(request: Request, _parts: TheParts, caller: Caller) -> StreamingResponse:
    """Ids and versions of reviews as they change: `event: review`, `data: {"id", "version"}`.

    What a review says is read with the usual request, so that the usual permissions hold. `{"reload": true}`
    asks to read the whole list again.
    """
    live: Live = request.app.state.live
    live.require_room(caller.actor)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(live, caller.actor), media_type="text/event-stream", headers=headers)


async def _events(live: Live, actor: str) -> AsyncIterator[str]:
    """The stream, for a while: the reader comes again by itself, and is asked for its token again."""
    clock = asyncio.get_running_loop()
    ends = clock.time() + LONGEST_SECONDS
    async with live.stream(actor) as queue:
        yield "retry: 1000\n\n"
        while clock.time() < ends:
            try:
                change = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if change is None:
                return
            yield f"event: review\ndata: {change}\n\n"

"""Serving: the API and a worker in one process, until a signal says stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.connections import Impatient
from api.signals import until_signal
from api.stream import Live
from api.worker import run_worker
from checkpoints.worker import USUAL_PACE, Pace
from graphs.wiring import Parts

__all__ = ["listening", "serving", "until_signal", "working"]

_PATIENCE_SECONDS = 10


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to whoever started it."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - uvicorn's own signature
        yield


@asynccontextmanager
async def serving(parts: Parts, *, host: str, port: int) -> AsyncIterator[str]:
    """The API on a socket for as long as the block lasts; yields its address. Port 0 takes a free one.

    Raises:
        OSError: the address is taken, or is none of this machine.
    """
    async with listening(create_app(parts), host=host, port=port) as url:
        yield url


@asynccontextmanager
async def listening(app: FastAPI, *, host: str, port: int) -> AsyncIterator[str]:
    """An application on a socket for as long as the block lasts; yields its address."""
    place = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=Impatient,
        lifespan="off",
        log_config=None,  # its own would print exceptions with all they say; ours is for the whole process
        log_level="warning",
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[place]))
    try:
        while not server.started and not task.done():
            await asyncio.wait({task}, timeout=0.01)
        yield _url(host, place.getsockname()[1])
    finally:
        server.should_exit = True
        if isinstance(live := getattr(app.state, "live", None), Live):
            await live.end()
        await task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        place = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error
    # Its connections inherit this. asyncio sets it only on sockets that name TCP, and these do not: every
    # answer would wait some 40 ms for the caller's acknowledgement of its head.
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return place


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def working(
    parts: Parts, *, concurrency: int = 4, pace: Pace = USUAL_PACE
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker for as long as the block lasts; its task ends before only if it fails."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(parts, stop, concurrency=concurrency, pace=pace))
    try:
        yield task
    finally:
        stop.set()
        await task

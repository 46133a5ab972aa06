"""Signals: Ctrl-C and SIGTERM end a command in good order, whatever it is doing."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """A signal came before the end."""


def on_signal(deed: Callable[[], object]) -> None:
    """From now on do this at SIGINT and at SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, deed)


async def stoppable(deed: Coroutine[Any, Any, T]) -> T:
    """The deed's result; a signal cancels it, once, so that it leaves nothing behind. Raises Stopped."""
    task = asyncio.ensure_future(deed)

    def stop() -> None:
        if not task.cancelling():
            task.cancel()

    on_signal(stop)
    try:
        return await task
    except asyncio.CancelledError:
        raise Stopped("stopped before it was done") from None


async def until_signal(*watched: asyncio.Task[None]) -> None:
    """Wait for a signal, or for one of the tasks to end, which nobody asked for."""
    stop = asyncio.Event()
    on_signal(stop.set)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *watched}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()

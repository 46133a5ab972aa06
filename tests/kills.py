"""Killing work where it waits: the same work cancelled at its first await, its second, and so on."""

import asyncio
from collections.abc import Coroutine, Generator
from itertools import count
from types import coroutine
from typing import Any


async def killed_at(suspension: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Run the work up to this suspension and cancel it there; False if it ended before or regardless."""
    task = asyncio.create_task(_cancelled_at(suspension, work))
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


@coroutine
def _cancelled_at(suspension: int, work: Coroutine[Any, Any, Any]) -> Generator[Any, None, None]:
    """Drive the work by hand: a task cancelled before it hears of a future cancels that future too."""
    task = asyncio.current_task()
    assert task is not None
    try:
        waiting = work.send(None)
        for number in count():
            if number == suspension:
                task.cancel()
            try:
                yield waiting
            except asyncio.CancelledError as cancelled:
                waiting = work.throw(cancelled)
            else:
                waiting = work.send(None)
    except StopIteration:
        return

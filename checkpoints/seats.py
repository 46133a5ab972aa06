"""Seats: how many cases of one workflow may be worked on at once, by all workers together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from checkpoints.errors import NoSeat, ThreadIsBusy
from checkpoints.session import Session, fence


@asynccontextmanager
async def seated(session: Session, workflow: str, seats: int | None) -> AsyncIterator[None]:
    """Hold one of the workflow's seats, if it has a number of them; raises NoSeat if all are taken.

    A seat is a lock of the session, like that of a thread: whoever dies has left it.
    """
    async with AsyncExitStack() as held:
        for number in range(seats or 0):
            try:
                await held.enter_async_context(fence(session, f"countersign seat: {workflow}/{number}"))
            except ThreadIsBusy:
                continue
            break
        else:
            if seats is not None:
                raise NoSeat(f"all {seats} seats of {workflow} are taken")
        yield

"""A session as a worker has it, for tests that stand in for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from checkpoints.session import Session, fence, open_session


@asynccontextmanager
async def fenced_session(engine: AsyncEngine, case_id: str) -> AsyncIterator[Session]:
    """A session that owns this thread; raises ThreadIsBusy or DatabaseAway."""
    async with open_session(engine) as session, fence(session, case_id):
        yield session

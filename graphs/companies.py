"""Companies: whose systems the tools reach; the sandbox company is ours, and others bring their own tools."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from tools.contract import Tool
from tools.sandbox import sandbox_tools
from tools.sandbox.database import open_sandbox
from tools.sandbox.founding import found

Company = Callable[[str, Callable[[], datetime]], AbstractAsyncContextManager[Iterable[Tool]]]
"""Opens a company's systems, `(address of their database, clock)`, as the tools that reach them."""


@asynccontextmanager
async def sandbox_company(address: str, clock: Callable[[], datetime]) -> AsyncIterator[Iterable[Tool]]:
    """The sandbox company, founded where it is not there yet."""
    async with open_sandbox(address, clock=clock) as sandbox:
        await found(sandbox, as_of=clock())
        yield sandbox_tools(sandbox)

"""Worker processes for engine tests, and waiting for what a test names."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from graphs.settings import Settings

PATIENCE_SECONDS = 240
"""After which what a test waits for is taken never to come: only a test that fails lasts so long."""
_LOOK_AGAIN_SECONDS = 0.05


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for a named condition; it is looked at again and again until the patience ends."""
    try:
        async with asyncio.timeout(patience_seconds):
            while not await condition():  # noqa: ASYNC110 - the condition lies in another process
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise AssertionError(f"in {patience_seconds} s it did not come to this: {what}") from None


@asynccontextmanager
async def worker_process(
    settings: Settings, *, slow_tool: str = "", code: Path | None = None, dead_seconds: float = 60
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own; killed at the end if it still lives.

    It runs the code in this folder instead of the project's, if one is given, and takes others for dead after
    so long: one that only has to wait for the processor must not be.
    """
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
        "SLOW_TOOL": slow_tool,
        "COUNTERSIGN_TEST_DEAD_SECONDS": str(dead_seconds),
    }
    if code is not None:
        environment["PYTHONPATH"] = str(code)
    script = Path(__file__).with_name("worker_main.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def own_address() -> str:
    """An address of this machine that no other process uses.

    A port there is still free when it is listened on for the first time, and again after whoever listened was
    killed: of 127.0.0.1, any process of the machine may have got it meanwhile.
    """
    if sys.platform != "linux":
        return "127.0.0.1"  # elsewhere only this one of the loopback addresses is there
    process = os.getpid()
    return f"127.{1 + (process >> 16) % 254}.{(process >> 8) % 256}.{process % 256}"


def free_port(address: str) -> int:
    """A port of this address that nobody listens on."""
    with socket.create_server((address, 0)) as place:
        return int(place.getsockname()[1])

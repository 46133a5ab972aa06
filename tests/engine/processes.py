"""Processes of Countersign for engine tests, and waiting for what a test names."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from graphs.settings import Settings
from tests.engine.conditions import FOLDER

PATIENCE_SECONDS = 60
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
    settings: Settings, *, slow_tool: str = "", code: Path | None = None, conditions: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own; killed at the end if it still lives.

    It runs the code in this folder instead of the project's, if one is given, under the conditions in the
    other folder.
    """
    environment = {"SLOW_TOOL": slow_tool} | ({"PYTHONPATH": str(code)} if code else {})
    async with _ended(await start("worker", settings, conditions, **environment)) as process:
        yield process


@asynccontextmanager
async def api_process(
    settings: Settings, port: int, *, conditions: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """An API on this port in a process of its own; killed at the end if it still lives."""
    async with _ended(await start("api", settings, conditions, PORT=str(port))) as process:
        yield process


async def start(
    role: str, settings: Settings, conditions: Path | None, **environment: str
) -> asyncio.subprocess.Process:
    """Start a worker or an API; it says `ready` when it is."""
    known = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
        FOLDER: str(conditions or ""),
    }
    script = Path(__file__).with_name(f"{role}_main.py")
    return await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=known | environment, stdout=PIPE
    )


async def ready(process: asyncio.subprocess.Process) -> None:
    """Wait until a process says that it is ready."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await process.stdout.readline()).decode().strip() == "ready"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.subprocess.Process]:
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

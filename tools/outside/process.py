"""A process that speaks MCP on its standard streams: started for a call, bounded, and ended after it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]

_FAREWELL_SECONDS = 2
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""What of our environment a process sees; no secret of ours is in these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What is started.

    Attributes:
        environment: what it is given beside the few names that every process needs.
        most_bytes: the longest message that is read of it.
    """

    command: str
    arguments: tuple[str, ...] = ()
    folder: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    most_bytes: int

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Streams]:
        """What it says, and what it is told, as long as the block lasts.

        It says nothing more after a message that is too long. Raises OSError if it cannot be started.
        """
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            self.command,
            *self.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self.folder,
            env=kept | dict(self.environment),
            start_new_session=True,
            limit=self.most_bytes,
        )
        try:
            async with _pumped(process) as streams:
                yield streams
            await _farewell(process)
        finally:
            await _end(process)


@asynccontextmanager
async def _pumped(process: asyncio.subprocess.Process) -> AsyncIterator[Streams]:
    heard_in, heard = anyio.create_memory_object_stream[Incoming](0)
    told, told_out = anyio.create_memory_object_stream[SessionMessage](0)
    async with heard_in, heard, told, told_out, anyio.create_task_group() as group:
        group.start_soon(_hear, process, heard_in)
        group.start_soon(_tell, process, told_out)
        yield heard, told
        group.cancel_scope.cancel()


async def _hear(process: asyncio.subprocess.Process, heard: MemoryObjectSendStream[Any]) -> None:
    assert process.stdout is not None, "it is a pipe"
    async with heard:
        with suppress(ValueError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while line := await process.stdout.readline():  # a ValueError says that it is too long
                try:
                    message = types.JSONRPCMessage.model_validate_json(line)
                except ValidationError as error:
                    await heard.send(error)
                else:
                    await heard.send(SessionMessage(message))


async def _tell(process: asyncio.subprocess.Process, told: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin is not None, "it is a pipe"
    with suppress(ConnectionError):  # it has ended: whoever waits for its answer learns of that
        async for one in told:
            line = one.message.model_dump_json(by_alias=True, exclude_none=True)
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()


async def _farewell(process: asyncio.subprocess.Process) -> None:
    """Let it end by itself, for a while."""
    assert process.stdin is not None, "it is a pipe"
    process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it with all that it has started, however the call ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdin is not None, "it is a pipe"
    process.stdin.close()
    await asyncio.shield(process.wait())

"""A receiver of webhooks behind a real socket: it keeps every request, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json

CERTIFICATE = Path(__file__).with_name("localhost.pem")
_PATIENCE_SECONDS = 30
_PIECE = b"x" * 65536


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it came over the wire."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return from_json(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request is answered with.

    Attributes:
        hangs: never, until the client gives up.
        endless: with a body that goes on until the client has enough.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    endless: bool = False


@dataclass(slots=True)
class Receiver:
    """A running receiver: where it is, what it was sent, and what it answers with."""

    url: str = ""
    answer: Answer = Answer()
    requests: list[Request] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list[asyncio.Task[None]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.connections.append(task)
        try:
            self.requests.append(await _received(reader))
            self.came.set()
            await self._reply(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.answer.hangs:
            await reader.read()
            return
        length = {} if self.answer.endless else {"Content-Length": "2"}
        headers = {"Connection": "close", **length, **self.answer.headers}
        lines = [
            f"HTTP/1.1 {self.answer.status} Told",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + b"ok")
        await writer.drain()
        while self.answer.endless:
            writer.write(_PIECE)
            await writer.drain()


@asynccontextmanager
async def receiver(*, tls: bool = False) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine; leaves no connection behind."""
    running = Receiver()
    protected = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    protected.load_cert_chain(CERTIFICATE)
    listening = await asyncio.start_server(running.serve, "127.0.0.1", 0, ssl=protected if tls else None)
    port = listening.sockets[0].getsockname()[1]
    running.url = f"https://localhost:{port}/in" if tls else f"http://127.0.0.1:{port}/in"
    try:
        yield running
    finally:
        listening.close()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(*running.connections)


async def _received(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(path=first.split(" ")[1], headers=headers, body=body)

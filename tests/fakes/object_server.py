"""An object store behind a real socket, as far as anchors need S3: PUT that makes, GET, and refusals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_PATIENCE_SECONDS = 30


@dataclass(slots=True)
class ObjectServer:
    """A running store: its objects by their path, bucket first; `refuses` answers all with that status."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    refuses: int | None = None
    connections: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.connections.append(task)
        try:
            await self._answer(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        self.signed.append(headers.get("authorization", ""))
        status, content = self._done(method, path, headers, body)
        answer = (
            f'HTTP/1.1 {status} Told\r\nContent-Length: {len(content)}\r\nETag: "1"\r\n'
            "Last-Modified: Fri, 20 Nov 2026 12:00:00 GMT\r\nConnection: close\r\n\r\n"
        )
        writer.write(answer.encode() + content)

    def _done(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if self.refuses is not None:
            return self.refuses, b""
        match method:
            case "PUT" if headers.get("if-none-match") == "*" and path in self.objects:
                return 412, b""
            case "PUT":
                self.objects[path] = body
                return 200, b""
            case "GET" if path in self.objects:
                return 200, self.objects[path]
            case _:
                return 404, b""


@asynccontextmanager
async def object_server() -> AsyncIterator[ObjectServer]:
    """A store on a free port of this machine; leaves no connection behind."""
    running = ObjectServer()
    listening = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        listening.close()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(*running.connections)

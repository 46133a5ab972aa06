"""LangSmith's ingestion behind a real socket: it keeps every byte, decodes the runs, answers as it is told.

It is spoken to by the installed client: `GET /info`, `POST /runs/multipart`, `POST /runs/batch`, `POST /runs`
and `PATCH /runs/{id}`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_DEADLINE_SECONDS = 30
_NAME = re.compile(rb'name="([^"]+)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    head: bytes
    body: bytes

    @property
    def told(self) -> bytes:
        """Everything in it but the header that carries the API key."""
        lines = [line for line in self.head.split(b"\r\n") if not line.lower().startswith(b"x-api-key:")]
        return b"\r\n".join(lines) + self.body


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request is answered with.

    Attributes:
        hangs: never, until the client gives up or the server ends.
    """

    status: int = 202
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass(slots=True)
class LangSmithServer:
    """A running server: where it is, what it was sent, and what it answers with, anywhere or at one path."""

    url: str = ""
    answer: Answer = Answer()
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    answered: int = 0
    runs: dict[str, Json] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def wire(self) -> bytes:
        """All bytes received, less the headers that carry the API key."""
        return b"\n".join(request.told for request in self.requests)

    @property
    def roots(self) -> list[Json]:
        """The root of each trace, in the order of their beginning."""
        return sorted(
            (run for run in self.runs.values() if not run.get("parent_run_id")),
            key=lambda run: str(run["dotted_order"]),
        )

    def below(self, parent: Json) -> list[Json]:
        """The runs right below a run, in the order of their beginning."""
        children = [run for run in self.runs.values() if run.get("parent_run_id") == parent["id"]]
        return sorted(children, key=lambda run: str(run["dotted_order"]))

    async def traces(self, count: int) -> list[Json]:
        """The roots, as soon as there are so many."""
        async with asyncio.timeout(_DEADLINE_SECONDS), self.news:
            await self.news.wait_for(lambda: len(self.roots) >= count)
        return self.roots

    async def asked(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(_DEADLINE_SECONDS), self.news:
            await self.news.wait_for(lambda: len(self.requests) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.connections.append(task)
        try:
            request = await _received(reader)
            answer = self.answers.get(request.path, self.answer)
            await self._keep(request, answer)
            if answer.hangs:
                await self._until_the_end(reader)
                return
            writer.write(_as_http(answer, request))
            await writer.drain()
            self.answered += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def _keep(self, request: Request, answer: Answer) -> None:
        async with self.news:
            self.requests.append(request)
            if answer.status < 300 and not answer.hangs:
                for run in decoded(request):
                    self.runs.setdefault(run["id"], {}).update(run)
            self.news.notify_all()

    async def _until_the_end(self, reader: asyncio.StreamReader) -> None:
        closed, ending = asyncio.ensure_future(reader.read()), asyncio.ensure_future(self.ending.wait())
        await asyncio.wait({closed, ending}, return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        ending.cancel()
        await asyncio.wait({closed, ending})


@asynccontextmanager
async def langsmith_server() -> AsyncIterator[LangSmithServer]:
    """A server on a free port of this machine; leaves no connection behind."""
    server = LangSmithServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        server.ending.set()
    async with asyncio.timeout(_DEADLINE_SECONDS):
        await asyncio.gather(*server.connections)


def decoded(request: Request) -> list[Json]:
    """The runs of a request, whichever way they were sent."""
    match request.method, request.path:
        case "POST", "/runs/multipart":
            return _of_parts(request)
        case "POST", "/runs/batch":
            batch = json.loads(request.body)
            return [*batch.get("post", []), *batch.get("patch", [])]
        case "POST", "/runs":
            return [json.loads(request.body)]
        case "PATCH", path:
            return [json.loads(request.body) | {"id": path.rpartition("/")[2]}]
    return []


def _of_parts(request: Request) -> list[Json]:
    """A part `post.{id}` is a run; a part `post.{id}.outputs` is one field of it."""
    _, _, boundary = request.headers["content-type"].partition("boundary=")
    runs: dict[str, Json] = {}
    for part in request.body.split(b"--" + boundary.encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        assert named is not None, "a part without a name"
        _, run_id, *inner = named[1].decode().split(".")
        value = json.loads(body)
        runs.setdefault(run_id, {"id": run_id}).update({inner[0]: value} if inner else value)
    return list(runs.values())


async def _received(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Request(method=method, path=path, headers=headers, head=head, body=body)


def _as_http(answer: Answer, request: Request) -> bytes:
    body = b'{"version": "0.15"}' if request.path == "/info" else answer.body
    headers = {"Content-Length": str(len(body)), "Connection": "close", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Told", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body

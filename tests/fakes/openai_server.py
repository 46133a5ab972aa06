"""A scripted model behind a real socket: the chat completions protocol of OpenAI, good answers and bad ones.

A script is given each request and says what it is answered with. Requests that a real server would refuse are
refused here too, so that a test cannot pass on a request that would never be served.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

Json = dict[str, Any]

API_KEY = "test"
PATH = "/v1/chat/completions"

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PROMPT_TOKENS, _COMPLETION_TOKENS = 100, 20
_DEADLINE_SECONDS = 30
_TURN = "@turn@"  # the number of the request: a real server never gives an id twice


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as it came over the wire."""

    path: str
    key: str
    body: Json

    @property
    def messages(self) -> list[Json]:
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """The system words; the rest of the prompt is not in them."""
        return "\n".join(said["content"] for said in self.messages if said["role"] == "system")

    @property
    def data(self) -> str:
        """What the model is given to judge: every message but the system's and its own."""
        return "\n".join(said["content"] for said in self.messages if said["role"] in {"user", "tool"})

    @property
    def tools(self) -> frozenset[str]:
        """The names of the tools that it may call."""
        return frozenset(tool["function"]["name"] for tool in self.body.get("tools", []))

    def answer_to(self, name: str) -> str:
        """What a tool answered when the model called it, the last time."""
        calls = {call["id"]: call for said in self.messages for call in said.get("tool_calls") or []}
        answers = [said for said in self.messages if said["role"] == "tool"]
        of_tool = [said for said in answers if calls[said["tool_call_id"]]["function"]["name"] == name]
        return str(of_tool[-1]["content"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request is answered with, byte for byte.

    Attributes:
        hangs: never answer, until the client gives up.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


Script = Callable[[Request], Answer]


def says(message: Json, *, finish_reason: str = "stop", **rest: Any) -> Answer:
    """A completion with this message of the assistant."""
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    usage = {
        "prompt_tokens": _PROMPT_TOKENS,
        "completion_tokens": _COMPLETION_TOKENS,
        "total_tokens": _PROMPT_TOKENS + _COMPLETION_TOKENS,
    }
    completion = {
        "id": f"chatcmpl-{_TURN}",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [choice],
        "usage": usage,
    }
    return nonsense(completion | rest)


def text(words: str) -> Answer:
    """Plain words where a tool call was asked for."""
    return says({"role": "assistant", "content": words, "refusal": None})


def refusal(words: str) -> Answer:
    """The model will not."""
    return says({"role": "assistant", "content": None, "refusal": words})


def call(name: str, arguments: Json | str) -> Json:
    """A tool call; arguments that are a string go out as they are."""
    given = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function", "function": {"name": name, "arguments": given}}


def calls(*wanted: Json) -> Answer:
    """A reply of tool calls."""
    numbered = [item | {"id": f"call_{_TURN}_{place}"} for place, item in enumerate(wanted)]
    message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": numbered}
    return says(message, finish_reason="tool_calls")


def structured(output: BaseModel) -> Answer:
    """The typed answer: a call of the tool that is named like the output's type."""
    return calls(call(type(output).__name__, output.model_dump(mode="json")))


def rate_limited(retry_after: str = "0.01") -> Answer:
    """HTTP 429; by default to be tried again at once."""
    return _error(429, "rate_limit_exceeded", {"Retry-After": retry_after})


def broken(status: int = 500) -> Answer:
    """An error of the server; to be tried again at once."""
    return _error(status, "server_error", {"Retry-After": "0.01"})


def malformed(body: bytes = b'{"id": "chatcmpl-1", "choices": [{') -> Answer:
    """HTTP 200 and a body that says it is JSON and is not."""
    return Answer(body=body)


def nonsense(body: Any) -> Answer:
    """HTTP 200 and whatever JSON this is."""
    return Answer(body=json.dumps(body).encode())


def hang() -> Answer:
    """No answer, until the client gives up."""
    return Answer(hangs=True)


def in_turn(*answers: Answer) -> Script:
    """One answer after the other; the last one for ever."""
    left = list(answers)

    def next_of(_: Request) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return next_of


def by_tool(scripts: Mapping[str, Script]) -> Script:
    """The script of the agent that is asking, known by a tool that only it is offered."""

    def of_agent(request: Request) -> Answer:
        asking = [script for tool, script in scripts.items() if tool in request.tools]
        return asking[0](request) if len(asking) == 1 else _error(400, f"no script for {set(request.tools)}")

    return of_agent


@dataclass(slots=True)
class OpenAIServer:
    """A running server: where it is and what it was asked."""

    script: Script
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    faults: list[str] = field(default_factory=list)
    connections: list[asyncio.Task[None]] = field(default_factory=list)

    def asked_by(self, tool: str) -> list[Request]:
        """The requests of the agent that is offered this tool."""
        return [request for request in self.requests if tool in request.tools]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.connections.append(task)
        answer = self._answer(await _received(reader))
        if answer.hangs:
            await reader.read()  # nothing more is sent: this ends when the client closes
            self.given_up.set()
        else:
            writer.write(_as_http(answer, len(self.requests)))
        writer.close()

    def _answer(self, request: Request) -> Answer:
        self.requests.append(request)
        self.asked.set()
        if fault := _fault(request):
            self.faults.append(fault)
            return _error(400, fault)
        return self.script(request)


@asynccontextmanager
async def openai_server(script: Script) -> AsyncIterator[OpenAIServer]:
    """A server on a free port; leaves no connection behind, and no unlawful request unseen."""
    server = OpenAIServer(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    server.url = f"http://{host}:{port}/v1"
    try:
        yield server
    finally:
        listening.close()
    async with asyncio.timeout(_DEADLINE_SECONDS):
        await asyncio.gather(*server.connections)
    assert not server.faults, f"requests that OpenAI would refuse: {server.faults}"


@asynccontextmanager
async def chat_model(server: OpenAIServer, *, max_retries: int = 2) -> AsyncIterator[ChatOpenAI]:
    """The real client of langchain_openai, talking to this server past any proxy; closed afterwards."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield ChatOpenAI(
            model="gpt-x",
            base_url=server.url,
            api_key=SecretStr(API_KEY),
            max_retries=max_retries,
            http_async_client=client,
        )


async def _received(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    path = first.split(" ")[1]
    return Request(path=path, key=headers.get("authorization", ""), body=json.loads(body))


def _as_http(answer: Answer, turn: int) -> bytes:
    body = answer.body.replace(_TURN.encode(), str(turn).encode())
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    headers |= answer.headers
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Answer:
    error = {"error": {"message": code, "type": code, "param": None, "code": code}}
    return Answer(status=status, body=json.dumps(error).encode(), headers=headers or {})


def _fault(request: Request) -> str | None:
    """What a real server would refuse this request for."""
    if request.path != PATH or request.key != f"Bearer {API_KEY}":
        return f"{request.path} with {request.key!r}"
    if request.body.get("stream"):
        return "this server does not stream"
    names = [tool["function"]["name"] for tool in request.body.get("tools", [])]
    if len(set(names)) < len(names) or not all(map(_TOOL_NAME.fullmatch, names)):
        return f"tools named {names}"
    return _unanswered(request.messages)


def _unanswered(messages: list[Json]) -> str | None:
    """Tool calls of the model must each be answered before it is asked again, and nothing else answered."""
    called = [call["id"] for said in messages for call in said.get("tool_calls") or []]
    answered = [said["tool_call_id"] for said in messages if said["role"] == "tool"]
    return None if sorted(called) == sorted(answered) else f"calls {called}, answers {answered}"

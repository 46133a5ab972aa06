"""MCP servers: what they offer as definitions, and calls of exactly what was admitted.

Each call opens a line of its own, asks what the server offers, and calls in the same line: nothing that a
server says between calls is listened to, and nothing of it can be kept for later.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn

import httpx
from langchain_mcp_adapters.sessions import StreamableHttpConnection, create_session
from mcp import ClientSession, McpError, types
from pydantic import ValidationError

from tools.contract import Call, OutcomeUnknown, ToolChanged, ToolError, ToolUnavailable
from tools.outside.definition import Definition, DefinitionUnfit, Unfit, hints_of, without_clashes
from tools.outside.http import Guard, OutgoingRefused
from tools.outside.process import Program

MOST_TOOLS, MOST_PAGES = 200, 10
LONGEST_MESSAGE = 300

Line = AbstractAsyncContextManager[ClientSession]
_BROKEN = (McpError, ValidationError, OutgoingRefused, httpx.HTTPError, OSError, RuntimeError, TimeoutError)
"""How lines break: by an error, an answer that is none, a refusal of ours, or an end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OverStdio:
    """A server that is a process of this machine."""

    program: Program

    @asynccontextmanager
    async def line(self, within: timedelta) -> AsyncIterator[ClientSession]:
        """A session with it."""
        async with (
            self.program.running() as (heard, told),
            ClientSession(heard, told, read_timeout_seconds=within) as session,
        ):
            yield session


@dataclass(frozen=True, kw_only=True, slots=True)
class OverHttp:
    """A server behind an address, reached through the guard.

    Attributes:
        headers: what each request carries, such as a token.
    """

    guard: Guard
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @asynccontextmanager
    async def line(self, within: timedelta) -> AsyncIterator[ClientSession]:
        """A session with it."""
        place = StreamableHttpConnection(
            transport="streamable_http",
            url=str(self.guard.destinations[0].url),
            headers=dict(self.headers),
            timeout=within,
            sse_read_timeout=within,
            httpx_client_factory=self._client,
            session_kwargs={"read_timeout_seconds": within},
        )
        async with create_session(place) as session:
            yield session

    def _client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self.guard.transport(),
            headers=headers,
            timeout=timeout,
            auth=auth,
            trust_env=False,
            follow_redirects=False,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServer:
    """One MCP server.

    Attributes:
        system: what it is called here.
        timeout: the longest that one call may take, connecting and asking included.
    """

    system: str
    over: OverStdio | OverHttp
    timeout: timedelta

    async def offered(self) -> Sequence[Definition | Unfit]:
        """What it offers now; raises ToolUnavailable."""
        async with self._line() as line:
            found = await _listed(line)
        definitions: list[Definition] = []
        unfit: list[Unfit] = []
        for tool in found:
            try:
                definitions.append(_definition(self.system, tool))
            except DefinitionUnfit as error:
                unfit.append(Unfit(remote=tool.name, why=str(error)))
        fine, clashes = without_clashes(definitions)
        return [*fine, *unfit, *clashes]

    async def require(self, definition: Definition) -> None:
        """Raise ToolChanged if it does not offer exactly this now, ToolUnavailable if it does not answer."""
        async with self._line() as line:
            await self._require(line, definition)

    async def call(self, definition: Definition, arguments: Mapping[str, Any], call: Call) -> Any:
        """Require this very definition, then call it; raises as `Provider.call` does."""
        sent = _Sent()
        async with self._line(sent) as line:
            await self._require(line, definition)
            request = types.CallToolRequest(
                params=types.CallToolRequestParams(
                    name=definition.remote,
                    arguments=dict(arguments),
                    _meta=types.RequestParams.Meta.model_validate({"countersign/key": call.key}),
                )
            )
            sent.yes = True
            # Not by `call_tool`: it validates by the server's own schema, and fetches what that names.
            answer = await line.send_request(types.ClientRequest(request), types.CallToolResult)
        if answer.isError:
            raise OutcomeUnknown(f"{definition.name}: {_words(answer)[:LONGEST_MESSAGE]}")
        if definition.answer is not None and answer.structuredContent is not None:
            return answer.structuredContent
        return {"text": _words(answer)}

    async def _require(self, line: ClientSession, definition: Definition) -> None:
        same = [tool for tool in await _listed(line) if tool.name == definition.remote]
        try:
            now = [_definition(self.system, tool).digest for tool in same]
        except DefinitionUnfit:
            now = []
        if now != [definition.digest]:
            raise ToolChanged(f"{definition.name} is not offered as it was admitted")

    @asynccontextmanager
    async def _line(self, sent: "_Sent | None" = None) -> AsyncIterator[ClientSession]:
        """A session that has begun. However it breaks, it is said whether the call may have got there."""
        try:
            async with self.over.line(self.timeout) as line:
                await line.initialize()
                yield line
        except ToolError:
            raise
        except _BROKEN as error:
            self._broken(error, sent)
        except BaseExceptionGroup as group:  # as task groups say it
            refusal, rest = group.split(ToolError)
            if rest is not None and (strange := rest.split(_BROKEN)[1]) is not None:
                raise strange from group
            if refusal is not None:
                raise _first(refusal) from group
            self._broken(_first(group), sent)

    def _broken(self, error: BaseException, sent: "_Sent | None") -> NoReturn:
        failure = OutcomeUnknown if sent is not None and sent.yes else ToolUnavailable
        raise failure(f"the line to {self.system} broke: {type(error).__name__}") from error


@dataclass(slots=True)
class _Sent:
    """Whether a call has left."""

    yes: bool = False


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


async def _listed(line: ClientSession) -> list[types.Tool]:
    """The tools that a server offers; raises ToolUnavailable if they have no end."""
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await line.send_request(
            types.ClientRequest(
                types.ListToolsRequest(params=types.PaginatedRequestParams(cursor=cursor) if cursor else None)
            ),
            types.ListToolsResult,
        )
        found += page.tools
        cursor = page.nextCursor
        if len(found) > MOST_TOOLS:
            break
        if not cursor:
            return found
    raise ToolUnavailable(f"the server offers more than {MOST_TOOLS} tools, or says so without end")


def _definition(system: str, tool: types.Tool) -> Definition:
    hints = tool.annotations.model_dump(exclude_none=True) if tool.annotations else {}
    titles = [title for title in (tool.title, hints.get("title")) if title]
    return Definition.of(
        system,
        tool.name,
        description="\n".join([*dict.fromkeys(titles), tool.description or ""]).strip(),
        arguments=tool.inputSchema,
        answer=tool.outputSchema,
        hints=hints_of(hints),
    )


def _words(answer: types.CallToolResult) -> str:
    """What of an answer is text; pictures, sounds and links to elsewhere are named and not followed."""
    return "\n".join(
        part.text if isinstance(part, types.TextContent) else f"[{part.type}]" for part in answer.content
    )

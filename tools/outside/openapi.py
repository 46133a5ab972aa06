"""OpenAPI 3 operations: chosen ones of a document in a file, as definitions, called through the guard."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from tools.contract import (
    Call,
    OutcomeUnknown,
    RecordNotFound,
    ToolChanged,
    ToolRefused,
    ToolUnavailable,
)
from tools.outside.definition import Definition, DefinitionUnfit, Unfit, without_clashes
from tools.outside.http import Answer, Guard, OutgoingRefused
from tools.outside.operations import JSON, READS, definition_of, operations_of, read_document

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenApi:
    """One API.

    Attributes:
        document: its OpenAPI document, which is read again for each call.
        operations: those that are offered, by their `operationId`.
        guard: leads to the address below which its paths are; the document's own `servers` count for nothing.
        headers: what each request carries, such as a token.
    """

    system: str
    document: Path
    operations: tuple[str, ...]
    guard: Guard
    timeout: timedelta
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def offered(self) -> Sequence[Definition | Unfit]:
        """The chosen operations; raises ToolUnavailable if the document cannot be read."""
        document = await asyncio.to_thread(read_document, self.document)
        found = dict(operations_of(document))
        definitions: list[Definition] = []
        unfit: list[Unfit] = []
        for name in self.operations:
            try:
                definitions.append(definition_of(self.system, name, found.get(name), document))
            except DefinitionUnfit as error:
                unfit.append(Unfit(remote=name, why=str(error)))
        fine, clashes = without_clashes(definitions)
        return [*fine, *unfit, *clashes]

    async def require(self, definition: Definition) -> None:
        """Raise ToolChanged if the document does not say exactly this now."""
        same = [one for one in await self.offered() if isinstance(one, Definition)]
        if definition.digest not in {one.digest for one in same}:
            raise ToolChanged(f"{definition.name} is not described as it was admitted")

    async def call(self, definition: Definition, arguments: Mapping[str, Any], call: Call) -> Any:  # noqa: ARG002 - no header carries the key unless an API says which
        """Require this very definition, then call it; raises as `Provider.call` does."""
        await self.require(definition)
        request = self._request(definition, arguments)
        try:
            answer = await self.guard.fetch(request, self.timeout)
        except _NOT_SENT as error:
            raise ToolUnavailable(f"{self.system} is not reached: {type(error).__name__}") from error
        except OutgoingRefused as refused:
            raise (OutcomeUnknown if refused.sent else ToolUnavailable)(str(refused)) from refused
        except (TimeoutError, httpx.HTTPError) as error:
            raise OutcomeUnknown(f"{self.system} does not answer: {type(error).__name__}") from error
        _require_success(definition, answer)
        return _content(definition, answer)

    def _request(self, definition: Definition, arguments: Mapping[str, Any]) -> httpx.Request:
        where, path = definition.wire["in"], definition.wire["path"]
        for name in (name for name in arguments if where[name] == "path"):
            path = path.replace("{" + name + "}", _segment(arguments[name]))
        query = {name: _texts(value) for name, value in arguments.items() if where[name] == "query"}
        body = {name: value for name, value in arguments.items() if where[name] == "body"}
        base = str(self.guard.destinations[0].url).rstrip("/")
        address = f"{base}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = json.dumps(body, ensure_ascii=False).encode() if "body" in where.values() else None
        headers = {"Accept": JSON, "User-Agent": "countersign", **self.headers}
        headers |= {"Content-Type": JSON} if content is not None else {}
        return httpx.Request(definition.wire["method"], address, content=content, headers=headers)


def _segment(value: Any) -> str:
    """A value as one piece of a path, and never as a step out of it."""
    text = _text(value)
    if text in {"", ".", ".."}:
        raise ToolRefused("a piece of a path cannot be empty, or lead elsewhere")
    return quote(text, safe="")


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _require_success(definition: Definition, answer: Answer) -> None:
    status, name = answer.status, definition.name
    if httpx.codes.is_success(status):
        return
    reads = definition.wire["method"] in READS
    if reads and status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise RecordNotFound(f"{name}: there is none")
    if not reads and httpx.codes.is_client_error(status) and status != HTTPStatus.REQUEST_TIMEOUT:
        raise ToolRefused(f"{name} answered {status}")
    raise OutcomeUnknown(f"{name} answered {status}")


def _content(definition: Definition, answer: Answer) -> Any:
    text = answer.body.decode("utf-8", "replace")
    if definition.answer is None:
        return {"text": text}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutcomeUnknown(f"{definition.name} answered no JSON") from error

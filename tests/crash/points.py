"""The points at which a process can be killed: before and after whatever it does to the world outside.

A statement counts where psycopg sends it, so the pipelined ones and COMMIT are among them, and what a
connector asks its own database is told apart. A pipelined statement is answered with the others of its
pipeline, so the point after it is that before the next one.

Points between which nothing leaves the process are one **moment**: whoever dies in it leaves the same behind.
So killing a process once in each moment is killing it at each point.
"""

import json
import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from psycopg import AsyncConnection
from psycopg._connection_base import BaseConnection
from psycopg._cursor_base import BaseCursor
from psycopg.sql import Composable

from checkpoints.cases import Case
from checkpoints.commands import Command
from checkpoints.embedded import SUPERUSER
from graphs.tracing import UNTRACED, Segment

_LONGEST = 90


class Kind(StrEnum):
    """What a point lies before or after."""

    STATEMENT = "statement"
    COMMIT = "commit"
    COMPANY = "company"
    """A statement of a connector, in the sandbox company's own database."""
    CALL = "call"
    NODE = "node"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A point: `before` or `after` what, and what that was."""

    kind: Kind
    when: str
    what: str

    def __str__(self) -> str:
        return f"{self.when} {self.kind}: {self.what}"


Moment = list[Point]
"""The points of one moment, in their order."""


@dataclass(slots=True)
class Points:
    """Counts the moments of a process, and ends the process in one of them if told to.

    Attributes:
        line: a file descriptor; the point at which the process ends is written there before.
        kill_at: the number of the moment in which it ends, from 0; None ends it nowhere.
        ours: the name of our own database.
    """

    line: int
    kill_at: int | None
    ours: str
    moments: list[Moment] = field(default_factory=list)
    _sent: bool = True
    _unanswered: dict[int, Point] = field(default_factory=dict)

    def reach(self, kind: Kind, when: str, what: str) -> Point:
        """Be at a point, and perhaps no further."""
        point = Point(kind=kind, when=when, what=what)
        if self._sent:
            if len(self.moments) == self.kill_at:
                os.write(self.line, json.dumps(asdict(point)).encode())
                os.kill(os.getpid(), signal.SIGKILL)
            self.moments.append([])
            self._sent = False
        self.moments[-1].append(point)
        return point

    def sending(self, connection: BaseConnection[Any], text: str | bytes | Composable) -> None:
        """A statement is about to be sent; those of the owner are of whoever looks on, and do not count."""
        if connection.info.user == SUPERUSER and connection.info.dbname == self.ours:
            return
        what = _squeezed(text, connection)
        kind = Kind.STATEMENT if connection.info.dbname == self.ours else Kind.COMPANY
        if kind is Kind.STATEMENT and what.upper().startswith("COMMIT"):
            kind = Kind.COMMIT
        self._unanswered[id(connection)] = self.reach(kind, "before", what)
        self._sent = True

    def answered(self, connection: BaseConnection[Any]) -> None:
        """What was waited for on a connection has come; of a pipeline, all of it."""
        pipeline = connection._pipeline
        if pipeline is not None and pipeline.result_queue:
            return
        if (point := self._unanswered.pop(id(connection), None)) is not None:
            self.reach(point.kind, "after", point.what)

    @contextmanager
    def call(self, tool: str) -> Iterator[None]:
        """Around a call of a connector; where it fails, there is no point after it."""
        self.reach(Kind.CALL, "before", tool)
        yield
        self.reach(Kind.CALL, "after", tool)

    @contextmanager
    def segment(self, command: Command, case: Case) -> Iterator[Segment]:
        """A tracer's segment: hears of the nodes."""
        with UNTRACED.segment(command, case) as segment:
            segment.callbacks = [Nodes(self)]
            yield segment

    @property
    def where(self) -> str:
        """As every tracer says."""
        return "Nodes are points."


class Nodes(BaseCallbackHandler):
    """Hears LangChain's callbacks, of which the nodes' own are points."""

    run_inline = True  # on the event loop: in a thread the process would be somewhere else already
    raise_error = True

    def __init__(self, points: Points) -> None:
        self._points = points
        self._open: dict[UUID, str] = {}

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, metadata: Any = None, **kwargs: Any
    ) -> None:
        """A node begins, or something within one, or the graph."""
        node = (metadata or {}).get("langgraph_node")
        if node is not None and kwargs.get("name") == node:
            self._open[run_id] = node
            self._points.reach(Kind.NODE, "before", node)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A node has ended."""
        self._ended(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A node has ended with an interrupt, which LangChain takes for an error."""
        self._ended(run_id)

    def _ended(self, run_id: UUID) -> None:
        if (node := self._open.pop(run_id, None)) is not None:
            self._points.reach(Kind.NODE, "after", node)


@asynccontextmanager
async def seen(points: Points) -> AsyncIterator[None]:
    """Let every statement that psycopg sends in the block be a point."""
    command, execute = BaseConnection._exec_command, BaseCursor._execute_send
    prepare, prepared, wait = BaseCursor._send_prepare, BaseCursor._send_query_prepared, AsyncConnection.wait

    def commanding(self: Any, text: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        points.sending(self, text)
        return (yield from command(self, text, *args, **kwargs))

    def executing(self: Any, query: Any, **kwargs: Any) -> None:
        points.sending(self.connection, query.query)
        execute(self, query, **kwargs)

    def preparing(self: Any, name: bytes, query: Any) -> None:
        points.sending(self.connection, b"PREPARE " + query.query)
        prepare(self, name, query)

    def executing_prepared(self: Any, name: bytes, query: Any, **kwargs: Any) -> None:
        points.sending(self.connection, query.query)
        prepared(self, name, query, **kwargs)

    async def waiting(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = await wait(self, *args, **kwargs)
        points.answered(self)
        return answer

    BaseConnection._exec_command = commanding  # type: ignore[method-assign, assignment]
    BaseCursor._execute_send = executing  # type: ignore[method-assign]
    BaseCursor._send_prepare = preparing  # type: ignore[method-assign]
    BaseCursor._send_query_prepared = executing_prepared  # type: ignore[method-assign, assignment]
    AsyncConnection.wait = waiting  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseConnection._exec_command = command  # type: ignore[method-assign]
        BaseCursor._execute_send = execute  # type: ignore[method-assign]
        BaseCursor._send_prepare = prepare  # type: ignore[method-assign]
        BaseCursor._send_query_prepared = prepared  # type: ignore[method-assign]
        AsyncConnection.wait = wait  # type: ignore[method-assign]


def _squeezed(text: str | bytes | Composable, connection: BaseConnection[Any]) -> str:
    """A statement's text on one line, as much as tells it from others."""
    if isinstance(text, Composable):
        text = text.as_bytes(connection)
    words = text.decode() if isinstance(text, bytes) else text
    return " ".join(words.split())[:_LONGEST]

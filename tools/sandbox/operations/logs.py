"""Logs: large texts that stay where they are; what is read is a reference, and an excerpt of fixed size."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool, Trust
from tools.sandbox.database import Sandbox, one
from tools.sandbox.deeds import there
from tools.sandbox.operations.excerpts import MOST_CHARACTERS, MOST_LINES, errors_in, excerpt
from tools.sandbox.operations.names import AlertId, ServiceId

Line = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class LogExcerpt(Record):
    """What there is of a service's log around an alert, by reference, and the lines of it that are shown.

    Attributes:
        reference: the chunk of the log; empty if there is none of that time.
        sha256: its digest: the same reference and digest are the same text.
        errors: how many warnings and errors are in the whole chunk.
        excerpt: some of them. Anybody whose request is logged may have written into them.
    """

    alert_id: AlertId
    service_id: ServiceId
    reference: str
    size_bytes: int
    line_count: int
    sha256: str
    errors: int
    excerpt: Annotated[
        tuple[Line, ...],
        Field(max_length=MOST_LINES),
        Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED),
    ]


class ReadLog(Arguments):
    """Around which alert to look into the log."""

    alert_id: AlertId


class _Fired(Record):
    service_id: str
    fired_at: datetime


class _Chunk(Record):
    log_id: str
    size_bytes: int
    line_count: int
    sha256: str
    body: str


_FIRED = "SELECT {columns} FROM alerts WHERE alert_id = %s"
_CHUNK = """
    SELECT {columns} FROM log_chunks WHERE service_id = %s AND starts_at <= %s AND ends_at >= %s
    ORDER BY starts_at DESC, log_id LIMIT 1
"""


def logs_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tool of the log store."""

    async def around(arguments: ReadLog, _call: Call) -> LogExcerpt:
        async with sandbox.reading() as connection:
            fired = await there(connection, _Fired, f"alert {arguments.alert_id}", _FIRED, arguments.alert_id)
            values = (fired.service_id, fired.fired_at, fired.fired_at)
            chunk = await one(connection, _Chunk, _CHUNK, *values)
        return _seen(arguments.alert_id, fired, chunk)

    return (
        Tool(
            name="logs.around",
            version="1",
            purpose="Look into the log of an alert's service around the alert: its errors, and where it is.",
            effect=Effect.READ,
            arguments=ReadLog,
            result=LogExcerpt,
            perform=around,
            idempotent=True,
        ),
    )


def _seen(alert_id: str, fired: _Fired, chunk: _Chunk | None) -> LogExcerpt:
    lines = chunk.body.splitlines() if chunk else []
    return LogExcerpt(
        alert_id=alert_id,
        service_id=fired.service_id,
        reference=chunk.log_id if chunk else "",
        size_bytes=chunk.size_bytes if chunk else 0,
        line_count=chunk.line_count if chunk else 0,
        sha256=chunk.sha256 if chunk else "",
        errors=errors_in(lines),
        excerpt=excerpt(lines, fired.fired_at),
    )

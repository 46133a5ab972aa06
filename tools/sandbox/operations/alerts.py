"""Alerts: what the monitoring has noticed of a service."""

from datetime import datetime
from typing import Annotated, Literal

from tools.contract import Arguments, Call, Effect, Marked, Record, Tool, ToolRefused, Trust
from tools.sandbox.database import Connection, Sandbox
from tools.sandbox.deeds import Deed, there, written
from tools.sandbox.operations.names import AlertId, Impact, ServiceId


class Alert(Record):
    """An alert; its words are filled in from what services report of themselves."""

    alert_id: AlertId
    service_id: ServiceId
    kind: str
    title: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    summary: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    customer_impact: Impact
    status: Literal["firing", "resolved"]
    firings_24h: int
    fired_at: datetime
    resolved_at: datetime | None


class GetAlert(Arguments):
    """Which alert to get."""

    alert_id: AlertId


class ClearAlert(Arguments):
    """Which alert is over."""

    alert_id: AlertId


_GET = "SELECT {columns} FROM alerts WHERE alert_id = %s"
_CLEARED_UNDER = "SELECT {columns} FROM alerts WHERE clearing_key = %s"
_HOLD = "SELECT {columns} FROM alerts WHERE alert_id = %s FOR UPDATE"
_CLEAR = """
    UPDATE alerts SET status = 'resolved', resolved_at = %s, clearing_key = %s
    WHERE alert_id = %s RETURNING {columns}
"""


def alerts_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the monitoring; it clears an alert itself when the service has recovered."""

    async def get(arguments: GetAlert, _call: Call) -> Alert:
        async with sandbox.reading() as connection:
            return await there(connection, Alert, f"alert {arguments.alert_id}", _GET, arguments.alert_id)

    async def write(connection: Connection, wanted: ClearAlert, key: str) -> Alert:
        alert = await there(connection, Alert, f"alert {wanted.alert_id}", _HOLD, wanted.alert_id)
        if alert.status == "resolved":
            raise ToolRefused(f"{alert.alert_id} is resolved already")
        return await written(connection, Alert, _CLEAR, sandbox.now(), key, alert.alert_id)

    clear = Deed(sandbox=sandbox, name="alerts.clear", result=Alert, done_under=_CLEARED_UNDER, write=write)
    return (
        Tool(
            name="alerts.get",
            version="1",
            purpose="Get an alert: which service it is about, what customers notice, how often it fired.",
            effect=Effect.READ,
            arguments=GetAlert,
            result=Alert,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="alerts.clear",
            version="1",
            purpose="Say that a service has recovered from what an alert was about.",
            effect=Effect.WRITE,
            arguments=ClearAlert,
            result=Alert,
            perform=clear.perform,
            idempotent=True,
            find=clear.find,
            undone_outside="The monitoring fires again if the service has not recovered.",
            authority=frozenset({"alert_id"}),
        ),
    )

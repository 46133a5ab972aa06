"""Incidents: opened because of an alert, one at a time for a service, and withdrawn if it was none."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from tools.contract import Arguments, Call, Effect, Marked, Record, Tool, ToolRefused, Trust, Undo
from tools.sandbox.database import Connection, Sandbox, exists, many
from tools.sandbox.deeds import Deed, of_result, there, written
from tools.sandbox.operations.names import (
    AlertId,
    DeedId,
    IncidentId,
    Rota,
    ServiceId,
    Severity,
    Title,
    Urgency,
)

WITHDRAWABLE = timedelta(hours=24)


class Incident(Record):
    """An incident of a service, and the alert that it was opened because of."""

    incident_id: IncidentId
    service_id: ServiceId
    alert_id: AlertId | None
    severity: Severity
    status: Literal["open", "resolved", "withdrawn"]
    title: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    cause: str | None
    opened_at: datetime
    resolved_at: datetime | None


class Page(Record):
    """Somebody was called."""

    page_id: str
    incident_id: IncidentId
    service_id: ServiceId
    target: Rota
    urgency: Urgency
    sent_at: datetime


class ServiceIncidents(Record):
    """A service's incidents that are open, and the one of an alert whatever has become of it.

    Attributes:
        joined: incidents that the alert was joined to.
        standing: what was done to these incidents, or with the alert, and was not taken back.
        pages: who was called for these incidents.
    """

    service_id: ServiceId
    alert_id: AlertId
    incidents: tuple[Incident, ...]
    joined: tuple[IncidentId, ...]
    standing: tuple[DeedId, ...]
    pages: tuple[Page, ...]


class ListIncidents(Arguments):
    """Of which service, and because of which alert."""

    service_id: ServiceId
    alert_id: AlertId


class OpenIncident(Arguments):
    """Of which service, because of which alert, how severe, and what it is called."""

    service_id: ServiceId
    alert_id: AlertId
    severity: Severity
    title: Annotated[Title, Marked(trust=Trust.UNTRUSTED)]


class WithdrawIncident(Arguments):
    """Which incident was none."""

    incident_id: IncidentId


_LIST = """
    SELECT {columns} FROM incidents
    WHERE service_id = %s AND status <> 'withdrawn' AND (status = 'open' OR alert_id = %s)
    ORDER BY opened_at DESC, incident_id DESC
"""
_JOINED = """
    SELECT incident_id FROM incident_deeds WHERE kind = 'joined' AND status = 'stands' AND alert_id = %s
    ORDER BY done_at
"""
_STANDING = """
    SELECT deed_id FROM incident_deeds WHERE status = 'stands'
    AND (alert_id = %s OR incident_id IN (SELECT incident_id FROM incidents WHERE alert_id = %s))
    ORDER BY deed_id
"""
_PAGES = """
    SELECT {columns} FROM incident_pages JOIN incidents USING (incident_id, service_id)
    WHERE service_id = %s AND (status = 'open' OR alert_id = %s) ORDER BY sent_at, page_id
"""
_OPENED_UNDER = "SELECT {columns} FROM incidents WHERE idempotency_key = %s"
_IS_OPEN = "SELECT FROM incidents WHERE service_id = %s AND status = 'open'"
_OPEN = """
    INSERT INTO incidents (service_id, alert_id, severity, status, title, opened_at, idempotency_key)
    VALUES (%s, %s, %s, 'open', %s, %s, %s) RETURNING {columns}
"""
_WITHDRAWN_UNDER = "SELECT {columns} FROM incidents WHERE withdrawal_key = %s"
_HOLD = "SELECT {columns} FROM incidents WHERE incident_id = %s FOR UPDATE"
_WITHDRAW = """
    UPDATE incidents SET status = 'withdrawn', withdrawal_key = %s WHERE incident_id = %s RETURNING {columns}
"""


class _Joined(Record):
    incident_id: str


class _Standing(Record):
    deed_id: str


class _Doing:
    """What the tools do: the deeds themselves within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def list(self, arguments: ListIncidents, _call: Call) -> ServiceIncidents:
        values = (arguments.service_id, arguments.alert_id)
        async with self._sandbox.reading() as connection:
            incidents = await many(connection, Incident, _LIST, *values)
            joined = await many(connection, _Joined, _JOINED, arguments.alert_id)
            standing = await many(connection, _Standing, _STANDING, *(arguments.alert_id,) * 2)
            pages = await many(connection, Page, _PAGES, *values)
        return ServiceIncidents(
            service_id=arguments.service_id,
            alert_id=arguments.alert_id,
            incidents=tuple(incidents),
            joined=tuple(one.incident_id for one in joined),
            standing=tuple(one.deed_id for one in standing),
            pages=tuple(pages),
        )

    async def open(self, connection: Connection, wanted: OpenIncident, key: str) -> Incident:
        if await exists(connection, _IS_OPEN, wanted.service_id):
            raise ToolRefused(f"an incident of {wanted.service_id} is open already")
        what = (wanted.service_id, wanted.alert_id, wanted.severity, wanted.title)
        return await written(connection, Incident, _OPEN, *what, self._sandbox.now(), key)

    async def withdraw(self, connection: Connection, wanted: WithdrawIncident, key: str) -> Incident:
        named = wanted.incident_id
        incident = await there(connection, Incident, f"incident {named}", _HOLD, named)
        if incident.status != "open":
            raise ToolRefused(f"{named} is {incident.status}")
        if self._sandbox.now() - incident.opened_at > WITHDRAWABLE:
            raise ToolRefused(f"{named} is older than {WITHDRAWABLE}")
        return await written(connection, Incident, _WITHDRAW, key, named)


def incidents_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools that open incidents and withdraw them."""
    doing = _Doing(sandbox)
    opening, withdrawing = (
        Deed(sandbox=sandbox, name=name, result=Incident, done_under=under, write=write)
        for name, under, write in (
            ("incidents.open", _OPENED_UNDER, doing.open),
            ("incidents.withdraw", _WITHDRAWN_UNDER, doing.withdraw),
        )
    )
    return (
        Tool(
            name="incidents.list",
            version="1",
            purpose="List a service's open incidents, and what was opened, joined and paged for an alert.",
            effect=Effect.READ,
            arguments=ListIncidents,
            result=ServiceIncidents,
            perform=doing.list,
            idempotent=True,
        ),
        Tool(
            name="incidents.open",
            version="1",
            purpose="Open an incident of a service because of an alert, where none is open.",
            effect=Effect.WRITE,
            arguments=OpenIncident,
            result=Incident,
            perform=opening.perform,
            idempotent=True,
            find=opening.find,
            undo=Undo(
                tool="incidents.withdraw",
                arguments=of_result("incident_id"),
                window=WITHDRAWABLE,
                proven_for="1",
            ),
            authority=frozenset({"service_id", "alert_id", "severity"}),
        ),
        Tool(
            name="incidents.withdraw",
            version="1",
            purpose="Withdraw an incident that was none, within 24 hours and while it is open.",
            effect=Effect.WRITE,
            arguments=WithdrawIncident,
            result=Incident,
            perform=withdrawing.perform,
            idempotent=True,
            find=withdrawing.find,
            undone_outside="The alert fires again, and is a new incident.",
            authority=frozenset({"incident_id"}),
        ),
    )

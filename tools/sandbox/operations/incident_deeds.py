"""What is done to an incident: an alert joins it, it is graded, it is resolved; and the ways back."""

from datetime import datetime, timedelta
from typing import Any, Literal

from tools.contract import Arguments, Effect, Record, Tool, ToolRefused, Undo
from tools.sandbox.database import Connection, Sandbox, exists
from tools.sandbox.deeds import Deed, of_result, there, written
from tools.sandbox.operations.incidents import Incident
from tools.sandbox.operations.names import AlertId, Code, DeedId, IncidentId, ServiceId, Severity

TAKEN_BACK_WITHIN = timedelta(hours=24)


class IncidentDeed(Record):
    """Something that was done to an incident."""

    deed_id: DeedId
    kind: Literal["joined", "graded", "resolved"]
    incident_id: IncidentId
    service_id: ServiceId
    alert_id: AlertId | None
    severity: Severity | None
    severity_before: Severity | None
    cause: str | None
    status: Literal["stands", "taken_back"]
    done_at: datetime


class JoinAlert(Arguments):
    """Which alert of which service belongs to which open incident."""

    incident_id: IncidentId
    service_id: ServiceId
    alert_id: AlertId


class GradeIncident(Arguments):
    """How severe an open incident really is."""

    incident_id: IncidentId
    severity: Severity


class ResolveIncident(Arguments):
    """Which incident is over, and what it came from."""

    incident_id: IncidentId
    cause: Code


class TakeBack(Arguments):
    """Which deed to take back."""

    deed_id: DeedId


_UNDER = "SELECT {columns} FROM incident_deeds WHERE idempotency_key = %s"
_UNDONE_UNDER = "SELECT {columns} FROM incident_deeds WHERE undo_key = %s"
_HOLD = "SELECT {columns} FROM incidents WHERE incident_id = %s FOR UPDATE"
_HOLD_DEED = "SELECT {columns} FROM incident_deeds WHERE deed_id = %s AND kind = %s FOR UPDATE"
_JOINED = "SELECT FROM incident_deeds WHERE alert_id = %s AND status = 'stands'"
_INSERT = """
    INSERT INTO incident_deeds (kind, incident_id, service_id, alert_id, severity, severity_before, cause,
                                status, done_at, idempotency_key)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 'stands', %s, %s) RETURNING {columns}
"""
_SET = "UPDATE incidents SET severity = %s, status = %s, cause = %s, resolved_at = %s WHERE incident_id = %s"
_TAKE_BACK = """
    UPDATE incident_deeds SET status = 'taken_back', undo_key = %s WHERE deed_id = %s RETURNING {columns}
"""


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def join(self, connection: Connection, wanted: JoinAlert, key: str) -> IncidentDeed:
        incident = await _held(connection, wanted.incident_id, "open")
        if incident.service_id != wanted.service_id:
            raise ToolRefused(f"{wanted.incident_id} is not about {wanted.service_id}")
        if await exists(connection, _JOINED, wanted.alert_id):
            raise ToolRefused(f"{wanted.alert_id} has been joined to an incident already")
        return await self._keep(connection, "joined", incident, key, alert_id=wanted.alert_id)

    async def grade(self, connection: Connection, wanted: GradeIncident, key: str) -> IncidentDeed:
        incident = await _held(connection, wanted.incident_id, "open")
        if incident.severity == wanted.severity:
            raise ToolRefused(f"{wanted.incident_id} is {wanted.severity} already")
        await _set(connection, incident.model_copy(update={"severity": wanted.severity}))
        return await self._keep(connection, "graded", incident, key, severity=wanted.severity)

    async def resolve(self, connection: Connection, wanted: ResolveIncident, key: str) -> IncidentDeed:
        incident = await _held(connection, wanted.incident_id, "open")
        over = {"status": "resolved", "cause": wanted.cause, "resolved_at": self._sandbox.now()}
        await _set(connection, incident.model_copy(update=over))
        return await self._keep(connection, "resolved", incident, key, cause=wanted.cause)

    async def detach(self, connection: Connection, wanted: TakeBack, key: str) -> IncidentDeed:
        deed = await self._standing(connection, wanted, "joined")
        return await written(connection, IncidentDeed, _TAKE_BACK, key, deed.deed_id)

    async def regrade(self, connection: Connection, wanted: TakeBack, key: str) -> IncidentDeed:
        deed = await self._standing(connection, wanted, "graded")
        incident = await _held(connection, deed.incident_id, "open")
        if incident.severity != deed.severity:
            raise ToolRefused(f"{deed.incident_id} is {incident.severity} by now")
        await _set(connection, incident.model_copy(update={"severity": deed.severity_before}))
        return await written(connection, IncidentDeed, _TAKE_BACK, key, deed.deed_id)

    async def reopen(self, connection: Connection, wanted: TakeBack, key: str) -> IncidentDeed:
        deed = await self._standing(connection, wanted, "resolved")
        incident = await _held(connection, deed.incident_id, "resolved")
        before = {"status": "open", "cause": None, "resolved_at": None}
        await _set(connection, incident.model_copy(update=before))
        return await written(connection, IncidentDeed, _TAKE_BACK, key, deed.deed_id)

    async def _standing(self, connection: Connection, wanted: TakeBack, kind: str) -> IncidentDeed:
        named = wanted.deed_id
        deed = await there(connection, IncidentDeed, f"such deed {named}", _HOLD_DEED, named, kind)
        if deed.status != "stands":
            raise ToolRefused(f"{named} has been taken back already")
        if self._sandbox.now() - deed.done_at > TAKEN_BACK_WITHIN:
            raise ToolRefused(f"{named} is older than {TAKEN_BACK_WITHIN}")
        return deed

    async def _keep(
        self,
        connection: Connection,
        kind: str,
        before: Incident,
        key: str,
        *,
        alert_id: str | None = None,
        severity: str | None = None,
        cause: str | None = None,
    ) -> IncidentDeed:
        graded = (severity, before.severity if severity else None)
        what = (kind, before.incident_id, before.service_id, alert_id, *graded, cause)
        return await written(connection, IncidentDeed, _INSERT, *what, self._sandbox.now(), key)


async def _held(connection: Connection, incident_id: str, status: str) -> Incident:
    incident = await there(connection, Incident, f"incident {incident_id}", _HOLD, incident_id)
    if incident.status != status:
        raise ToolRefused(f"{incident_id} is {incident.status}")
    return incident


async def _set(connection: Connection, now: Incident) -> None:
    values = (now.severity, now.status, now.cause, now.resolved_at, now.incident_id)
    await connection.execute(_SET, values)


def incident_deeds_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools that say what belongs to an incident, how severe it is, that it is over; their undos."""
    doing = _Doing(sandbox)

    def does(name: str, purpose: str, arguments: type[Arguments], write: Any, undo: str) -> Tool:
        deed = Deed(sandbox=sandbox, name=name, result=IncidentDeed, done_under=_UNDER, write=write)
        return Tool(
            name=name,
            version="1",
            purpose=purpose,
            effect=Effect.WRITE,
            arguments=arguments,
            result=IncidentDeed,
            perform=deed.perform,
            idempotent=True,
            find=deed.find,
            undo=Undo(tool=undo, arguments=of_result("deed_id"), window=TAKEN_BACK_WITHIN, proven_for="1"),
            # how severe it is, and where it came from, is an opinion: the rules bound what may be one
            authority=frozenset(arguments.model_fields),
        )

    def takes_back(name: str, purpose: str, write: Any, outside: str) -> Tool:
        deed = Deed(sandbox=sandbox, name=name, result=IncidentDeed, done_under=_UNDONE_UNDER, write=write)
        return Tool(
            name=name,
            version="1",
            purpose=purpose,
            effect=Effect.WRITE,
            arguments=TakeBack,
            result=IncidentDeed,
            perform=deed.perform,
            idempotent=True,
            find=deed.find,
            undone_outside=outside,
            authority=frozenset({"deed_id"}),
        )

    return (
        does(
            "incidents.join",
            "Say that an alert belongs to an incident that is open.",
            JoinAlert,
            doing.join,
            "incidents.detach",
        ),
        does(
            "incidents.grade",
            "Give an open incident another severity.",
            GradeIncident,
            doing.grade,
            "incidents.regrade",
        ),
        does(
            "incidents.resolve",
            "Say that an incident is over, and what it came from.",
            ResolveIncident,
            doing.resolve,
            "incidents.reopen",
        ),
        takes_back(
            "incidents.detach",
            "Take an alert out of an incident again.",
            doing.detach,
            "Somebody joins the alert to the incident by hand.",
        ),
        takes_back(
            "incidents.regrade",
            "Give an open incident the severity back that it had before.",
            doing.regrade,
            "The incident commander sets the severity by hand.",
        ),
        takes_back(
            "incidents.reopen",
            "Open an incident again that was not over.",
            doing.reopen,
            "Somebody resolves the incident by hand.",
        ),
    )

"""The incident's event, and the records derived for it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, get_args

from pydantic import BaseModel

from graphs.incident.policy import (
    DUE,
    FLOORS,
    PAGED,
    Hinted,
    Level,
    Noise,
    TaskKind,
    cause_of,
    hint_of,
    noise_of,
    owed,
)
from nodes.records import Records
from nodes.workflow import EventData
from tools.contract import Marked, Record, Trust
from tools.sandbox.operations.alerts import Alert
from tools.sandbox.operations.deployments import Deployment, Deployments
from tools.sandbox.operations.incidents import Incident, ServiceIncidents
from tools.sandbox.operations.logs import LogExcerpt
from tools.sandbox.operations.names import (
    AlertId,
    Code,
    DeploymentId,
    IncidentId,
    Rota,
    ServiceId,
    Severity,
    Team,
    Urgency,
)
from tools.sandbox.operations.search import SimilarIncidents
from tools.sandbox.operations.services import Service, ServiceActions

_NO_MEMORY = "OutOfMemory"
PAGE, TASK = "page_", "task_"
"""What the names of planned pages and tasks begin with."""


class AlertFired(EventData):
    """The monitoring has noticed something of a service."""

    alert_id: AlertId
    service_id: ServiceId


class Floor(Record):
    """The least severe that the incident may count as, and whether its alert is noise."""

    floor: Severity
    noise: Noise


class Suspect(Record):
    """The last deployment before the alert."""

    deployment_id: DeploymentId
    version: str
    previous_version: str | None
    change: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    status: str
    minutes_before_alert: int


class Hint(Record):
    """What the records point to by themselves, whatever the analyst makes of them."""

    action: Hinted


class Ending(Record):
    """What the incident came from, as far as what was done in production shows it."""

    cause: Code


class PlannedPage(Record):
    """Whom the escalation policy calls, and how; nobody if nobody is on call."""

    level: Level
    target: Rota | None
    urgency: Urgency


class PlannedTask(Record):
    """A follow-up that the incident's team owes."""

    kind: TaskKind
    team: Team
    due_at: datetime


DERIVED: Mapping[str, type[BaseModel]] = {
    "severity": Floor,
    "suspect": Suspect,
    "hint": Hint,
    "ending": Ending,
    "incident": Incident,
    "current": Incident,
    **{f"{PAGE}{level}": PlannedPage for level in get_args(Level)},
    **{f"{TASK}{kind}": PlannedTask for kind in DUE},
}
"""What may be derived; of the calls and tasks, those that are planned."""


def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """What follows from what was read; nothing of it changes by time alone."""
    alert, service = records["alert"], records["service"]
    assert isinstance(alert, Alert)
    assert isinstance(service, Service)
    floor = Floor(floor=FLOORS[service.tier, alert.customer_impact], noise=noise_of(alert))
    found: dict[str, BaseModel] = {"severity": floor, **_suspect(records, alert), **_others(records, alert)}
    found["hint"] = _hint(records, alert, found.get("suspect"))
    if (incident := own_incident(records)) is None:
        return found
    done = _done(records, incident)
    return found | {
        "incident": incident,
        "ending": Ending(cause=cause_of(done)),
        **_pages(service, floor),
        **_tasks(records, incident, service, floor, done),
    }


def own_incident(records: Records) -> Incident | None:
    """The incident that was opened because of the case's alert."""
    return next((one for one in _incidents(records) if one.alert_id == _alert_id(records)), None)


def _others(records: Records, alert: Alert) -> dict[str, BaseModel]:
    """The incident of the service that is open because of another alert, as `current`."""
    others = [one for one in _incidents(records) if one.status == "open" and one.alert_id != alert.alert_id]
    return {"current": others[0]} if others else {}


def _incidents(records: Records) -> tuple[Incident, ...]:
    listed = records["incidents"]
    assert isinstance(listed, ServiceIncidents)
    return listed.incidents


def _alert_id(records: Records) -> str:
    event = records["event"]
    assert isinstance(event, AlertFired)
    return event.alert_id


def _suspect(records: Records, alert: Alert) -> dict[str, BaseModel]:
    listed = records["deployments"]
    assert isinstance(listed, Deployments)
    before = [one for one in listed.deployments if one.deployed_at <= alert.fired_at]
    newest: Deployment | None = max(before, key=lambda one: one.deployed_at, default=None)
    if newest is None:
        return {}
    minutes = (alert.fired_at - newest.deployed_at) // timedelta(minutes=1)
    kept = newest.model_dump(include=set(Suspect.model_fields))
    return {"suspect": Suspect(**kept, minutes_before_alert=minutes)}


def _pages(service: Service, floor: Floor) -> dict[str, BaseModel]:
    """Who is called hangs on records alone: on the floor, whatever anybody thinks of the severity."""
    targets: Mapping[Level, str | None] = {"first": service.on_call, "second": service.second_on_call}
    return {
        f"{PAGE}{level}": PlannedPage(level=level, target=targets[level], urgency=urgency)
        for level, urgency in PAGED[floor.floor]
    }


def _hint(records: Records, alert: Alert, suspect: BaseModel | None) -> Hint:
    """By dates and statuses; of the log fixed code looks for one word, and no other word takes it back."""
    logs = records["logs"]
    assert isinstance(logs, LogExcerpt)
    minutes = None
    if isinstance(suspect, Suspect) and suspect.status == "live" and suspect.previous_version is not None:
        minutes = suspect.minutes_before_alert
    memory = alert.kind == "memory" or any(_NO_MEMORY in line for line in logs.excerpt)
    return Hint(action=hint_of(minutes_before=minutes, memory=memory))


def _done(records: Records, incident: Incident) -> frozenset[str]:
    """What was done in production because of the incident, and stands."""
    actions = records["actions"]
    assert isinstance(actions, ServiceActions)
    return frozenset(
        one.kind
        for one in actions.actions
        if one.incident_id == incident.incident_id and one.status == "stands"
    )


def _tasks(
    records: Records, incident: Incident, service: Service, floor: Floor, done: frozenset[str]
) -> dict[str, BaseModel]:
    similar = records["similar"]
    assert isinstance(similar, SimilarIncidents)
    kinds = owed(severity=incident.severity, noise=floor.noise, done=done, known=bool(similar.incidents))
    return {
        f"{TASK}{kind}": PlannedTask(kind=kind, team=service.team, due_at=incident.opened_at + DUE[kind])
        for kind in kinds
    }


def incident_id(records: Records) -> IncidentId | None:
    """The id of the incident that was opened because of the case's alert, while it is open."""
    incident = own_incident(records)
    return incident.incident_id if incident is not None and incident.status == "open" else None

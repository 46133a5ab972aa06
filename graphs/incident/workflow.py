"""The incident workflow: its event, records, rules, roles and graph, put together."""

from graphs.incident.agents import Analysis, LogReading, incident_analyst_playbook, log_reader_playbook
from graphs.incident.following import ResolveFacts, TaskFacts, resolve_facts, task_facts
from graphs.incident.graph import build
from graphs.incident.opening import (
    GradeFacts,
    JoinFacts,
    OpenFacts,
    PageFacts,
    grade_facts,
    join_facts,
    open_facts,
    page_facts,
)
from graphs.incident.production import RestartFacts, RollbackFacts, restart_facts, rollback_facts
from graphs.incident.records import DERIVED, AlertFired, derive
from graphs.incident.undoing import UndoFacts, undo_facts
from graphs.kit import Judged, Kit, Mind
from nodes.records import Source

_SERVICE = {"service_id": "event.service_id"}
_ALERT = {"alert_id": "event.alert_id"}
_INCIDENT = {"incident_id": "incident.incident_id"}
_ANALYST = ("incident_analyst",)

RECORDS = (
    Source(name="alert", tool="alerts.get", arguments=_ALERT),
    Source(name="service", tool="services.get", arguments=_SERVICE),
    Source(name="logs", tool="logs.around", arguments=_ALERT),
    Source(name="deployments", tool="deployments.recent", arguments=_SERVICE),
    Source(name="actions", tool="services.actions", arguments=_SERVICE),
    Source(name="incidents", tool="incidents.list", arguments=_SERVICE | _ALERT),
    Source(name="tasks", tool="tasks.list", arguments=_ALERT),
    Source(name="similar", tool="incidents.search", arguments={"words": "alert.title"}, shared=True),
)
SCOPE = (
    ("alert.service_id", "event.service_id"),
    ("service.service_id", "event.service_id"),
    ("logs.service_id", "event.service_id"),
    ("deployments.service_id", "event.service_id"),
    ("deployments.deployments.service_id", "event.service_id"),
    ("actions.service_id", "event.service_id"),
    ("actions.actions.service_id", "event.service_id"),
    ("incidents.service_id", "event.service_id"),
    ("incidents.incidents.service_id", "event.service_id"),
    ("incidents.pages.service_id", "event.service_id"),
    ("tasks.alert_id", "event.alert_id"),
)
DONE = (
    Judged(
        tool="incidents.open",
        file="open.yaml",
        facts=OpenFacts,
        gather=open_facts,
        own=_SERVICE | _ALERT,
    ),
    Judged(
        tool="incidents.join",
        file="join.yaml",
        facts=JoinFacts,
        gather=join_facts,
        own=_SERVICE | _ALERT | {"incident_id": "current.incident_id"},
    ),
    Judged(
        tool="incidents.page",
        file="page.yaml",
        facts=PageFacts,
        gather=page_facts,
        own=_SERVICE | _INCIDENT,
        apart=("target",),
    ),
    Judged(
        tool="incidents.grade",
        file="grade.yaml",
        facts=GradeFacts,
        gather=grade_facts,
        own=_INCIDENT,
        hears=_ANALYST,
        said={"severity": _ANALYST},
    ),
    Judged(
        tool="services.restart",
        file="restart.yaml",
        facts=RestartFacts,
        gather=restart_facts,
        own=_SERVICE | _INCIDENT,
        hears=_ANALYST,
    ),
    Judged(
        tool="deployments.rollback",
        file="rollback.yaml",
        facts=RollbackFacts,
        gather=rollback_facts,
        own=_SERVICE | _INCIDENT | {"deployment_id": "suspect.deployment_id"},
        hears=_ANALYST,
    ),
    Judged(
        tool="tasks.create",
        file="task.yaml",
        facts=TaskFacts,
        gather=task_facts,
        own=_INCIDENT | {"team": "service.team"},
        apart=("kind",),
    ),
    Judged(
        tool="incidents.resolve",
        file="resolve.yaml",
        facts=ResolveFacts,
        gather=resolve_facts,
        own=_INCIDENT,
    ),
)
UNDONE = tuple(
    Judged(tool=tool, file=file, facts=UndoFacts, gather=undo_facts, own={name: f"undo.{name}"})
    for tool, file, name in (
        ("incidents.withdraw", "withdraw.yaml", "incident_id"),
        ("incidents.detach", "detach.yaml", "deed_id"),
        ("incidents.regrade", "regrade.yaml", "deed_id"),
        ("incidents.reopen", "reopen.yaml", "deed_id"),
        ("tasks.withdraw", "withdraw_task.yaml", "task_id"),
        ("deployments.redeploy", "redeploy.yaml", "action_id"),
    )
)

KIT = Kit(
    package="graphs.incident",
    name="incident",
    version="1",
    event_type="com.countersign.alert.fired",
    event=AlertFired,
    title=lambda event: f"{event.service_id} {event.alert_id}",
    sources=RECORDS,
    scope=SCOPE,
    derive=derive,
    derived=DERIVED,
    judged=(*DONE, *UNDONE),
    agents={
        "log_reader": Mind(LogReading, log_reader_playbook),
        "incident_analyst": Mind(Analysis, incident_analyst_playbook),
    },
    build=build,
)

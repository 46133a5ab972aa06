"""The incident's own steps: what comes next and which action is proposed, by fixed code."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from graphs.incident.agents import Analysis
from graphs.incident.looking import Next
from graphs.incident.policy import Hinted
from graphs.incident.records import PAGE, TASK, Floor, Hint, PlannedPage, own_incident
from nodes.action import Proposal, Ref
from nodes.agent import said
from nodes.context import Context
from nodes.records import Records
from nodes.state import CaseState
from tools.sandbox.operations.alerts import Alert
from tools.sandbox.operations.incidents import ServiceIncidents
from tools.sandbox.operations.tasks import AlertTasks, Task

INCIDENT = Ref("incident.incident_id")
SERVICE = Ref("service.service_id")
LOOKS_AGAIN = timedelta(hours=1)
"""How long a case waits for an alert that still fires."""
OVERDUE_LOOKS = timedelta(days=1)
"""How long a case stands with its team that has a task overdue, before it looks again by itself."""
_HINTED = ("alert", "deployments", "logs")


def _proposal(
    context: Context,
    step: str,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    proposer: str,
    reason: str,
    evidence: tuple[str, ...],
) -> Proposal:
    return Proposal(
        case_id=context.case_id,
        step=step,
        revision=1,
        tool=tool,
        tool_version=context.registry.describe(tool).version,
        arguments=arguments,
        proposer=proposer,
        reason=reason,
        evidence=evidence,
    )


def open_or_join(records: Records, _state: CaseState, context: Context) -> Next:
    """An alert of a service whose incident is open joins it; any other opens one at the severity by rule."""
    if "current" in records:
        return _join(context)
    opening = _proposal(
        context,
        "open",
        "incidents.open",
        {
            "service_id": SERVICE,
            "alert_id": Ref("alert.alert_id"),
            "severity": Ref("severity.floor"),
            "title": Ref("alert.title"),
        },
        proposer="rule:intake",
        reason="An alert has fired and no incident of the service is open.",
        evidence=("alert", "service", "incidents"),
    )
    return Next(outcome="new", proposal=opening)


def join_after_all(records: Records, _state: CaseState, context: Context) -> Next:
    """If an incident is open by now, the alert joins it after all; else the refusal stands."""
    return _join(context) if "current" in records else Next(outcome="refused")


def _join(context: Context) -> Next:
    joining = _proposal(
        context,
        "join",
        "incidents.join",
        {
            "incident_id": Ref("current.incident_id"),
            "service_id": SERVICE,
            "alert_id": Ref("alert.alert_id"),
        },
        proposer="rule:intake",
        reason="An incident of the service is open already.",
        evidence=("alert", "incidents"),
    )
    return Next(outcome="duplicate", proposal=joining)


def call_next(records: Records, _state: CaseState, context: Context) -> Next:
    """The next call of the escalation policy that has not been made; `done` if there is none."""
    listed, incident = records["incidents"], own_incident(records)
    assert isinstance(listed, ServiceIncidents)
    made = {page.target for page in listed.pages if incident and page.incident_id == incident.incident_id}
    planned = {name: one for name, one in records.items() if isinstance(one, PlannedPage)}
    name = next((name for name, one in planned.items() if one.target not in made), None)
    if name is None:
        return Next(outcome="done")
    if planned[name].target is None:
        missing = {"reason": "nobody_on_call", "owner": "engineering_manager"}
        return Next(outcome="escalated", result=missing)
    calling = _proposal(
        context,
        name,
        "incidents.page",
        {
            "incident_id": INCIDENT,
            "service_id": SERVICE,
            "target": Ref(f"{name}.target"),
            "urgency": Ref(f"{name}.urgency"),
        },
        proposer="rule:escalation",
        reason=f"The escalation policy calls the {name.removeprefix(PAGE)} rotation.",
        evidence=("service", "severity", "incident"),
    )
    return Next(outcome="ready", proposal=calling)


def grade(records: Records, state: CaseState, context: Context) -> Next:
    """Another severity, if the analyst proposes one; `same` if not."""
    analysis, floor = _analysis(state, context), records["severity"]
    assert isinstance(floor, Floor)
    if analysis.severity == floor.floor:
        return Next(outcome="same")
    grading = _proposal(
        context,
        "grade",
        "incidents.grade",
        {"incident_id": INCIDENT, "severity": Ref("incident_analyst.severity")},
        proposer="agent:incident_analyst",
        reason=analysis.summary,
        evidence=tuple(analysis.evidence),
    )
    return Next(outcome="ready", proposal=grading)


def act(records: Records, state: CaseState, context: Context) -> Next:
    """What helps in production, done to what the records say; `none` if nothing does.

    That is what the analyst recommends, or else what the records point to: an analyst that is talked out of
    recommending anything does not keep people from being asked.
    """
    analysis, hint = _analysis(state, context), records["hint"]
    assert isinstance(hint, Hint)
    if analysis.action != "none":
        proposer, reason, evidence = "agent:incident_analyst", analysis.summary, tuple(analysis.evidence)
        return _acted(context, analysis.action, proposer=proposer, reason=reason, evidence=evidence)
    if hint.action != "none":
        reason = "The records point to this; the analyst does not recommend it."
        return _acted(context, hint.action, proposer="rule:act", reason=reason, evidence=_HINTED)
    return Next(outcome="none")


def _acted(
    context: Context, action: Hinted, *, proposer: str, reason: str, evidence: tuple[str, ...]
) -> Next:
    what: dict[str, Any] = {"service_id": SERVICE, "incident_id": INCIDENT}
    tool = "services.restart"
    if action == "rollback":
        tool, what = "deployments.rollback", {**what, "deployment_id": Ref("suspect.deployment_id")}
    acting = _proposal(context, action, tool, what, proposer=proposer, reason=reason, evidence=evidence)
    return Next(outcome=action, proposal=acting)


def _analysis(state: CaseState, context: Context) -> Analysis:
    """What the analyst said, as the state has it: it leads on and proves nothing; the judge reads the log."""
    found: Analysis = said(context.workflow.agents["incident_analyst"], state.get("findings", {}))
    return found


def owe_next(records: Records, _state: CaseState, context: Context) -> Next:
    """The next follow-up that the incident owes and nobody has written down; `done` if there is none."""
    tasks = records["tasks"]
    assert isinstance(tasks, AlertTasks)
    written = {f"{TASK}{task.kind}" for task in tasks.tasks}
    name = next((name for name in records if name.startswith(TASK) and name not in written), None)
    if name is None:
        return Next(outcome="done")
    owing = _proposal(
        context,
        name,
        "tasks.create",
        {
            "incident_id": INCIDENT,
            "kind": Ref(f"{name}.kind"),
            "team": Ref(f"{name}.team"),
            "due_at": Ref(f"{name}.due_at"),
        },
        proposer="rule:followups",
        reason="What is learnt from an incident is written down as a task with a due date.",
        evidence=("incident", "service"),
    )
    return Next(outcome="ready", proposal=owing)


def follow_up(records: Records, _state: CaseState, context: Context) -> Next:
    """Wait for what is owed; what is overdue goes to its team; when all is done the incident is over."""
    tasks, alert = records["tasks"], records["alert"]
    assert isinstance(tasks, AlertTasks)
    assert isinstance(alert, Alert)
    if open_ := [task for task in tasks.tasks if task.status == "open"]:
        return _waited(min(open_, key=lambda task: (task.due_at, task.task_id)), context)
    if alert.status == "firing":
        again = (context.clock() + LOOKS_AGAIN).isoformat()
        result = {"reason": "alert_still_fires", "owner": "on_call", "wake_at": again}
        return Next(outcome="waiting", result=result)
    resolving = _proposal(
        context,
        "resolve",
        "incidents.resolve",
        {"incident_id": INCIDENT, "cause": Ref("ending.cause")},
        proposer="rule:followups",
        reason="Every follow-up is done and the alert is over.",
        evidence=("tasks", "alert", "incident"),
    )
    return Next(outcome="ready", proposal=resolving)


def _waited(first: Task, context: Context) -> Next:
    """Until the first task is due; from then on it is overdue."""
    if first.due_at <= context.clock():
        again = (context.clock() + OVERDUE_LOOKS).isoformat()
        overdue = {"reason": "followups_overdue", "owner": first.team, "wake_at": again}
        return Next(outcome="escalated", result=overdue)
    wake_at = first.due_at.isoformat()
    result = {"reason": "followups_open", "owner": first.team, "wake_at": wake_at}
    return Next(outcome="waiting", result=result)

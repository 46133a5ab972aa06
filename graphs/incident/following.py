"""What the rules for follow-up tasks, and for the end of an incident, may read."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from graphs.incident.opening import recorded, still_open
from graphs.incident.policy import TaskKind
from graphs.incident.records import TASK, PlannedTask
from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.sandbox.operations.alerts import Alert
from tools.sandbox.operations.tasks import AlertTasks


class TaskFacts(Facts):
    """What the rules for a follow-up task may read."""

    incident_open: bool
    planned: bool
    kind: TaskKind


class ResolveFacts(Facts):
    """What the rules for the end of an incident may read."""

    incident_open: bool
    open_tasks: Annotated[int, Field(ge=0)]
    done_tasks: Annotated[int, Field(ge=0)]
    alert_status: Literal["firing", "resolved"]


def task_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether the task is one of those that this incident owes: its kind, its team and its due date."""
    planned = [one.model_dump(mode="json") for one in records.values() if isinstance(one, PlannedTask)]
    meant = {name: arguments[name] for name in PlannedTask.model_fields}
    return {
        "incident_open": still_open(records, arguments, now),
        "planned": recorded(meant in planned, "incident.severity", now),
        "kind": recorded(arguments["kind"], f"{TASK}{arguments['kind']}.kind", now),
    }


def resolve_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """How many follow-ups are open and done, and whether the alert is over."""
    tasks, alert = records["tasks"], records["alert"]
    assert isinstance(tasks, AlertTasks)
    assert isinstance(alert, Alert)
    states = [task.status for task in tasks.tasks]
    return {
        "incident_open": still_open(records, arguments, now),
        "open_tasks": recorded(states.count("open"), "tasks.tasks", now),
        "done_tasks": recorded(states.count("done"), "tasks.tasks", now),
        "alert_status": recorded(alert.status, "alert.status", now),
    }

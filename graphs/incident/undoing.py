"""What the rules for taking back what was done in an incident may read."""

from datetime import datetime
from typing import Any

from graphs.incident.opening import recorded
from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from tools.sandbox.operations.incidents import ServiceIncidents
from tools.sandbox.operations.services import ServiceActions
from tools.sandbox.operations.tasks import AlertTasks


class UndoFacts(Facts):
    """What the rules for taking something back may read."""

    within_window: bool
    stands: bool


def undo_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether what is named still stands in the books, and whether there is time."""
    deed = records.get(DEED)
    within = now < deed.until if isinstance(deed, Deed) else None
    return {
        "within_window": recorded(within, f"{DEED}.until", now),
        "stands": recorded(_stands(records, arguments), "incidents.standing", now),
    }


def _stands(records: Records, arguments: Json) -> bool:
    incidents, tasks, actions = (records[name] for name in ("incidents", "tasks", "actions"))
    assert isinstance(incidents, ServiceIncidents)
    assert isinstance(tasks, AlertTasks)
    assert isinstance(actions, ServiceActions)
    standing: set[Any] = {
        *(one.incident_id for one in incidents.incidents if one.status == "open"),
        *incidents.standing,
        *(task.task_id for task in tasks.tasks if task.status == "open"),
        *(action.action_id for action in actions.actions if action.status == "stands"),
    }
    return bool(arguments) and set(arguments.values()) <= standing

"""How the tools of operations are tried: deeds that the cast is ready for, and what of them remains."""

from datetime import UTC, datetime
from typing import Any

from tools.sandbox.operations.cast import CAST

OPEN = CAST["already_open"]
FRESH = CAST["minor"]
DUE_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
OPENING: dict[str, Any] = {
    "service_id": FRESH.service_id,
    "alert_id": FRESH.alert_id,
    "severity": "SEV4",
    "title": FRESH.title,
}
JOINING: dict[str, Any] = {
    "incident_id": OPEN.incident_id,
    "service_id": OPEN.service_id,
    "alert_id": OPEN.alert_id,
}
GRADING: dict[str, Any] = {"incident_id": OPEN.incident_id, "severity": "SEV2"}
RESOLVING: dict[str, Any] = {"incident_id": OPEN.incident_id, "cause": "dependency"}
ROLLING_BACK: dict[str, Any] = {
    "deployment_id": OPEN.deployment_id,
    "service_id": OPEN.service_id,
    "incident_id": OPEN.incident_id,
}
RESTARTING: dict[str, Any] = {"service_id": OPEN.service_id, "incident_id": OPEN.incident_id}
TASK: dict[str, Any] = {
    "incident_id": OPEN.incident_id,
    "kind": "review_cause",
    "team": OPEN.team,
    "due_at": DUE_AT,
}
PAGING: dict[str, Any] = {
    "incident_id": OPEN.incident_id,
    "service_id": OPEN.service_id,
    "target": OPEN.rota,
    "urgency": "phone",
}


def taken_back(row: Any) -> bool:
    """Whether a row that was done stays as one that was taken back."""
    return bool(row["status"] == "taken_back" and row["undo_key"] == "undo")


def withdrawn(row: Any) -> bool:
    """Whether a row that was made stays as one that was withdrawn."""
    return bool(row["status"] == "withdrawn" and row["withdrawal_key"] == "undo")

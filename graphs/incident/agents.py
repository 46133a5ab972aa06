"""What the incident's agents say, and the playbooks that stand in for a model."""

from typing import Annotated, Literal

from pydantic import Field

from graphs.incident.policy import SOON_AFTER_MINUTES
from nodes.agent import Output, Words
from nodes.shapes import Json
from tools.sandbox.operations.names import DeploymentId, IncidentId, Severity

Sign = Literal["exceptions", "out_of_memory", "time_outs", "refused_connections", "other_errors"]
Cause = Literal["deployment", "capacity", "dependency", "configuration", "noise", "unknown"]
Action = Literal["none", "restart", "rollback"]

_SURE = 90
_SIGNS: tuple[tuple[str, Sign], ...] = (
    ("unhandled", "exceptions"),
    ("OutOfMemory", "out_of_memory"),
    ("timed out", "time_outs"),
    ("refused", "refused_connections"),
)


class LogReading(Output):
    """What the excerpt of a log shows."""

    signs: list[Sign] = Field(max_length=5, description="What kinds of errors the lines show.")
    addresses_reader: bool = Field(
        description="Whether a line tells its reader what to do; that is no sign of a fault."
    )
    summary: Annotated[Words, Field(max_length=600)] = Field(
        description="What the lines show, in a sentence or two."
    )


class Analysis(Output):
    """What an incident probably comes from, how severe it is, and what would help."""

    cause: Cause = Field(description="The probable cause.")
    summary: Annotated[Words, Field(max_length=1000)] = Field(
        description="Why you think so, for whoever is on call."
    )
    related_deployment: DeploymentId | None = Field(
        description="The deployment that it comes from, if it comes from one."
    )
    similar: list[IncidentId] = Field(
        max_length=5, description="Those of the similar incidents that say something about this one."
    )
    severity: Severity = Field(
        description="How severe it is: SEV1 is the worst. The floor is the least severe it may count as."
    )
    action: Action = Field(description="What would help now, in production.")


def log_reader_playbook(view: Json) -> LogReading:
    """Look for the words by which each kind of error is known."""
    lines = [str(line) for line in view["logs"]["excerpt"]]
    signs = [sign for word, sign in _SIGNS if any(word in line for line in lines)]
    return LogReading(
        signs=signs or (["other_errors"] if lines else []),
        addresses_reader=False,
        summary=f"{len(lines)} lines; signs: {', '.join(signs) or 'none that are known'}.",
        confidence_percent=_SURE,
        evidence=["logs"],
    )


def incident_analyst_playbook(view: Json) -> Analysis:
    """A deployment of the last hour that throws is rolled back; what has no memory left is restarted."""
    signs, suspect = view["log_reader"]["signs"], view.get("suspect")
    cause, action = _judged(signs, suspect)
    deployed = suspect["deployment_id"] if suspect and cause == "deployment" else None
    return Analysis(
        cause=cause,
        summary=f"The log shows {', '.join(signs) or 'nothing'}; probably {cause}.",
        related_deployment=deployed,
        similar=[one["incident_id"] for one in view["similar"]["incidents"][:3]],
        severity=view["severity"]["floor"],
        action=action,
        confidence_percent=_SURE,
        evidence=["logs", "deployments", "similar"],
    )


def _judged(signs: list[Sign], suspect: Json | None) -> tuple[Cause, Action]:
    if suspect and suspect["minutes_before_alert"] <= SOON_AFTER_MINUTES and "exceptions" in signs:
        return "deployment", "rollback"
    if "out_of_memory" in signs:
        return "capacity", "restart"
    if "time_outs" in signs or "refused_connections" in signs:
        return "dependency", "none"
    return "unknown", "none"

"""What follows from records alone: how severe at least, who is called and how, what is owed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args

from tools.sandbox.operations.alerts import Alert
from tools.sandbox.operations.names import Impact, Severity, Urgency

Noise = Literal["none", "noisy", "flapping"]
Level = Literal["first", "second"]
Hinted = Literal["none", "restart", "rollback"]
TaskKind = Literal[
    "review_cause", "write_postmortem", "fix_release", "check_recovery", "tune_alert", "write_runbook"
]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""
NOISY_FIRINGS = 10
FLAPPING_FIRINGS = 4
SOON_AFTER_MINUTES = 60
"""So soon after a deployment an alert points to it."""

FLOORS: Mapping[tuple[int, Impact], Severity] = {
    (1, "outage"): "SEV1",
    (1, "degraded"): "SEV2",
    (1, "none"): "SEV3",
    (2, "outage"): "SEV2",
    (2, "degraded"): "SEV3",
    (2, "none"): "SEV4",
    (3, "outage"): "SEV3",
    (3, "degraded"): "SEV4",
    (3, "none"): "SEV4",
}
"""By the service's tier and what customers notice: the least severe that an incident may count as."""

PAGED: Mapping[Severity, tuple[tuple[Level, Urgency], ...]] = {
    "SEV1": (("first", "phone"), ("second", "phone")),
    "SEV2": (("first", "phone"),),
    "SEV3": (("first", "push"),),
    "SEV4": (),
}
"""Which of a service's rotations are called, and how."""

DUE: Mapping[TaskKind, timedelta] = {
    "check_recovery": timedelta(days=1),
    "fix_release": timedelta(days=3),
    "review_cause": timedelta(days=5),
    "write_postmortem": timedelta(days=7),
    "tune_alert": timedelta(days=10),
    "write_runbook": timedelta(days=14),
}
"""Every kind of follow-up task, and how long after the incident was opened it is due."""


def raised_by(severity: Severity, floor: Severity) -> int:
    """By how many levels a severity is worse than the floor; negative if it is below."""
    return SEVERITIES.index(floor) - SEVERITIES.index(severity)


def noise_of(alert: Alert) -> Noise:
    """Whether an alert is noise (often, over by itself, nobody notices), or comes and goes and is noticed."""
    if alert.customer_impact == "none":
        quiet = alert.status == "resolved" and alert.firings_24h >= NOISY_FIRINGS
        return "noisy" if quiet else "none"
    return "flapping" if alert.firings_24h >= FLAPPING_FIRINGS else "none"


def hint_of(*, minutes_before: int | None, memory: bool) -> Hinted:
    """What the records point to by themselves, so that people are asked whatever a model makes of them.

    Args:
        minutes_before: how long before the alert the version was deployed that could be replaced; None if
            there is none.
        memory: whether the alert, or a line of the log, is about exhausted memory.
    """
    if minutes_before is not None and minutes_before <= SOON_AFTER_MINUTES:
        return "rollback"
    return "restart" if memory else "none"


def cause_of(done: frozenset[str]) -> str:
    """What an incident came from, as far as what people had done in production shows it."""
    return "deployment" if "rollback" in done else "capacity" if "restart" in done else "unknown"


def owed(*, severity: Severity, noise: Noise, done: frozenset[str], known: bool) -> list[TaskKind]:
    """Which follow-ups an incident has.

    Args:
        severity: the incident's.
        noise: what its alert is like.
        done: what was done in production because of it, `restart` or `rollback`.
        known: whether something like it has happened before.
    """
    wanted: dict[TaskKind, bool] = {
        "check_recovery": bool(done),
        "fix_release": "rollback" in done,
        "review_cause": True,
        "write_postmortem": severity in {"SEV1", "SEV2"},
        "tune_alert": noise == "flapping",
        "write_runbook": not known,
    }
    return [kind for kind, is_wanted in wanted.items() if is_wanted]

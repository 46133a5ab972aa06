"""The rows that put the cast of operations on stage."""

from datetime import datetime, timedelta

from tools.sandbox.operations.cast import CAST, FAR_FROM_THE_ALERT, Scene
from tools.sandbox.operations.rows import (
    ActionRow,
    AlertRow,
    DeploymentRow,
    IncidentRow,
    OperationsRows,
    ServiceRow,
    chunk,
)
from tools.sandbox.operations.tales import ORDINARY

_FIRED = timedelta(minutes=5)
_LOGGED = timedelta(hours=2)
_LONG_AGO = timedelta(days=20)


def staged(as_of: datetime) -> OperationsRows:
    """The cast's rows on the day `as_of`: each alert fired five minutes ago."""
    rows = OperationsRows()
    for scene in CAST.values():
        fired_at = as_of - _FIRED
        rows.services.append(_service(scene))
        rows.alerts.append(_alert(scene, fired_at))
        rows.deployments.append(_deployment(scene, fired_at))
        rows.log_chunks.append(chunk(*_log(scene, fired_at)))
        if scene.open_incident:
            rows.incidents.append(_incident(scene, as_of - timedelta(minutes=40), None))
        if scene.restarts:
            rows.incidents.append(_incident(scene, as_of - timedelta(hours=3), as_of - timedelta(minutes=10)))
            rows.service_actions += [_restart(scene, as_of, turn) for turn in range(scene.restarts)]
    return rows


def _service(scene: Scene) -> ServiceRow:
    return ServiceRow(
        service_id=scene.service_id,
        tier=scene.tier,
        team=scene.team,
        on_call=scene.rota,
        second_on_call=scene.rota and f"{scene.rota}-second",
        version="2.1.0",
    )


def _alert(scene: Scene, fired_at: datetime) -> AlertRow:
    return AlertRow(
        alert_id=scene.alert_id,
        service_id=scene.service_id,
        kind=scene.kind,
        title=scene.title,
        summary=f"{scene.title}: {scene.firings_24h} in 24 hours.",
        customer_impact=scene.customer_impact,
        status=scene.status,
        firings_24h=scene.firings_24h,
        fired_at=fired_at,
        resolved_at=fired_at + timedelta(minutes=2) if scene.status == "resolved" else None,
    )


def _deployment(scene: Scene, fired_at: datetime) -> DeploymentRow:
    minutes = scene.deployed_minutes_before
    return DeploymentRow(
        deployment_id=scene.deployment_id,
        service_id=scene.service_id,
        version="2.1.0",
        previous_version="2.0.0",
        change="Show the total with tax",
        status="live",
        deployed_at=fired_at - (_LONG_AGO if minutes is None else timedelta(minutes=minutes)),
        deployed_by="Eli Horvat",
    )


def _log(scene: Scene, fired_at: datetime) -> tuple[str, str, list[str], datetime, datetime]:
    """Ordinary lines, an error long before the alert, and the errors around it."""
    begins, ends = fired_at - _LOGGED, fired_at + _FIRED
    every = (ends - begins) / (scene.noise + 1)
    lines = [(begins, FAR_FROM_THE_ALERT.replace("media-encoder", scene.service_id))]
    for turn in range(scene.noise):
        ordinary = ORDINARY.format(service=scene.service_id, n=turn, ms=3 + turn % 40)
        lines.append((begins + every * (turn + 1), ordinary))
    for turn, error in enumerate(scene.errors):
        told = error.replace("{service}", scene.service_id)
        lines.append((fired_at - timedelta(seconds=5 * turn), told))
    told_lines = [f"{at:%Y-%m-%dT%H:%M:%S.%fZ} {text}" for at, text in sorted(lines)]
    return f"LG-{900_000 + scene.number}", scene.service_id, told_lines, begins, ends


def _incident(scene: Scene, opened_at: datetime, resolved_at: datetime | None) -> IncidentRow:
    return IncidentRow(
        incident_id=scene.incident_id,
        service_id=scene.service_id,
        alert_id=None,
        severity="SEV3",
        status="open" if resolved_at is None else "resolved",
        title=scene.title,
        summary="",
        cause=None if resolved_at is None else "capacity",
        opened_at=opened_at,
        resolved_at=resolved_at,
        idempotency_key=f"cast-incident-{scene.number}",
    )


def _restart(scene: Scene, as_of: datetime, turn: int) -> ActionRow:
    return ActionRow(
        kind="restart",
        service_id=scene.service_id,
        incident_id=scene.incident_id,
        status="stands",
        done_at=as_of - timedelta(minutes=15 + 10 * turn),
        idempotency_key=f"cast-restart-{scene.number}-{turn}",
    )

"""The rows of operations: a tuple type a table, its fields the columns."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from tools.sandbox.rows import Tables


class ServiceRow(NamedTuple):
    """A row of `services`."""

    service_id: str
    tier: int
    team: str
    on_call: str | None
    second_on_call: str | None
    version: str


class AlertRow(NamedTuple):
    """A row of `alerts`."""

    alert_id: str
    service_id: str
    kind: str
    title: str
    summary: str
    customer_impact: str
    status: str
    firings_24h: int
    fired_at: datetime
    resolved_at: datetime | None


class ChunkRow(NamedTuple):
    """A row of `log_chunks`."""

    log_id: str
    service_id: str
    starts_at: datetime
    ends_at: datetime
    line_count: int
    size_bytes: int
    sha256: str
    body: str


class DeploymentRow(NamedTuple):
    """A row of `deployments`."""

    deployment_id: str
    service_id: str
    version: str
    previous_version: str | None
    change: str
    status: str
    deployed_at: datetime
    deployed_by: str


class IncidentRow(NamedTuple):
    """A row of `incidents`."""

    incident_id: str
    service_id: str
    alert_id: str | None
    severity: str
    status: str
    title: str
    summary: str
    cause: str | None
    opened_at: datetime
    resolved_at: datetime | None
    idempotency_key: str


class ActionRow(NamedTuple):
    """A row of `service_actions`."""

    kind: str
    service_id: str
    incident_id: str
    status: str
    done_at: datetime
    idempotency_key: str


def chunk(log_id: str, service_id: str, lines: list[str], starts_at: datetime, ends_at: datetime) -> ChunkRow:
    """A chunk of a log with its size and digest."""
    body = "".join(f"{line}\n" for line in lines)
    text = body.encode()
    return ChunkRow(
        log_id=log_id,
        service_id=service_id,
        starts_at=starts_at,
        ends_at=ends_at,
        line_count=len(lines),
        size_bytes=len(text),
        sha256=sha256(text).hexdigest(),
        body=body,
    )


@dataclass(kw_only=True, slots=True)
class OperationsRows(Tables):
    """The rows of all tables, named and ordered as foreign keys need them."""

    services: list[ServiceRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    log_chunks: list[ChunkRow] = field(default_factory=list)
    deployments: list[DeploymentRow] = field(default_factory=list)
    incidents: list[IncidentRow] = field(default_factory=list)
    service_actions: list[ActionRow] = field(default_factory=list)

"""Operations' past, invented from a seed: the same seed and day give the same rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from tools.sandbox.operations.rows import (
    AlertRow,
    DeploymentRow,
    IncidentRow,
    OperationsRows,
    ServiceRow,
    chunk,
)
from tools.sandbox.operations.staging import staged
from tools.sandbox.operations.tales import AREAS, CHANGES, ORDINARY, PARTS, TALES, TEAMS, UGLY_SUMMARIES
from tools.sandbox.rows import Table

_DAYS = 300
_LINES = 50
_UGLY_EVERY = 40
_NOBODY_ON_CALL_EVERY = 17
_DEPLOYMENTS = 5
_SECOND = timedelta(seconds=1)


def operations(seed: int, as_of: datetime, customers: int) -> Iterator[Table]:
    """The rows of operations: the cast, and an ordinary past in proportion to the company."""
    rows = staged(as_of)
    random = Random(seed)  # noqa: S311 - sample data, no secret
    for number in range(min(customers // 10, len(AREAS) * len(PARTS))):
        _add_service(random, as_of, number, rows)
    yield from rows.tables()


def _add_service(random: Random, as_of: datetime, number: int, rows: OperationsRows) -> None:
    name = f"{AREAS[number % len(AREAS)]}-{PARTS[number // len(AREAS)]}"
    team = random.choice(TEAMS)
    watched = number % _NOBODY_ON_CALL_EVERY != _NOBODY_ON_CALL_EVERY - 1
    service = ServiceRow(
        service_id=name,
        tier=random.choices((1, 2, 3), (2, 4, 4))[0],
        team=f"team_{team}",
        on_call=f"rota-{team}" if watched else None,
        second_on_call=f"rota-{team}-second" if watched else None,
        version=f"1.{_DEPLOYMENTS}.0",
    )
    rows.services.append(service)
    _add_deployments(random, as_of, number, service, rows)
    for turn in range(4):
        _add_incident(random, as_of, 4 * number + turn, service, rows)
    _add_log(random, as_of, number, service, rows)


def _add_deployments(
    random: Random, as_of: datetime, number: int, service: ServiceRow, rows: OperationsRows
) -> None:
    for turn in range(1, _DEPLOYMENTS + 1):
        rows.deployments.append(
            DeploymentRow(
                deployment_id=f"D-{100_000 + number * _DEPLOYMENTS + turn}",
                service_id=service.service_id,
                version=f"1.{turn}.0",
                previous_version=f"1.{turn - 1}.0",
                change=random.choice(CHANGES),
                status="live" if turn == _DEPLOYMENTS else "superseded",
                deployed_at=as_of - timedelta(days=(_DEPLOYMENTS - turn + 1) * 14 + random.random()),
                deployed_by=random.choice(("Ana Costa", "Bo Weber", "Cem Yilmaz", "Dora Novak")),
            ),
        )


def _add_incident(
    random: Random, as_of: datetime, number: int, service: ServiceRow, rows: OperationsRows
) -> None:
    """An alert of the past, and in three of four cases the incident that it was."""
    tale = random.choice(TALES)
    fired_at = as_of - timedelta(days=random.uniform(3, _DAYS))
    ended_at = fired_at + timedelta(minutes=random.randint(10, 600))
    title = tale.title.format(service=service.service_id)
    rows.alerts.append(
        AlertRow(
            alert_id=f"AL-{100_000 + number}",
            service_id=service.service_id,
            kind=tale.kind,
            title=title,
            summary=title,
            customer_impact=random.choice(("none", "degraded", "outage")),
            status="resolved",
            firings_24h=random.randint(1, 6),
            fired_at=fired_at,
            resolved_at=ended_at,
        ),
    )
    if number % 4 == 0:
        return
    ugly, rest = divmod(number, _UGLY_EVERY)
    rows.incidents.append(
        IncidentRow(
            incident_id=f"INC-{100_000 + number}",
            service_id=service.service_id,
            alert_id=f"AL-{100_000 + number}",
            severity=f"SEV{random.randint(1, 4)}",
            status="resolved",
            title=title,
            summary=tale.summary if rest != 1 else UGLY_SUMMARIES[ugly % len(UGLY_SUMMARIES)],
            cause=tale.cause,
            opened_at=fired_at,
            resolved_at=ended_at,
            idempotency_key=f"past-incident-{number}",
        ),
    )


def _add_log(random: Random, as_of: datetime, number: int, service: ServiceRow, rows: OperationsRows) -> None:
    starts_at = as_of - timedelta(minutes=30)
    lines = []
    for turn in range(_LINES):
        at = f"{starts_at + 30 * turn * _SECOND:%Y-%m-%dT%H:%M:%SZ}"
        line = random.choice(TALES).line if random.random() < 0.1 else ORDINARY  # noqa: PLR2004 - a tenth
        named = line.format(service=service.service_id, n=random.randint(1, 9999), ms=random.randint(2, 90))
        lines.append(f"{at} {named}")
    rows.log_chunks.append(chunk(f"LG-{100_000 + number}", service.service_id, lines, starts_at, as_of))

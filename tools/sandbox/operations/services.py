"""Services: how much hangs on each, whose it is and who is called for it; and restarting one."""

from datetime import datetime, timedelta
from typing import Literal

from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused
from tools.sandbox.database import Connection, Sandbox, exists, many
from tools.sandbox.deeds import Deed, there, written
from tools.sandbox.operations.names import ActionId, DeploymentId, IncidentId, Rota, ServiceId, Team, Tier

LOOKED_BACK = timedelta(hours=24)


class Service(Record):
    """A service: its tier, the team that owns it, and the rotations that are called for it."""

    service_id: ServiceId
    tier: Tier
    team: Team
    on_call: Rota | None
    second_on_call: Rota | None
    version: str


class ServiceAction(Record):
    """Something that was done to a service in production."""

    action_id: ActionId
    kind: Literal["restart", "rollback"]
    service_id: ServiceId
    incident_id: IncidentId
    deployment_id: DeploymentId | None
    from_version: str | None
    to_version: str | None
    status: Literal["stands", "taken_back"]
    done_at: datetime


class ServiceActions(Record):
    """What was done to a service in the last 24 hours, the newest first."""

    service_id: ServiceId
    actions: tuple[ServiceAction, ...]


class GetService(Arguments):
    """Which service to get."""

    service_id: ServiceId


class RestartService(Arguments):
    """Which service to restart, because of which incident."""

    service_id: ServiceId
    incident_id: IncidentId


_GET = "SELECT {columns} FROM services WHERE service_id = %s"
_ACTIONS = """
    SELECT {columns} FROM service_actions WHERE service_id = %s AND done_at > %s
    ORDER BY done_at DESC, action_id DESC
"""
_OPEN = "SELECT FROM incidents WHERE incident_id = %s AND service_id = %s AND status = 'open' FOR UPDATE"
_RESTARTED_UNDER = "SELECT {columns} FROM service_actions WHERE kind = 'restart' AND idempotency_key = %s"
_RESTART = """
    INSERT INTO service_actions (kind, service_id, incident_id, status, done_at, idempotency_key)
    VALUES ('restart', %s, %s, 'stands', %s, %s) RETURNING {columns}
"""


async def require_open(connection: Connection, incident_id: str, service_id: str) -> None:
    """Hold an incident; raises ToolRefused unless it is open, and about this service."""
    if not await exists(connection, _OPEN, incident_id, service_id):
        raise ToolRefused(f"there is no open incident {incident_id} of {service_id}")


def services_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the service catalogue and of who runs the services."""

    async def get(arguments: GetService, _call: Call) -> Service:
        async with sandbox.reading() as connection:
            what = f"service {arguments.service_id}"
            return await there(connection, Service, what, _GET, arguments.service_id)

    async def actions(arguments: GetService, _call: Call) -> ServiceActions:
        since = sandbox.now() - LOOKED_BACK
        async with sandbox.reading() as connection:
            done = await many(connection, ServiceAction, _ACTIONS, arguments.service_id, since)
        return ServiceActions(service_id=arguments.service_id, actions=tuple(done))

    async def write(connection: Connection, wanted: RestartService, key: str) -> ServiceAction:
        await require_open(connection, wanted.incident_id, wanted.service_id)
        values = (wanted.service_id, wanted.incident_id, sandbox.now(), key)
        return await written(connection, ServiceAction, _RESTART, *values)

    restart = Deed(
        sandbox=sandbox,
        name="services.restart",
        result=ServiceAction,
        done_under=_RESTARTED_UNDER,
        write=write,
    )
    return (
        Tool(
            name="services.get",
            version="1",
            purpose="Get a service: its tier, the team that owns it, who is on call for it, its version.",
            effect=Effect.READ,
            arguments=GetService,
            result=Service,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="services.actions",
            version="1",
            purpose="List what was done to a service in production in the last 24 hours.",
            effect=Effect.READ,
            arguments=GetService,
            result=ServiceActions,
            perform=actions,
            idempotent=True,
        ),
        Tool(
            name="services.restart",
            version="1",
            purpose="Restart a service in production; requests that are under way are lost.",
            effect=Effect.WRITE,
            arguments=RestartService,
            result=ServiceAction,
            perform=restart.perform,
            idempotent=True,
            find=restart.find,
            authority=frozenset({"service_id", "incident_id"}),
        ),
    )

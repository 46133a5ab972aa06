"""Deployments: what was put into production, when and by whom; and rolling one back."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool, ToolRefused, Trust, Undo
from tools.sandbox.database import Connection, Sandbox, many
from tools.sandbox.deeds import Deed, of_result, there, written
from tools.sandbox.operations.names import ActionId, DeploymentId, IncidentId, ServiceId
from tools.sandbox.operations.services import ServiceAction, require_open

MOST_DEPLOYMENTS = 10
REDEPLOYABLE = timedelta(hours=4)


class Deployment(Record):
    """A version that was put into production in the place of another one."""

    deployment_id: DeploymentId
    service_id: ServiceId
    version: str
    previous_version: str | None
    change: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    status: Literal["live", "superseded", "rolled_back"]
    deployed_at: datetime
    deployed_by: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]


class Deployments(Record):
    """A service's newest deployments, the newest first."""

    service_id: ServiceId
    deployments: tuple[Deployment, ...]


class ListDeployments(Arguments):
    """Of which service."""

    service_id: ServiceId


class RollBack(Arguments):
    """Which deployment to roll back, of which service, because of which incident."""

    deployment_id: DeploymentId
    service_id: ServiceId
    incident_id: IncidentId


class Redeploy(Arguments):
    """Which rollback to take back."""

    action_id: ActionId


_LIST = """
    SELECT {columns} FROM deployments WHERE service_id = %s
    ORDER BY deployed_at DESC, deployment_id DESC LIMIT %s
"""
_HOLD = "SELECT {columns} FROM deployments WHERE deployment_id = %s AND service_id = %s FOR UPDATE"
_MARK = "UPDATE deployments SET status = %s WHERE deployment_id = %s"
_RUN = "UPDATE services SET version = %s WHERE service_id = %s"
_ROLLED_UNDER = "SELECT {columns} FROM service_actions WHERE kind = 'rollback' AND idempotency_key = %s"
_ROLL = """
    INSERT INTO service_actions (kind, service_id, incident_id, deployment_id, from_version, to_version,
                                 status, done_at, idempotency_key)
    VALUES ('rollback', %s, %s, %s, %s, %s, 'stands', %s, %s) RETURNING {columns}
"""
_REDEPLOYED_UNDER = "SELECT {columns} FROM service_actions WHERE undo_key = %s"
_HOLD_ROLLBACK = "SELECT {columns} FROM service_actions WHERE action_id = %s AND kind = 'rollback' FOR UPDATE"
_TAKE_BACK = """
    UPDATE service_actions SET status = 'taken_back', undo_key = %s WHERE action_id = %s RETURNING {columns}
"""


def deployments_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the deployment system."""

    async def recent(arguments: ListDeployments, _call: Call) -> Deployments:
        async with sandbox.reading() as connection:
            found = await many(connection, Deployment, _LIST, arguments.service_id, MOST_DEPLOYMENTS)
        return Deployments(service_id=arguments.service_id, deployments=tuple(found))

    doing = _Doing(sandbox)
    rollback = Deed(
        sandbox=sandbox,
        name="deployments.rollback",
        result=ServiceAction,
        done_under=_ROLLED_UNDER,
        write=doing.roll_back,
    )
    redeploy = Deed(
        sandbox=sandbox,
        name="deployments.redeploy",
        result=ServiceAction,
        done_under=_REDEPLOYED_UNDER,
        write=doing.redeploy,
    )
    return (
        Tool(
            name="deployments.recent",
            version="1",
            purpose="List a service's newest deployments: version, when, by whom, and what it replaced.",
            effect=Effect.READ,
            arguments=ListDeployments,
            result=Deployments,
            perform=recent,
            idempotent=True,
        ),
        Tool(
            name="deployments.rollback",
            version="1",
            purpose="Put the version back into production that a live deployment has replaced.",
            effect=Effect.WRITE,
            arguments=RollBack,
            result=ServiceAction,
            perform=rollback.perform,
            idempotent=True,
            find=rollback.find,
            undo=Undo(
                tool="deployments.redeploy",
                arguments=of_result("action_id"),
                window=REDEPLOYABLE,
                proven_for="1",
            ),
            authority=frozenset({"deployment_id", "service_id", "incident_id"}),
        ),
        Tool(
            name="deployments.redeploy",
            version="1",
            purpose="Put the version into production again that was rolled back within the last 4 hours.",
            effect=Effect.WRITE,
            arguments=Redeploy,
            result=ServiceAction,
            perform=redeploy.perform,
            idempotent=True,
            find=redeploy.find,
            undone_outside="The team deploys the other version by hand.",
            authority=frozenset({"action_id"}),
        ),
    )


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def roll_back(self, connection: Connection, wanted: RollBack, key: str) -> ServiceAction:
        await require_open(connection, wanted.incident_id, wanted.service_id)
        what, named = f"deployment {wanted.deployment_id} of {wanted.service_id}", wanted.deployment_id
        live = await there(connection, Deployment, what, _HOLD, named, wanted.service_id)
        if live.status != "live" or live.previous_version is None:
            raise ToolRefused(f"{named} is not live, or has replaced nothing")
        await connection.execute(_MARK, ("rolled_back", named))
        await connection.execute(_RUN, (live.previous_version, live.service_id))
        why = (live.service_id, wanted.incident_id, named, live.version, live.previous_version)
        return await written(connection, ServiceAction, _ROLL, *why, self._sandbox.now(), key)

    async def redeploy(self, connection: Connection, wanted: Redeploy, key: str) -> ServiceAction:
        what, action_id = f"rollback {wanted.action_id}", wanted.action_id
        rolled = await there(connection, ServiceAction, what, _HOLD_ROLLBACK, action_id)
        deployment = (rolled.deployment_id, rolled.service_id)
        undone = await there(connection, Deployment, "such deployment", _HOLD, *deployment)
        if rolled.status != "stands" or undone.status != "rolled_back":
            raise ToolRefused(f"{action_id} has been taken back already")
        if self._sandbox.now() - rolled.done_at > REDEPLOYABLE:
            raise ToolRefused(f"{action_id} is older than {REDEPLOYABLE}")
        await connection.execute(_MARK, ("live", undone.deployment_id))
        await connection.execute(_RUN, (undone.version, undone.service_id))
        return await written(connection, ServiceAction, _TAKE_BACK, key, action_id)

"""Pages: calling the rotation that is on call. What has rung has rung."""

from tools.contract import Arguments, Effect, Tool, ToolRefused
from tools.sandbox.database import Connection, Sandbox, exists
from tools.sandbox.deeds import Deed, written
from tools.sandbox.operations.incidents import Page
from tools.sandbox.operations.names import IncidentId, Rota, ServiceId, Urgency
from tools.sandbox.operations.services import require_open


class PageOnCall(Arguments):
    """Whom to call for which incident of which service, and how."""

    incident_id: IncidentId
    service_id: ServiceId
    target: Rota
    urgency: Urgency


_PAGED_UNDER = "SELECT {columns} FROM incident_pages WHERE idempotency_key = %s"
_THEIRS = "SELECT FROM services WHERE service_id = %s AND %s IN (on_call, second_on_call)"
_PAGE = """
    INSERT INTO incident_pages (incident_id, service_id, target, urgency, sent_at, idempotency_key)
    VALUES (%s, %s, %s, %s, %s, %s) RETURNING {columns}
"""


def pages_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tool of the pager."""

    async def write(connection: Connection, wanted: PageOnCall, key: str) -> Page:
        await require_open(connection, wanted.incident_id, wanted.service_id)
        if not await exists(connection, _THEIRS, wanted.service_id, wanted.target):
            raise ToolRefused(f"{wanted.target} is not on call for {wanted.service_id}")
        what = (wanted.incident_id, wanted.service_id, wanted.target, wanted.urgency)
        return await written(connection, Page, _PAGE, *what, sandbox.now(), key)

    paging = Deed(sandbox=sandbox, name="incidents.page", result=Page, done_under=_PAGED_UNDER, write=write)
    return (
        Tool(
            name="incidents.page",
            version="1",
            purpose="Call a rotation that is on call for an open incident's service.",
            effect=Effect.EGRESS,
            arguments=PageOnCall,
            result=Page,
            perform=paging.perform,
            idempotent=True,
            find=paging.find,
            undone_outside="The on-call is told to stand down; that it rang cannot be taken back.",
            authority=frozenset({"incident_id", "service_id", "target", "urgency"}),
        ),
    )

"""GET /audit/verify: does the log hold?"""

from fastapi import APIRouter

from api.access import Caller, TheParts
from api.shapes import AuditReport
from checkpoints.audit import grow_tree, verify_log

router = APIRouter(tags=["audit"])


@router.get("/audit/verify")
async def verify_audit(parts: TheParts, _caller: Caller) -> AuditReport:
    """Read the whole log and recompute its tree."""
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock):
            pass
        found = await verify_log(connection)
    return AuditReport(
        holds=found.holds,
        events=found.events,
        size=found.size,
        root=found.root,
        faults=list(found.faults),
    )

"""/audit: does the log hold, which head is the newest, and the proofs that it is what it was."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from api.access import Caller, TheParts
from api.shapes import AuditReport, ConsistencyOut, HeadOut, InclusionOut
from checkpoints.audit_proofs import newest_head, prove_consistency, prove_inclusion
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log

router = APIRouter(tags=["audit"])

Size = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Leaves of the tree; the newest if none.")]
Event = Annotated[
    str, Query(min_length=1, max_length=500, pattern="^[^\x00]+$", description="An event's id.")
]
From = Annotated[int, Query(alias="from", ge=1, le=2**63 - 1, description="Leaves of the earlier tree.")]
To = Annotated[
    int | None, Query(ge=1, le=2**63 - 1, description="Leaves of the later tree; the newest if none.")
]
_NOTE = "text/plain"


@router.get("/audit/verify")
async def verify_audit(parts: TheParts, _caller: Caller) -> AuditReport:
    """Read the whole log and recompute its tree, its signatures and its stored nodes."""
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass
        found = await verify_log(connection, [parts.signer.key])
    return AuditReport(
        holds=found.holds,
        events=found.events,
        size=found.size,
        root=found.root,
        heads=found.heads,
        unsigned=found.unsigned,
        anchored=found.anchored,
        faults=list(found.faults),
    )


@router.get("/audit/head", response_model=HeadOut)
async def get_head(request: Request, parts: TheParts, _caller: Caller) -> HeadOut | Response:
    """The newest signed head; `Accept: text/plain` gets the note alone, as it was signed."""
    async with parts.database.transaction() as tx:
        head = await newest_head(tx)
    if _NOTE in request.headers.get("accept", ""):
        return PlainTextResponse(head.note)
    return HeadOut(size=head.size, root=head.root.hex(), note=head.note, key=str(parts.signer.key))


@router.get("/audit/proofs/inclusion")
async def get_inclusion_proof(
    parts: TheParts, _caller: Caller, event: Event, size: Size = None
) -> InclusionOut:
    """Prove that an event is in the tree (RFC 9162 section 2.1.3)."""
    async with parts.database.transaction() as tx:
        proof = await prove_inclusion(tx, event, size)
    return InclusionOut(
        event=event,
        index=proof.index,
        size=proof.size,
        leaf=proof.leaf.hex(),
        root=proof.root.hex(),
        path=[one.hex() for one in proof.path],
    )


@router.get("/audit/proofs/consistency")
async def get_consistency_proof(
    parts: TheParts, _caller: Caller, first: From, to: To = None
) -> ConsistencyOut:
    """Prove that the later tree begins with the earlier one (RFC 9162 section 2.1.4)."""
    async with parts.database.transaction() as tx:
        proof = await prove_consistency(tx, first, to)
    return ConsistencyOut(
        first=proof.first,
        first_root=proof.first_root.hex(),
        second=proof.second,
        second_root=proof.second_root.hex(),
        path=[one.hex() for one in proof.path],
    )

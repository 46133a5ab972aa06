"""/exceptions: cases at a standstill, and the ways out of them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import After, Id, Limit
from api.shapes import CaseOut, PageOut, Shape
from api.vote_bodies import Strict, Words
from checkpoints.cases import Status
from checkpoints.effects import EffectRow, deeds_in_doubt
from checkpoints.exceptions import Listed, Standstill, Way, list_standstills
from graphs.moving import Moving
from graphs.reason_words import words_for
from graphs.ways_out import Outcome, Resolution, WaysOut
from graphs.wiring import Parts
from nodes.permissions import Principal

router = APIRouter(tags=["exceptions"])

Name = Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")]
Reason = Annotated[str | None, Query(pattern="^[a-z_:,.]{1,200}$")]
Key = Annotated[str, Field(min_length=1, max_length=200)]


class DeedOut(Shape):
    """A deed that was begun and of which nobody knows whether it was done."""

    key: str
    tool: str
    state: str


class WordsOut(Shape):
    """What happened, what was not done, and what to do."""

    happened: str
    not_done: str
    to_do: str


class ExceptionOut(Shape):
    """A case at a standstill, as somebody sees it; `ways` are those that are open to the caller."""

    id: str
    case_id: str
    workflow: str
    title: str
    status: str
    reason: str
    owner: str
    step: str | None
    opened_at: datetime
    age_seconds: int
    says: WordsOut
    in_doubt: list[DeedOut]
    ways: list[Way]


class ClosedOut(Shape):
    """How an exception stands after somebody acted on it; `way` is null while it is open."""

    id: str
    case_id: str
    status: str
    reason: str
    owner: str
    closed_at: datetime | None
    way: Way | None
    closed_by: str | None


class WhyIn(Strict):
    """Why."""

    why: Words


class ResolutionIn(WhyIn):
    """How a case ended by hand, and of each deed in doubt, by its key, whether it was done."""

    outcome: Annotated[Outcome, Field(strict=False)]
    deeds: Annotated[dict[Key, Literal["done", "not_done"]], Field(max_length=20, default_factory=dict)]
    reference: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class MoveIn(Strict):
    """To which step."""

    to: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,80}$")]


class HandOverIn(WhyIn):
    """To which role or team."""

    to: Annotated[str, Field(pattern="^[a-z][a-z_]{0,40}$")]


@router.get("/exceptions")
async def list_exceptions(  # noqa: PLR0917 - FastAPI reads filters off the signature
    parts: TheParts,
    caller: Caller,
    limit: Limit = 50,
    after: After = None,
    status: Status | None = None,
    reason: Reason = None,
    owner: Name = None,
    workflow: Name = None,
    case_id: Annotated[str | None, Query(pattern="^[0-9A-Za-z-]{1,64}$")] = None,
) -> PageOut[ExceptionOut]:
    """Open exceptions, newest first."""
    filters = {"status": status, "reason": reason, "owner": owner, "workflow": workflow, "case_id": case_id}
    async with parts.database.transaction() as tx:
        page = await list_standstills(tx, limit=limit, after=after, **filters)
        doubtful = await deeds_in_doubt(tx, [one.standstill.case_id for one in page.items])
    return PageOut(items=[_out(parts, one, doubtful, caller) for one in page.items], next=page.next)


@router.post("/exceptions/{exception_id}/retry")
async def retry_exception(parts: TheParts, caller: Caller, exception_id: Id) -> ClosedOut:
    """Have the step that could not go on tried again; no deed is repeated that may have been done."""
    return ClosedOut.model_validate(await WaysOut(parts).retry(exception_id, caller))


@router.post("/exceptions/{exception_id}/resolve", dependencies=[Depends(require_json)])
async def resolve_exception(
    parts: TheParts, caller: Caller, exception_id: Id, resolution: ResolutionIn
) -> ClosedOut:
    """Close the case by hand, saying how it ended and whether deeds in doubt were done."""
    how = Resolution(
        outcome=resolution.outcome,
        why=resolution.why,
        deeds={key: said == "done" for key, said in resolution.deeds.items()},
        reference=resolution.reference,
    )
    return ClosedOut.model_validate(await WaysOut(parts).resolve(exception_id, how, caller))


@router.post("/exceptions/{exception_id}/cancel", dependencies=[Depends(require_json)])
async def cancel_exception(parts: TheParts, caller: Caller, exception_id: Id, body: WhyIn) -> ClosedOut:
    """Cancel the case; nothing of it runs any more."""
    return ClosedOut.model_validate(await WaysOut(parts).cancel(exception_id, body.why, caller))


@router.post("/exceptions/{exception_id}/hand-over", dependencies=[Depends(require_json)])
async def hand_over_exception(
    parts: TheParts, caller: Caller, exception_id: Id, body: HandOverIn
) -> ClosedOut:
    """Give the exception to another role or team."""
    return ClosedOut.model_validate(await WaysOut(parts).hand_over(exception_id, body.to, body.why, caller))


@router.post("/cases/{case_id}/cancel", dependencies=[Depends(require_json)])
async def cancel_case(parts: TheParts, caller: Caller, case_id: Id, body: WhyIn) -> CaseOut:
    """Cancel a case that waits for a review or for information; nothing of it runs any more."""
    return CaseOut.of(await WaysOut(parts).cancel_case(case_id, body.why, caller))


@router.post("/cases/{case_id}/move", dependencies=[Depends(require_json)])
async def move_case(parts: TheParts, caller: Caller, case_id: Id, body: MoveIn) -> CaseOut:
    """Have a case that waits in a step that this version lacks go on from one that it has."""
    return CaseOut.of(await Moving(parts).move(case_id, body.to, caller))


def _out(parts: Parts, listed: Listed, doubtful: list[EffectRow], caller: Principal) -> ExceptionOut:
    found, mine = listed.standstill, [one for one in doubtful if one.case_id == listed.standstill.case_id]
    ways = WaysOut(parts).ways(found, listed.workflow, caller, doubtful=bool(mine))
    return ExceptionOut(
        **{name: getattr(found, name) for name in _SHOWN},
        workflow=listed.workflow,
        title=listed.title,
        age_seconds=max(0, int((parts.clock() - found.opened_at).total_seconds())),
        says=WordsOut(**words_for(found.status, found.reason, doubtful=bool(mine))._asdict()),
        in_doubt=[DeedOut.model_validate(one) for one in mine],
        ways=ways,
    )


_SHOWN = [name for name in ExceptionOut.model_fields if name in Standstill.__dataclass_fields__]

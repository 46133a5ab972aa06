"""GET /cases: where cases stand, and what happened in them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import Caller, TheParts
from api.review_shapes import CaseDetail
from api.shapes import CaseOut, PageOut, TimelineEvent, VerdictOut
from checkpoints import cases
from checkpoints.audit import timeline
from checkpoints.cases import Status
from checkpoints.effects import effects_of
from checkpoints.errors import UnknownCursor
from checkpoints.review_queue import Filter, Sort, list_queue
from nodes.judge import VERDICTS

router = APIRouter(tags=["cases"])

MOST_ROWS = 200
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
After = Annotated[str | None, Query(max_length=200)]
Id = Annotated[str, Path(pattern="^[0-9A-Za-z-]{1,64}$")]


@router.get("/cases")
async def list_cases(
    parts: TheParts,
    _caller: Caller,
    limit: Limit = 50,
    after: After = None,
    status: Status | None = None,
    workflow: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")] = None,
) -> PageOut[CaseOut]:
    """Cases, newest first."""
    async with parts.database.transaction() as tx:
        page = await cases.list_cases(tx, limit=limit, after=after, status=status, workflow=workflow)
    return PageOut(items=[CaseOut.of(case) for case in page.items], next=page.next)


@router.get("/cases/{case_id}")
async def get_case(parts: TheParts, _caller: Caller, case_id: Id) -> CaseDetail:
    """One case with its event, reviews and deeds."""
    async with parts.database.transaction() as tx:
        case = await cases.get_case(tx, case_id)
        of_it = Filter(case_id=case_id, status=None)
        reviews = await list_queue(tx, of_it, sort=Sort.NEWEST, limit=MOST_ROWS)
        return CaseDetail.whole(case, reviews.items, await effects_of(tx, case_id))


@router.get("/cases/{case_id}/timeline")
async def get_timeline(
    parts: TheParts, _caller: Caller, case_id: Id, limit: Limit = 100, after: After = None
) -> PageOut[TimelineEvent]:
    """What happened in a case, oldest first."""
    async with parts.database.transaction() as tx:
        await cases.get_case(tx, case_id)
        rows = await timeline(tx, case_id, limit=limit + 1, after=_place(after))
    items = [TimelineEvent(**row) for row in rows[:limit]]
    return PageOut(items=items, next=str(items[-1].seq) if len(rows) > limit else None)


@router.get("/cases/{case_id}/verdicts")
async def list_verdicts(
    parts: TheParts, _caller: Caller, case_id: Id, limit: Limit = 100, after: After = None
) -> PageOut[VerdictOut]:
    """What the rules said in a case, each time they were asked, with every row and every fact."""
    async with parts.database.transaction() as tx:
        await cases.get_case(tx, case_id)
        rows = await timeline(tx, case_id, limit=limit + 1, after=_place(after), kinds=VERDICTS)
    items = [VerdictOut.of(row) for row in rows[:limit]]
    return PageOut(items=items, next=str(items[-1].seq) if len(rows) > limit else None)


def _place(after: str | None) -> int | None:
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > len(str(2**62)):
        raise UnknownCursor
    return int(after)

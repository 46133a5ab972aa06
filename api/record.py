"""/cases/{id}/record and /outcomes: what was decided in a case and why, and what became of it later."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, Field

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.shapes import Shape
from api.vote_bodies import Strict, Words
from checkpoints.case_events import case_events
from checkpoints.cases import get_case
from graphs.outcomes import Observed, Outcomes
from graphs.record.decision_record import decision_record
from graphs.record.shapes import DecisionRecord

router = APIRouter(tags=["record"])


class OutcomeIn(Strict):
    """What became of a case, when that was seen, of which of its deeds, and the sender's own id of it."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,40}$")]
    observed_at: Annotated[AwareDatetime, Field(strict=False)]
    effect: Annotated[str, Field(max_length=200)] | None = None
    note: Words | None = None
    id: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")] | None = None


class OutcomeOut(Shape):
    """The event that tells the outcome, and whether it was new."""

    event: str
    code: str
    observed_at: datetime
    new: bool


@router.get("/cases/{case_id}/record")
async def get_record(parts: TheParts, _caller: Caller, case_id: Id) -> DecisionRecord:
    """Everything that was decided in a case: what was asked, said, ruled, signed, done, and became of it."""
    async with parts.database.transaction() as tx:
        await get_case(tx, case_id)
        events = await case_events(tx, case_id)
    return decision_record(case_id, events)


@router.post(
    "/cases/{case_id}/outcomes", dependencies=[Depends(require_json)], status_code=HTTPStatus.CREATED
)
async def add_outcome(
    parts: TheParts, caller: Caller, response: Response, case_id: Id, outcome: OutcomeIn
) -> OutcomeOut:
    """Tell what became of a case later; the same `id` of the same sender again answers 200."""
    event, new = await Outcomes(parts).observe(case_id, Observed(**outcome.model_dump()), caller)
    if not new:
        response.status_code = HTTPStatus.OK
    return OutcomeOut(event=event, code=outcome.code, observed_at=outcome.observed_at, new=new)

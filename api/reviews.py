"""/reviews: what waits for people, and their votes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json, storable
from api.cases import After, Id, Limit
from api.shapes import PageOut, ReviewDetail, ReviewOut
from checkpoints import reviews
from checkpoints.database import Transaction
from checkpoints.reviews import Review, ReviewStatus, VoteKind, votes_on
from graphs.decisions import Ballot, Decisions
from nodes.permissions import Principal

router = APIRouter(tags=["reviews"])


class PreconditionMissing(Exception):
    """Send the digest of the action you saw: If-Match: "<digest>"."""


class VoteIn(BaseModel):
    """A vote. To reject needs a comment that says why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Annotated[VoteKind, Field(strict=False)]
    comment: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "VoteIn":
        if self.kind is VoteKind.REJECT and not (self.comment or "").strip():
            raise ValueError("a rejection needs a comment")
        if not storable(self.comment):
            raise ValueError("the comment holds NUL characters or lone surrogates")
        return self


@router.get("/reviews")
async def list_reviews(
    parts: TheParts,
    _caller: Caller,
    limit: Limit = 50,
    after: After = None,
    status: ReviewStatus | None = ReviewStatus.OPEN,
) -> PageOut[ReviewOut]:
    """Reviews, newest first; open ones unless another status is asked for."""
    async with parts.database.transaction() as tx:
        page = await reviews.list_reviews(tx, limit=limit, after=after, status=status)
    return PageOut(items=[ReviewOut.of(review) for review in page.items], next=page.next)


@router.get("/reviews/{review_id}")
async def get_review(parts: TheParts, caller: Caller, review_id: Id, response: Response) -> ReviewDetail:
    """One review; its ETag is the digest to vote with."""
    async with parts.database.transaction() as tx:
        review = await reviews.get_review(tx, review_id)
        response.headers["ETag"] = f'"{review.digest}"'
        return await _detail(tx, Decisions(parts), review, caller)


@router.post("/reviews/{review_id}/votes", dependencies=[Depends(require_json)])
async def cast_vote(
    parts: TheParts,
    caller: Caller,
    review_id: Id,
    vote: VoteIn,
    if_match: Annotated[str | None, Header(max_length=200)] = None,
) -> ReviewDetail:
    """Vote on exactly the action whose digest is in `If-Match`."""
    if if_match is None or if_match.strip() in {"", "*"}:
        raise PreconditionMissing
    decisions = Decisions(parts)
    ballot = Ballot(kind=vote.kind, digest=if_match.strip().strip('"'), comment=vote.comment)
    review = await decisions.vote(review_id, ballot, caller)
    async with parts.database.transaction() as tx:
        return await _detail(tx, decisions, review, caller)


async def _detail(tx: Transaction, decisions: Decisions, review: Review, caller: Principal) -> ReviewDetail:
    eligibility = await decisions.eligibility(tx, review, caller)
    return ReviewDetail.whole(review, await votes_on(tx, review.id), eligibility)

"""/reviews/…: taking reviews in hand, giving them to somebody, answering questions, deciding many."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.review_shapes import BulkItemOut, BulkOut, ReviewDetail
from api.reviews import detail
from api.vote_bodies import Strict, Words
from checkpoints.errors import CheckpointsError
from checkpoints.reviews import Review, get_review
from checkpoints.votes import VoteKind
from graphs.acts import Acts
from graphs.closing import NotEligible, ReviewClaimed, ReviewExpired, ReviewParked, WorkflowNotInstalled
from graphs.decisions import Ballot, Decisions, NotInBulk, OverrideRequired
from graphs.wiring import Parts
from nodes.permissions import Principal

router = APIRouter(tags=["reviews"])

MOST_IN_BULK = 50
_PER_ITEM = (
    CheckpointsError,
    NotEligible,
    NotInBulk,
    OverrideRequired,
    ReviewClaimed,
    ReviewExpired,
    ReviewParked,
    WorkflowNotInstalled,
)
"""What keeps one item from being decided, and not the others."""


class ClaimIn(Strict):
    """How a review is taken in hand."""

    take_over: bool = False


class AssignmentIn(Strict):
    """To whom a review is given, as the record names them."""

    to: Annotated[str, Field(pattern="^person:[a-z][a-z0-9_-]{0,40}$")]


class InformationIn(Strict):
    """What was asked for."""

    text: Words


class BulkItemIn(Strict):
    """A review, and the digest of its action as it was seen."""

    review: Annotated[str, Field(pattern="^[0-9A-Za-z-]{1,64}$")]
    digest: Annotated[str, Field(max_length=200)]


class BulkIn(Strict):
    """One decision on many reviews of one action; each is voted and recorded for itself."""

    kind: Literal[VoteKind.APPROVE, VoteKind.REJECT]
    comment: Words | None = None
    items: Annotated[list[BulkItemIn], Field(min_length=1, max_length=MOST_IN_BULK)]

    @model_validator(mode="after")
    def _fits(self) -> "BulkIn":
        if self.kind is VoteKind.REJECT and not (self.comment or "").strip():
            raise ValueError("a rejection needs a comment that says why")
        if len({item.review for item in self.items}) < len(self.items):
            raise ValueError("a review is there twice")
        return self


@router.post("/reviews/{review_id}/claim")
async def claim_review(
    parts: TheParts, caller: Caller, review_id: Id, claim: ClaimIn | None = None
) -> ReviewDetail:
    """Take a review in hand for half an hour; with `take_over`, for leads, out of somebody else's."""
    take_over = claim is not None and claim.take_over
    return await _shown(parts, await Acts(parts).claim(review_id, caller, take_over=take_over), caller)


@router.delete("/reviews/{review_id}/claim")
async def release_review(parts: TheParts, caller: Caller, review_id: Id) -> ReviewDetail:
    """Let go of a review."""
    return await _shown(parts, await Acts(parts).release(review_id, caller), caller)


@router.put("/reviews/{review_id}/assignment", dependencies=[Depends(require_json)])
async def assign_review(
    parts: TheParts, caller: Caller, review_id: Id, assignment: AssignmentIn
) -> ReviewDetail:
    """Give a review to somebody who may decide it; for leads."""
    return await _shown(parts, await Acts(parts).assign(review_id, assignment.to, caller), caller)


@router.post("/reviews/{review_id}/information", dependencies=[Depends(require_json)])
async def give_information(
    parts: TheParts, caller: Caller, review_id: Id, information: InformationIn
) -> dict[str, str]:
    """Answer what a reviewer asked; the review goes back to them."""
    review = await Acts(parts).answer(review_id, information.text, caller)
    return {"review": review.id, "status": review.status}


@router.post("/reviews/bulk", dependencies=[Depends(require_json)])
async def decide_many(parts: TheParts, caller: Caller, bulk: BulkIn) -> BulkOut:
    """Decide many reviews of one workflow and action; high-risk and irreversible ones are refused.

    Each item has its own digest, vote and record, and its own result.
    """
    first: tuple[str, str] | None = None
    results = []
    for item in bulk.items:
        ballot = Ballot(kind=bulk.kind, digest=item.digest, comment=bulk.comment, bulk=True)
        try:
            async with parts.database.transaction() as tx:
                review = await get_review(tx, item.review)
            first = first or (review.workflow, review.tool)
            if (review.workflow, review.tool) != first:
                raise NotInBulk("it is another action than the first one")
            decided = await Decisions(parts).vote(item.review, ballot, caller)
        except _PER_ITEM as refusal:
            results.append(_refused(item.review, refusal))
        else:
            results.append(BulkItemOut(review=item.review, decided=True, status=decided.status))
    return BulkOut(items=results, decided=sum(one.decided for one in results))


def _refused(review_id: str, refusal: Exception) -> BulkItemOut:
    why = str(refusal) or (type(refusal).__doc__ or "").strip()
    return BulkItemOut(review=review_id, decided=False, problem=type(refusal).__name__, why=why)


async def _shown(parts: Parts, review: Review, caller: Principal) -> ReviewDetail:
    async with parts.database.transaction() as tx:
        return await detail(tx, parts, review, caller)

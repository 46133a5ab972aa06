"""/reviews: what waits for people, and their votes."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import MOST_ROWS, Id
from api.review_shapes import CountsOut, PreviewOut, ReviewDetail, ReviewOut
from api.shapes import PageOut
from api.vote_bodies import PatchStep, Strict, VoteIn, as_vote
from checkpoints import reviews
from checkpoints.database import Transaction
from checkpoints.review_queue import Filter, Sort
from checkpoints.reviews import Review, ReviewKind, ReviewStatus
from checkpoints.votes import VoteKind, votes_on
from graphs.acts import Acts
from graphs.closing import unfit
from graphs.decisions import Ballot, Decisions
from graphs.edits import Edits
from graphs.personal import PersonalData, opened
from graphs.queue_view import QueueView
from graphs.wiring import Parts
from nodes.permissions import Principal
from nodes.shapes import Json

router = APIRouter(tags=["reviews"])

LARGEST = 10**13
Digest = Annotated[str | None, Header(max_length=200)]
Word = Annotated[str | None, Field(pattern="^[A-Za-z0-9_.:-]{1,80}$")]
Amount = Annotated[int | None, Field(ge=0, le=LARGEST)]


class PreconditionMissing(Exception):
    """Send the digest of the action you saw: If-Match: "<digest>"."""


class ReviewQuery(BaseModel):
    """Which reviews are wanted, in which order; `q` is words that title, ids or arguments contain.

    `role` asks for reviews that wait for this role now, `mine` for those that the caller may decide: a page
    of these may be short, and even empty, before the end, where a long row of reviews is for others.
    """

    model_config = ConfigDict(extra="forbid")

    status: ReviewStatus | None = ReviewStatus.OPEN
    kind: ReviewKind | None = None
    q: Annotated[str | None, Field(max_length=200)] = None
    workflow: Word = None
    risk: Word = None
    rule: Word = None
    role: Word = None
    claimed_by: Word = None
    case_id: Word = None
    amount_min: Amount = None
    amount_max: Amount = None
    due_before: AwareDatetime | None = None
    opened_before: AwareDatetime | None = None
    sort: Sort = Sort.NEWEST
    mine: bool = False
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 50
    after: Annotated[str | None, Field(max_length=400)] = None

    def wanted(self) -> Filter:
        """The filter that it names."""
        same = ("status", "kind", "workflow", "risk", "rule", "claimed_by", "case_id")
        more = ("amount_min", "amount_max", "due_before", "opened_before")
        return Filter(
            **{name: getattr(self, name) for name in (*same, *more)},
            search=(self.q or "").replace("\x00", "") or None,
            roles=None if self.role is None else [self.role],
        )


@router.get("/reviews")
async def list_reviews(
    parts: TheParts, caller: Caller, query: Annotated[ReviewQuery, Query()]
) -> PageOut[ReviewOut]:
    """Reviews, open ones unless another status is asked for, newest first unless sorted otherwise."""
    async with parts.database.transaction() as tx:
        page = await QueueView(parts).page(
            tx,
            query.wanted(),
            caller,
            sort=query.sort,
            limit=query.limit,
            after=query.after,
            mine=query.mine,
        )
    return PageOut(items=[ReviewOut.of(review) for review in page.items], next=page.next)


@router.get("/reviews/counts")
async def count_reviews(parts: TheParts, caller: Caller) -> CountsOut:
    """How much there is to do, for everybody and for the caller."""
    async with parts.database.transaction() as tx:
        return CountsOut.model_validate(await QueueView(parts).counts(tx, caller))


@router.get("/reviews/{review_id}")
async def get_review(parts: TheParts, caller: Caller, review_id: Id, response: Response) -> ReviewDetail:
    """One review; its ETag is the digest to vote with."""
    async with parts.database.transaction() as tx:
        review = await reviews.get_review(tx, review_id)
        response.headers["ETag"] = f'"{review.digest}"'
        return await detail(tx, parts, review, caller)


@router.post("/reviews/{review_id}/votes", dependencies=[Depends(require_json)])
async def cast_vote(
    parts: TheParts,
    caller: Caller,
    review_id: Id,
    body: Annotated[Any, Body()],
    if_match: Digest = None,
) -> ReviewDetail:
    """Say something to exactly the action whose digest is in `If-Match`, or in the body as `digest`.

    Beside our own shape it understands LangChain's `HITLResponse` and `Decision`, and Agent Inbox's answers:
    `respond` asks for information, `ignore` leaves the review open with a comment.
    """
    async with parts.database.transaction() as tx:
        review = await reviews.get_review(tx, review_id)
        arguments = await opened(tx, review.case_id, review.action["arguments"])
    vote = _vote(body, review.tool, arguments)
    digest = _digest(if_match, vote.digest)
    decided = await _said(parts, review_id, vote, digest, caller)
    async with parts.database.transaction() as tx:
        return await detail(tx, parts, decided, caller)


class PreviewIn(Strict):
    """An edit to be looked at before it is made."""

    patch: Annotated[list[PatchStep], Field(min_length=1, max_length=50)]


@router.post("/reviews/{review_id}/preview", dependencies=[Depends(require_json)])
async def preview_edit(parts: TheParts, caller: Caller, review_id: Id, edit: PreviewIn) -> PreviewOut:
    """What an edit would change, what the rules say to it, and who would have to sign it; nothing happens."""
    steps = [step.model_dump() for step in edit.patch]
    preview = await Edits(parts).preview(review_id, steps, caller)
    async with parts.database.transaction() as tx:
        changes = list(preview.changes)
        seen = await PersonalData(parts).shown(
            tx,
            preview.review,
            changes,
            caller,
            eligibility=preview.eligibility,
            more=preview.seal.waiting,
        )
    return PreviewOut.of(preview, seen)


def _vote(body: Any, tool: str, arguments: Json) -> VoteIn:
    """The vote that a body is; whatever it cannot be is told like any other unfit request."""
    try:
        return VoteIn.model_validate(as_vote(body, tool, arguments))
    except ValidationError as error:
        wrong = [item | {"loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(wrong) from error
    except ValueError as error:
        told = {"type": "value_error", "loc": ("body",), "msg": str(error), "input": None}
        raise RequestValidationError([told]) from error


def _digest(if_match: str | None, in_body: str | None) -> str:
    """The digest that was seen; header and body may both say it, and two that differ match nothing."""
    sent = {one.strip().strip('"') for one in (if_match, in_body) if one is not None}
    if not sent or (if_match or in_body or "").strip() in {"", "*"}:
        raise PreconditionMissing
    return ", ".join(sorted(sent))


async def _said(parts: Parts, review_id: str, vote: VoteIn, digest: str, caller: Principal) -> Review:
    words = vote.comment or ""
    match vote.kind:
        case VoteKind.EDIT:
            return await Edits(parts).commit(review_id, digest, vote.steps, words, caller)
        case VoteKind.ESCALATE:
            return await Acts(parts).escalate(review_id, digest, words, caller)
        case VoteKind.REQUEST_INFO:
            return await Acts(parts).ask_back(review_id, digest, words, caller)
        case VoteKind.COMMENT:
            return await Acts(parts).comment(review_id, words, caller)
        case _:
            ballot = Ballot(kind=vote.kind, digest=digest, comment=vote.comment, reason_code=vote.reason_code)
            return await Decisions(parts).vote(review_id, ballot, caller)


async def detail(tx: Transaction, parts: Parts, review: Review, caller: Principal) -> ReviewDetail:
    """A review as the caller sees it."""
    eligibility = await Decisions(parts).eligibility(tx, review, caller)
    obstacle = await unfit(tx, parts, review, caller, review.digest)
    whole = ReviewDetail.whole(review, await votes_on(tx, review.id), eligibility, obstacle)
    seen = await PersonalData(parts).shown(tx, review, whole.model_dump(), caller, eligibility=eligibility)
    return ReviewDetail.model_validate(seen)

"""The shapes of reviews, votes and deeds that the API answers with."""

from datetime import datetime
from typing import Any

from api.shapes import CaseOut, Shape
from checkpoints.cases import Case
from checkpoints.effects import EffectRow
from checkpoints.listed_reviews import ListedReview
from checkpoints.reviews import Review, ReviewKind, ReviewStatus
from checkpoints.votes import Vote, VoteKind
from graphs.edits import Preview
from graphs.explanations import explanation
from nodes.permissions import Eligibility


class ReviewOut(Shape):
    """A review in a list."""

    id: str
    case_id: str
    kind: ReviewKind
    workflow: str
    title: str
    rule: str | None
    digest: str
    version: int
    tool: str
    arguments: dict[str, Any]
    ladder: list[dict[str, Any]]
    roles: list[str]
    risk: str
    reversible: bool
    against: str | None
    amount_minor: int | None
    currency: str | None
    status: ReviewStatus
    opened_at: datetime
    due_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None
    claimed_by: str | None
    claimed_until: datetime | None
    paused_at: datetime | None
    hold_seconds: int
    held_until: datetime | None

    @classmethod
    def of(cls, review: ListedReview) -> "ReviewOut":
        """The review's shape."""
        return cls.model_validate(review)


class VoteOut(Shape):
    """What somebody said to a review."""

    id: str
    person: str
    on_behalf_of: str | None
    role: str | None
    rung: int | None
    kind: VoteKind
    reason_code: str | None
    comment: str | None
    patch: list[dict[str, Any]] | None
    voted_at: datetime
    withdrawn_at: datetime | None


class ReviewDetail(ReviewOut):
    """A review with the exact action, all that is shown beside it, and the votes.

    `may_decide`, `on_behalf_of` and `why` are what the vote itself would check for whoever asks, on the
    permissions that are `considered`.
    """

    action: dict[str, Any]
    shown: dict[str, Any]
    votes: list[VoteOut]
    asked_by: str | None
    info_until: datetime | None
    may_decide: bool
    on_behalf_of: str | None
    considered: list[dict[str, Any]]
    why: str

    @classmethod
    def whole(
        cls, review: Review, votes: list[Vote], eligibility: Eligibility, obstacle: Exception | None
    ) -> "ReviewDetail":
        """The review as one person sees it; an obstacle keeps them from it whatever they may."""
        still = review.status is ReviewStatus.OPEN
        return cls(
            **{name: getattr(review, name) for name in ReviewOut.model_fields},
            action=review.action,
            shown=review.shown,
            votes=[VoteOut.model_validate(vote) for vote in votes],
            asked_by=review.asked_by,
            info_until=review.info_until,
            may_decide=obstacle is None and eligibility.allowed,
            on_behalf_of=eligibility.on_behalf_of if still else None,
            considered=[one.to_json() for one in eligibility.considered],
            why=eligibility.why if obstacle is None else _why(review, obstacle),
        )


class PreviewOut(Shape):
    """What an edit would come to: the difference, what the rules say, who would sign, may one edit so.

    Attributes:
        changes: `[{field, before, after}]`.
        ladder: the roles that would have to sign; empty where the rules would allow or refuse it.
    """

    changes: list[dict[str, Any]]
    outcome: str
    reason: str
    row: str | None
    says: str
    ladder: list[str]
    risk: str
    digest: str
    may_edit: bool
    why: str

    @classmethod
    def of(cls, preview: Preview, changes: list[dict[str, Any]]) -> "PreviewOut":
        """The preview's shape, with its changes as somebody sees them."""
        verdict = preview.judgement.verdict
        return cls(
            changes=changes,
            outcome=verdict.outcome.value,
            reason=verdict.then.reason,
            row=verdict.row,
            says=verdict.says,
            ladder=list(verdict.then.ladder),
            risk=verdict.then.risk,
            digest=preview.judgement.digest,
            may_edit=preview.eligibility.allowed,
            why=preview.eligibility.why,
        )


class CountsOut(Shape):
    """How much there is to do; `mine` is counted up to a limit, `mine_is_more` says there may be more."""

    open: int
    overdue: int
    waiting_info: int
    claimed: int
    by_risk: dict[str, int]
    by_workflow: dict[str, int]
    mine: int
    mine_is_more: bool


class BulkItemOut(Shape):
    """What became of one review of many: decided, or why not."""

    review: str
    decided: bool
    status: str | None = None
    problem: str | None = None
    why: str | None = None


class BulkOut(Shape):
    """What became of many reviews."""

    items: list[BulkItemOut]
    decided: int


class EffectOut(Shape):
    """A deed of a case."""

    key: str
    tool: str
    tool_version: str
    arguments: dict[str, Any]
    state: str
    attempts: int
    receipt: dict[str, Any] | None
    error: str | None
    intended_at: datetime
    ended_at: datetime | None
    undoes: str | None


class ExplanationOut(Shape):
    """Why a case does not go on, in plain words."""

    happened: str
    done: str
    not_done: str
    to_do: str


class CaseDetail(CaseOut):
    """A case with its event, its reviews and its deeds, and why it does not go on if it does not."""

    workflow_version: str
    event: dict[str, Any]
    reviews: list["ReviewOut"]
    effects: list[EffectOut]
    explanation: ExplanationOut | None

    @classmethod
    def whole(cls, case: Case, reviews: list[ListedReview], effects: list[EffectRow]) -> "CaseDetail":
        """The case with everything that belongs to it."""
        why = explanation(case, effects)
        return cls(
            **CaseOut.of(case).model_dump(),
            workflow_version=case.workflow_version,
            event=case.event,
            reviews=[ReviewOut.of(review) for review in reviews],
            effects=[EffectOut.model_validate(effect) for effect in effects],
            explanation=ExplanationOut.model_validate(why) if why else None,
        )


def _why(review: Review, obstacle: Exception) -> str:
    if review.status is not ReviewStatus.OPEN:
        return f"already {review.status}"
    return str(obstacle) or (type(obstacle).__doc__ or "").strip()

"""The shapes that the API answers with."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from checkpoints.cases import Case
from checkpoints.effects import EffectRow
from checkpoints.outbox import Delivery, DeliveryState
from checkpoints.reviews import Review, ReviewStatus, Vote, VoteKind
from nodes.permissions import Eligibility

T = TypeVar("T")


class Shape(BaseModel):
    """A frozen answer, filled from the attributes of what it shows."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PageOut(Shape, Generic[T]):
    """A page; `next` is the cursor to send as `after` for the following one, null at the end."""

    items: list[T]
    next: str | None


class CaseOut(Shape):
    """A case in a list."""

    id: str
    workflow: str
    title: str
    status: str
    reason: str | None
    owner: str | None
    opened_by: str
    event_source: str
    event_id: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, case: Case) -> "CaseOut":
        """The case's shape."""
        return cls.model_validate(case)


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


class CaseDetail(CaseOut):
    """A case with its event, its reviews and its deeds."""

    workflow_version: str
    event: dict[str, Any]
    reviews: list["ReviewOut"]
    effects: list[EffectOut]

    @classmethod
    def whole(cls, case: Case, reviews: list[Review], effects: list[EffectRow]) -> "CaseDetail":
        """The case with everything that belongs to it."""
        return cls(
            **CaseOut.of(case).model_dump(),
            workflow_version=case.workflow_version,
            event=case.event,
            reviews=[ReviewOut.of(review) for review in reviews],
            effects=[EffectOut.model_validate(effect) for effect in effects],
        )


class TimelineEvent(Shape):
    """Something that happened, with its place in the log."""

    seq: int
    id: str
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]


class VerdictOut(Shape):
    """What the rules said once: on which facts, row by row, by which version of which table.

    Attributes:
        stage: `proposal`, or `execution` for the judgement just before the effect.
        facts: `{name: {value, source, trust, at}}`, complete: the same table says the same of them again.
        trace: a row each, `{row, matched, failed, saw}`; `failed` is the first condition that did not hold.
    """

    seq: int
    at: datetime
    stage: str
    proposal: str
    tool: str
    outcome: str
    reason: str
    owner: str | None
    ladder: list[str]
    row: str | None
    says: str
    policy: str | None
    table: dict[str, str]
    trace: list[dict[str, Any]]
    facts: dict[str, Any]

    @classmethod
    def of(cls, event: dict[str, Any]) -> "VerdictOut":
        """The verdict that an event of the record carries."""
        told = event["data"]
        verdict = {name: value for name, value in told["verdict"].items() if name in cls.model_fields}
        return cls(
            **verdict,
            seq=event["seq"],
            at=event["at"],
            stage=told["stage"],
            proposal=told["proposal"],
            tool=told["proposed_tool"],
            facts=told["facts"],
        )


class ReviewOut(Shape):
    """A review in a list."""

    id: str
    case_id: str
    workflow: str
    digest: str
    tool: str
    arguments: dict[str, Any]
    ladder: list[dict[str, Any]]
    risk: str
    amount_minor: int | None
    currency: str | None
    status: ReviewStatus
    opened_at: datetime
    due_at: datetime
    expires_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, review: Review) -> "ReviewOut":
        """The review's shape."""
        return cls(**_review_fields(review))


class VoteOut(Shape):
    """A vote on a review."""

    person: str
    role: str
    kind: VoteKind
    comment: str | None
    voted_at: datetime


class ReviewDetail(ReviewOut):
    """A review with the exact action, all that is shown beside it, and the votes.

    `may_decide` and `why` are what the vote itself would check for whoever asks, on the permissions that are
    `considered`.
    """

    action: dict[str, Any]
    shown: dict[str, Any]
    votes: list[VoteOut]
    may_decide: bool
    considered: list[dict[str, Any]]
    why: str

    @classmethod
    def whole(cls, review: Review, votes: list[Vote], eligibility: Eligibility) -> "ReviewDetail":
        """The review as one person sees it."""
        still = review.status is ReviewStatus.OPEN
        return cls(
            **_review_fields(review),
            action=review.action,
            shown=review.shown,
            votes=[VoteOut.model_validate(vote) for vote in votes],
            may_decide=still and eligibility.allowed,
            considered=[one.to_json() for one in eligibility.considered],
            why=eligibility.why if still else f"already {review.status}",
        )


class NotificationOut(Shape):
    """One event on its way to one recipient over one channel, or how it ended.

    `recipient` is an actor such as `person:lee`, or the channel itself; addresses are nowhere in it.
    """

    id: str
    event_id: str
    case_id: str | None
    review_id: str | None
    kind: str
    channel: str
    recipient: str
    state: DeliveryState
    attempts: int
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> "NotificationOut":
        """The delivery's shape."""
        return cls.model_validate(delivery)


class Received(Shape):
    """The answer to an event: its case, and whether the event was new."""

    case_id: str
    status: str
    new: bool


class AuditReport(Shape):
    """What a reading of the whole log found."""

    holds: bool
    events: int
    size: int
    root: str
    faults: list[str]


class Health(Shape):
    """What the process says of itself."""

    status: Literal["live", "ready"]


class ProblemOut(Shape):
    """A problem document (RFC 9457); `type` is a URN that ends in the state of affairs."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None
    fields: list[dict[str, str]] | None = None


def _review_fields(review: Review) -> dict[str, Any]:
    own = {name: getattr(review, name) for name in ReviewOut.model_fields if hasattr(review, name)}
    return own | {"tool": review.action["tool"], "arguments": review.action["arguments"]}

"""/cases/{id}/rollback and /rollbacks: taking back what cases have done, one or many."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.review_shapes import ReviewDetail
from api.reviews import detail
from api.shapes import Shape
from api.vote_bodies import Strict, Words
from checkpoints.rollbacks import Choice
from graphs.batches import Batch, Batches, Progress, Result
from graphs.rollbacks import Asked, Rollbacks
from graphs.withdrawals import Withdrawals
from nodes.rollback_plan import Plan

router = APIRouter(tags=["rollback"])

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class RollbackIn(Strict):
    """Why, and which plan was seen; with `dry_run` nothing is started."""

    why: Words
    dry_run: bool = False
    plan: Digest | None = None


class BatchIn(Strict):
    """Whose deeds, why, and which plan was seen; with `dry_run` nothing is started."""

    workflow: Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
    since: Annotated[AwareDatetime, Field(alias="from", strict=False)]
    until: Annotated[AwareDatetime, Field(alias="to", strict=False)]
    agent: Annotated[str, Field(pattern="^agent:[a-z_]{1,40}$")] | None = None
    agent_version: Annotated[str, Field(max_length=40)] | None = None
    rules_digest: Digest | None = None
    why: Words
    dry_run: bool = False
    plan: Digest | None = None

    @model_validator(mode="after")
    def _fits(self) -> "BatchIn":
        if self.until <= self.since:
            raise ValueError("to is not after from")
        if self.agent_version is not None and self.agent is None:
            raise ValueError("agent_version needs an agent")
        return self

    def choice(self) -> Choice:
        """Whose deeds it is about."""
        return Choice(
            workflow=self.workflow,
            since=self.since,
            until=self.until,
            agent=self.agent,
            agent_version=self.agent_version,
            rules_digest=self.rules_digest,
        )


class PlanOut(Shape):
    """What a rollback undoes, in order, and what stays done and why; the class is that of the worst deed.

    A step or what lasts is `{key, tool, reversibility, by, until, lasts, outside}`.
    """

    digest: str
    reversibility: str
    steps: list[dict[str, Any]]
    lasting: list[dict[str, Any]]

    @classmethod
    def of(cls, plan: Plan) -> "PlanOut":
        """The plan's shape."""
        return cls(digest=plan.digest, **plan.to_json())


class RollbackOut(Shape):
    """The rollback of a case; without a number it has not been started."""

    case_id: str
    status: str
    number: int | None
    new: bool
    plan: PlanOut

    @classmethod
    def of(cls, asked: Asked) -> "RollbackOut":
        """The rollback's shape."""
        return cls(
            case_id=asked.case_id,
            status=asked.status,
            number=asked.number,
            new=asked.new,
            plan=PlanOut.of(asked.plan),
        )


class BatchItemOut(Shape):
    """One case of a batch; `refused` says why it is not rolled back now."""

    case_id: str
    refused: str | None
    plan: PlanOut


class BatchOut(Shape):
    """A batch of rollbacks; without an id it has not been started."""

    id: str | None
    digest: str
    items: list[BatchItemOut]

    @classmethod
    def of(cls, batch: Batch) -> "BatchOut":
        """The batch's shape."""
        items = [
            BatchItemOut(case_id=one.case_id, refused=one.refused, plan=PlanOut.of(one.plan))
            for one in batch.items
        ]
        return cls(id=batch.id, digest=batch.digest, items=items)


class OutcomeOut(Shape):
    """What has become of one case of a batch."""

    case_id: str
    result: Result
    reason: str | None
    owner: str | None


class ProgressOut(Shape):
    """How far a batch is: how many cases stand how, and each of them."""

    id: str
    by: str
    at: datetime
    choice: dict[str, Any]
    counts: dict[Result, int]
    items: list[OutcomeOut]

    @classmethod
    def of(cls, progress: Progress) -> "ProgressOut":
        """The progress's shape."""
        results = [one.result for one in progress.outcomes]
        return cls(
            id=progress.id,
            by=progress.by,
            at=progress.at,
            choice=dict(progress.choice),
            counts={result: results.count(result) for result in Result},
            items=[OutcomeOut.model_validate(one) for one in progress.outcomes],
        )


@router.post("/cases/{case_id}/rollback", dependencies=[Depends(require_json)])
async def roll_back_case(
    parts: TheParts, caller: Caller, case_id: Id, wanted: RollbackIn, response: Response
) -> RollbackOut:
    """Take back what a case has done, or with `dry_run` only say what that would be."""
    rollbacks = Rollbacks(parts)
    if wanted.dry_run:
        return RollbackOut.of(await rollbacks.plan(case_id, caller))
    asked = await rollbacks.start(case_id, wanted.why, wanted.plan, caller)
    response.status_code = 202 if asked.new else 200
    return RollbackOut.of(asked)


@router.post("/rollbacks", dependencies=[Depends(require_json)])
async def roll_back_many(parts: TheParts, caller: Caller, wanted: BatchIn, response: Response) -> BatchOut:
    """Take back what was done in many cases, or with `dry_run` only say what that would be."""
    batches = Batches(parts)
    if wanted.dry_run:
        return BatchOut.of(await batches.plan(wanted.choice(), caller))
    batch = await batches.start(wanted.choice(), wanted.why, wanted.plan, caller)
    response.status_code = 202
    return BatchOut.of(batch)


@router.get("/rollbacks/{batch_id}")
async def get_rollbacks(parts: TheParts, _caller: Caller, batch_id: Id) -> ProgressOut:
    """How far a batch of rollbacks is, case by case."""
    return ProgressOut.of(await Batches(parts).progress(batch_id))


@router.post("/reviews/{review_id}/withdraw")
async def withdraw_vote(parts: TheParts, caller: Caller, review_id: Id) -> ReviewDetail:
    """Take a decision back while it is held: one's own, or for leads the last signature."""
    review = await Withdrawals(parts).withdraw(review_id, caller)
    async with parts.database.transaction() as tx:
        return await detail(tx, parts, review, caller)

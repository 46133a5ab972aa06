"""/rules: the versions of rule tables, drafts of new ones, and putting them in force."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import After, Limit
from api.shapes import PageOut, RuleTableDetail, RuleTableOut
from checkpoints import rule_tables
from checkpoints.rule_tables import TableState
from graphs.rule_changes import RuleChanges
from graphs.storable import storable

router = APIRouter(tags=["rules"])

LONGEST_TABLE = 500_000
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]


class DraftIn(BaseModel):
    """A new version of a rule table, as YAML, and why it is wanted."""

    model_config = ConfigDict(extra="forbid", strict=True)

    workflow: Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
    source: Annotated[str, Field(min_length=1, max_length=LONGEST_TABLE)]
    note: Words

    @model_validator(mode="after")
    def _fits(self) -> "DraftIn":
        if not storable([self.source, self.note]):
            raise ValueError("the text holds NUL characters or lone surrogates")
        return self


class DraftDecision(StrEnum):
    """What another person says to a draft."""

    APPROVE = "approve"
    REJECT = "reject"


class DraftDecisionIn(BaseModel):
    """A decision on a draft. To reject needs a comment that says why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Annotated[DraftDecision, Field(strict=False)]
    comment: Words | None = None

    @model_validator(mode="after")
    def _fits(self) -> "DraftDecisionIn":
        if self.kind is DraftDecision.REJECT and not (self.comment or "").strip():
            raise ValueError("a rejection needs a comment")
        if not storable(self.comment):
            raise ValueError("the comment holds NUL characters or lone surrogates")
        return self


@router.get("/rules")
async def list_rule_tables(
    parts: TheParts,
    _caller: Caller,
    limit: Limit = 50,
    after: After = None,
    state: TableState | None = None,
) -> PageOut[RuleTableOut]:
    """Versions of rule tables, newest first."""
    async with parts.database.transaction() as tx:
        page = await rule_tables.list_tables(tx, limit=limit, after=after, state=state)
    return PageOut(items=[RuleTableOut.model_validate(table) for table in page.items], next=page.next)


@router.get("/rules/{digest}")
async def get_rule_table(parts: TheParts, _caller: Caller, digest: Digest) -> RuleTableDetail:
    """One version, with its text and in what it differs from the one it replaces."""
    async with parts.database.transaction() as tx:
        return RuleTableDetail.model_validate(await rule_tables.get_table(tx, digest))


@router.post("/rules/drafts", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require_json)])
async def draft_rule_table(
    parts: TheParts, caller: Caller, draft: DraftIn, response: Response
) -> RuleTableDetail:
    """Draft a version: it is read, linted and compared, and changes nothing until another person approves."""
    stored = await RuleChanges(parts).draft(draft.workflow, draft.source, draft.note, caller)
    response.headers["Location"] = f"/rules/{stored.digest}"
    return RuleTableDetail.model_validate(stored)


@router.post("/rules/{digest}/decision", dependencies=[Depends(require_json)])
async def decide_rule_table(
    parts: TheParts, caller: Caller, digest: Digest, decision: DraftDecisionIn
) -> RuleTableDetail:
    """Put a draft in force, or reject it. Cases that are under way keep the table they began with."""
    approve = decision.kind is DraftDecision.APPROVE
    decided = await RuleChanges(parts).decide(digest, caller, approve=approve, comment=decision.comment)
    return RuleTableDetail.model_validate(decided)

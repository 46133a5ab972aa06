"""/delegations: lending one's right to decide, and taking it back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, status
from pydantic import AwareDatetime, Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.shapes import Shape
from api.vote_bodies import Strict, Words
from graphs.lending import Lending
from tools.money import Money

router = APIRouter(tags=["delegations"])


class DelegationIn(Strict):
    """To whom, until when, where and up to which amount (minor units) a right is lent, and why."""

    to: Annotated[str, Field(pattern="^person:[a-z][a-z0-9_-]{0,40}$")]
    until: Annotated[AwareDatetime, Field(strict=False)]
    workflow: Annotated[str, Field(pattern="^[a-z_]{1,40}$")] | None = None
    amount_minor: Annotated[int, Field(gt=0, le=10**13)] | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    reason: Words

    @model_validator(mode="after")
    def _fits(self) -> "DelegationIn":
        if (self.amount_minor is None) is not (self.currency is None):
            raise ValueError("amount_minor and currency come together or not at all")
        return self

    @property
    def limit(self) -> Money | None:
        """The most that one deed may be about."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(amount_minor=self.amount_minor, currency=self.currency)


class DelegationOut(Shape):
    """A delegation."""

    id: str
    from_person: str
    to_person: str
    workflow: str | None
    amount_minor: int | None
    currency: str | None
    reason: str
    starts_at: datetime
    ends_at: datetime
    revoked_at: datetime | None


class DelegationsOut(Shape):
    """What somebody has lent, and what is lent to them, newest first."""

    items: list[DelegationOut]


@router.get("/delegations")
async def list_delegations(parts: TheParts, caller: Caller) -> DelegationsOut:
    """The caller's delegations, in both directions."""
    found = await Lending(parts).of(caller)
    return DelegationsOut(items=[DelegationOut.model_validate(one) for one in found])


@router.post("/delegations", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require_json)])
async def add_delegation(parts: TheParts, caller: Caller, body: DelegationIn) -> DelegationOut:
    """Lend one's right to decide; it is never more than the lender has when it is used."""
    lent = await Lending(parts).lend(
        caller,
        to=body.to,
        until=body.until,
        workflow=body.workflow,
        limit=body.limit,
        reason=body.reason,
    )
    return DelegationOut.model_validate(lent)


@router.delete("/delegations/{delegation_id}")
async def revoke_delegation(parts: TheParts, caller: Caller, delegation_id: Id) -> DelegationOut:
    """Take a right back, at once: signatures under it do not count any more."""
    return DelegationOut.model_validate(await Lending(parts).revoke(delegation_id, caller))

"""Lending: somebody gives their right to decide to another person, for a while, perhaps up to an amount."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.delegations import (
    Delegation,
    add_delegation,
    delegations_of,
    get_delegation,
    revoke_delegation,
    standing_of,
)
from graphs.closing import NotEligible
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal
from tools.money import Money

LONGEST = timedelta(days=90)
MOST_STANDING = 20
"""Rights that somebody lends at a time: each is looked at with every vote of whoever has it."""


class DelegationUnfit(Exception):
    """A right cannot be lent like this."""


@dataclass(frozen=True, slots=True)
class Lending:
    """Gives and takes back delegations. What is lent is never more than the lender has when it is used."""

    parts: Parts

    async def lend(
        self,
        principal: Principal,
        *,
        to: str,
        until: datetime,
        workflow: str | None,
        limit: Money | None,
        reason: str,
    ) -> Delegation:
        """Lend one's right to decide; raises DelegationUnfit, NotEligible."""
        now = self.parts.clock()
        if principal.kind is not Kind.PERSON or not principal.roles:
            await self._deny(principal, why := "only people with a role have anything to lend", to=to)
            raise NotEligible(why)
        self._require_fit(principal, to, until, workflow)
        delegation = Delegation(
            id=self.parts.ids(),
            from_person=principal.actor,
            to_person=to,
            workflow=workflow,
            amount_minor=None if limit is None else limit.amount_minor,
            currency=None if limit is None else limit.currency,
            reason=reason,
            starts_at=now,
            ends_at=until,
            created_at=now,
        )
        async with self.parts.database.transaction() as tx:
            await tx.alone(f"lends: {principal.actor}")
            if await standing_of(tx, principal.actor, now) >= MOST_STANDING:
                raise DelegationUnfit(f"nobody lends more than {MOST_STANDING} at a time: take one back")
            await add_delegation(tx, delegation)
            lent = {"limit": None if limit is None else str(limit), "until": until.isoformat()}
            await tell(tx, self._event("delegation.given", delegation, principal, reason=reason, **lent))
        return delegation

    def _require_fit(self, principal: Principal, to: str, until: datetime, workflow: str | None) -> None:
        now = self.parts.clock()
        if not now < until <= now + LONGEST:
            raise DelegationUnfit(f"it ends within {LONGEST.days} days, and not before it begins")
        if workflow is not None and workflow not in self.parts.workflows:
            raise DelegationUnfit(f"there is no workflow {workflow!r}")
        other = self.parts.people.person(to)
        if other is None or other.eyes == principal.eyes:
            raise DelegationUnfit(f"{to} is nobody else who is known here")

    async def revoke(self, delegation_id: str, principal: Principal) -> Delegation:
        """Take a right back, at once; raises DelegationNotFound, NotEligible."""
        async with self.parts.database.transaction() as tx:
            delegation = await get_delegation(tx, delegation_id)
            if delegation.from_person == principal.actor:
                if await revoke_delegation(tx, delegation_id, self.parts.clock()):
                    await tell(tx, self._event("delegation.revoked", delegation, principal))
                return await get_delegation(tx, delegation_id)
        await self._deny(principal, why := "only who lent it takes it back", delegation=delegation_id)
        raise NotEligible(why)

    async def of(self, principal: Principal) -> list[Delegation]:
        """What somebody has lent, and what is lent to them."""
        async with self.parts.database.transaction() as tx:
            return await delegations_of(tx, principal.actor)

    async def _deny(self, principal: Principal, why: str, **data: str) -> None:
        async with self.parts.database.transaction() as tx:
            await tell(tx, self.parts.event("delegation.denied", principal.actor, {"why": why, **data}))

    def _event(self, kind: str, delegation: Delegation, principal: Principal, **data: Any) -> Event:
        named = {"delegation": delegation.id, "to": delegation.to_person, "workflow": delegation.workflow}
        return self.parts.event(kind, principal.actor, named | data)

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
)
from graphs.closing import NotEligible
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal
from tools.money import Money

LONGEST = timedelta(days=90)


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
            raise NotEligible("only people with a role have anything to lend")
        if not now < until <= now + LONGEST:
            raise DelegationUnfit(f"it ends within {LONGEST.days} days, and not before it begins")
        if workflow is not None and workflow not in self.parts.workflows:
            raise DelegationUnfit(f"there is no workflow {workflow!r}")
        other = self.parts.people.person(to)
        if other is None or other.eyes == principal.eyes:
            raise DelegationUnfit(f"{to} is nobody else who is known here")
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
            await add_delegation(tx, delegation)
            lent = {"limit": None if limit is None else str(limit), "until": until.isoformat()}
            await tell(tx, self._event("delegation.given", delegation, principal, reason=reason, **lent))
        return delegation

    async def revoke(self, delegation_id: str, principal: Principal) -> Delegation:
        """Take a right back, at once; raises DelegationNotFound, NotEligible."""
        async with self.parts.database.transaction() as tx:
            delegation = await get_delegation(tx, delegation_id)
            if delegation.from_person != principal.actor:
                raise NotEligible("only who lent it takes it back")
            if await revoke_delegation(tx, delegation_id, self.parts.clock()):
                await tell(tx, self._event("delegation.revoked", delegation, principal))
            return await get_delegation(tx, delegation_id)

    async def of(self, principal: Principal) -> list[Delegation]:
        """What somebody has lent, and what is lent to them."""
        async with self.parts.database.transaction() as tx:
            return await delegations_of(tx, principal.actor)

    def _event(self, kind: str, delegation: Delegation, principal: Principal, **data: Any) -> Event:
        named = {"delegation": delegation.id, "to": delegation.to_person, "workflow": delegation.workflow}
        return Event(
            id=self.parts.ids(),
            case_id=None,
            kind=kind,
            actor=principal.actor,
            at=self.parts.clock(),
            data=named | data,
        )

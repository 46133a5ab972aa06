"""The queue as one person sees it: what is theirs to decide is asked of the code that guards the vote."""

from dataclasses import dataclass, replace
from typing import Any

from checkpoints.database import Transaction
from checkpoints.delegations import delegations_to
from checkpoints.pages import Page
from checkpoints.review_queue import Filter, Sort, count_queue, cursor_at, list_queue
from checkpoints.reviews import Review
from graphs.electorate import Electorate
from graphs.wiring import Parts
from nodes.permissions import Principal

MOST_COUNTED = 200
"""Up to how many reviews that somebody may decide are counted one by one."""
_AT_ONCE = 100
"""How many reviews are looked at together, however short the page is."""


@dataclass(frozen=True, slots=True)
class QueueView:
    """Lists and counts reviews for a principal."""

    parts: Parts

    async def page(
        self,
        tx: Transaction,
        wanted: Filter,
        principal: Principal,
        *,
        sort: Sort,
        limit: int,
        after: str | None = None,
        mine: bool = False,
    ) -> Page[Review]:
        """A page of reviews, with `mine` only those the principal may decide now; raises UnknownCursor."""
        wanted = replace(wanted, at=self.parts.clock())
        if not mine:
            return await list_queue(tx, wanted, sort=sort, limit=limit, after=after)
        roles = await self._roles(tx, principal, wanted)
        wanted = replace(wanted, roles=roles, free_for=principal.actor)
        found: list[Review] = []
        while True:
            page = await list_queue(tx, wanted, sort=sort, limit=max(limit, _AT_ONCE), after=after)
            for review in await self._decidable(tx, page.items, principal):
                if len(found) == limit:
                    return Page(found, cursor_at(found[-1], sort))
                found.append(review)
            if page.next is None:
                return Page(found, None)
            after = page.next

    async def counts(self, tx: Transaction, principal: Principal) -> dict[str, Any]:
        """How much there is to do, for all and for the principal."""
        mine = await self.page(tx, Filter(), principal, sort=Sort.DUE, limit=MOST_COUNTED, mine=True)
        counted = {"mine": len(mine.items), "mine_is_more": mine.next is not None}
        return await count_queue(tx, self.parts.clock()) | counted

    async def _decidable(self, tx: Transaction, reviews: list[Review], principal: Principal) -> list[Review]:
        if not reviews:
            return []
        found = await Electorate(self.parts).eligibilities(tx, reviews, principal)
        return [review for review, one in zip(reviews, found, strict=True) if one.allowed]

    async def _roles(self, tx: Transaction, principal: Principal, wanted: Filter) -> list[str]:
        """The principal's roles and those lent to them: only a net to fish with, not a right."""
        roles = set(principal.roles)
        for delegation in await delegations_to(tx, principal.actor, self.parts.clock()):
            lender = self.parts.people.person(delegation.from_person)
            roles |= lender.roles if lender else set()
        return sorted(roles if wanted.roles is None else roles & set(wanted.roles))

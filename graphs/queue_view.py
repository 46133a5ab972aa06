"""The queue as one person sees it: what is theirs to decide is asked of the code that guards the vote."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from checkpoints.database import Transaction
from checkpoints.listed_reviews import ListedReview, Stake
from checkpoints.pages import Page
from checkpoints.review_queue import Filter, Sort, count_queue, cursor_at, list_queue, list_stakes
from graphs.electorate import Electorate, Voter
from graphs.wiring import Parts
from nodes.permissions import Principal

MOST_COUNTED = 200
"""Up to how many reviews that somebody may decide are counted one by one."""
_A_FEW_MORE = 10
"""How many more than are wanted are looked at together, since some may turn out to be for others."""
_AT_LEAST = 50
"""How many are looked at together, however short the page is."""

T = TypeVar("T", ListedReview, Stake)
Listing = Callable[..., Awaitable[Page[T]]]


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
    ) -> Page[ListedReview]:
        """A page of reviews, with `mine` only those the principal may decide now; raises UnknownCursor."""
        wanted = replace(wanted, at=self.parts.clock())
        if not mine:
            return await list_queue(tx, wanted, sort=sort, limit=limit, after=after)
        voter = await Electorate(self.parts).voter(tx, principal)
        listing = partial(list_queue, tx, _fished(wanted, voter), sort=sort)
        found = await _first(voter, listing, limit + 1, after=after)
        return Page(found[:limit], cursor_at(found[limit - 1], sort) if len(found) > limit else None)

    async def counts(self, tx: Transaction, principal: Principal) -> dict[str, Any]:
        """How much there is to do, for all and for the principal."""
        voter = await Electorate(self.parts).voter(tx, principal)
        wanted = _fished(Filter(at=self.parts.clock()), voter)
        mine = await _first(voter, partial(list_stakes, tx, wanted, sort=Sort.DUE), MOST_COUNTED + 1)
        counted = {"mine": min(len(mine), MOST_COUNTED), "mine_is_more": len(mine) > MOST_COUNTED}
        return await count_queue(tx, self.parts.clock()) | counted


def _fished(wanted: Filter, voter: Voter) -> Filter:
    """The same, of reviews that a voter might decide."""
    roles = voter.roles if wanted.roles is None else voter.roles & set(wanted.roles)
    return replace(wanted, roles=sorted(roles), free_for=voter.principal.actor)


async def _first(voter: Voter, listing: Listing[T], most: int, after: str | None = None) -> list[T]:
    """The first of the listed reviews that the voter may decide."""
    found: list[T] = []
    while True:
        page = await listing(limit=max(most - len(found) + _A_FEW_MORE, _AT_LEAST), after=after)
        may = await voter.eligibilities(page.items)
        found += [review for review, right in zip(page.items, may, strict=True) if right.allowed]
        if len(found) >= most or page.next is None:
            return found[:most]
        after = page.next

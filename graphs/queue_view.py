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

MOST_COUNTED = 100
"""Up to how many reviews that somebody may decide are counted one by one."""
MOST_LOOKED_AT = 500
"""Once so many were looked at, no more are for one answer, however few of them are the principal's."""
_AT_FIRST = 50
_AT_ONCE = 200
"""How many reviews are looked at together, at first and if those were not enough."""
_A_FEW_MORE = 10
"""How many more than are wanted are looked at first, since some may turn out to be for others."""

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
        """A page of reviews, with `mine` only those the principal may decide now; raises UnknownCursor.

        With `mine` it may have fewer than `limit` although there are more.
        """
        wanted = replace(wanted, at=self.parts.clock())
        if not mine:
            return await list_queue(tx, wanted, sort=sort, limit=limit, after=after)
        voter = await Electorate(self.parts).voter(tx, principal)
        listing = partial(list_queue, tx, _fished(wanted, voter), sort=sort)
        return await _first(limit, listing, voter, sort=sort, after=after)

    async def counts(self, tx: Transaction, principal: Principal) -> dict[str, Any]:
        """How much there is to do, for all and for the principal."""
        voter, sort = await Electorate(self.parts).voter(tx, principal), Sort.DUE
        wanted = _fished(Filter(at=self.parts.clock()), voter)
        mine = await _first(MOST_COUNTED, partial(list_stakes, tx, wanted, sort=sort), voter, sort=sort)
        counted = {"mine": len(mine.items), "mine_is_more": mine.next is not None}
        return await count_queue(tx, self.parts.clock()) | counted


def _fished(wanted: Filter, voter: Voter) -> Filter:
    """The same, of reviews that a voter might decide."""
    roles = voter.roles if wanted.roles is None else voter.roles & set(wanted.roles)
    return replace(wanted, roles=sorted(roles), free_for=voter.principal.actor)


async def _first(
    limit: int, listing: Listing[T], voter: Voter, *, sort: Sort, after: str | None = None
) -> Page[T]:
    """The first of the listed reviews that the voter may decide, and where to look on for more."""
    found: list[T] = []
    at_once, looked_at = max(_AT_FIRST, limit + _A_FEW_MORE), 0
    while True:
        page = await listing(limit=at_once, after=after)
        may = await voter.eligibilities(page.items)
        for review in (one for one, right in zip(page.items, may, strict=True) if right.allowed):
            if len(found) == limit:
                return Page(found, cursor_at(found[-1], sort))
            found.append(review)
        looked_at += len(page.items)
        if page.next is None or looked_at >= MOST_LOOKED_AT:
            return Page(found, page.next)
        at_once, after = _AT_ONCE, page.next

"""Who may decide a review: the ladder, own rights and lent ones, and whose eyes have looked already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from checkpoints.votes import APPROVING, Vote
from nodes.permissions import Eligibility, Permissions, Principal, may_decide
from nodes.shapes import Json
from tools.money import Money


class Lent(NamedTuple):
    """A right to decide that somebody lends: whose, by which delegation, up to which amount."""

    lender: Principal
    delegation: str
    limit: Money | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of whoever decides.

    Attributes:
        ladder: the review's rungs, `{role, people, stage, …}`.
        votes: what was said to it so far.
        involved: the eyes of the lineage: none of them is a second pair of eyes.
    """

    tool: str
    ladder: Sequence[Json]
    votes: Sequence[Vote]
    amount: Money | None
    involved: frozenset[str]
    permissions: Permissions

    @property
    def approvals(self) -> list[Vote]:
        """The signatures so far."""
        return [vote for vote in self.votes if vote.kind in APPROVING]

    @property
    def signed(self) -> frozenset[str]:
        """The eyes that have signed, each once however many accounts or delegations they have."""
        return frozenset().union(*(vote.humans for vote in self.approvals))


def open_rungs(ladder: Sequence[Json], votes: Sequence[Vote]) -> list[int]:
    """The places of the rungs that are to be filled next; none once all are."""
    filled = [vote.rung for vote in votes if vote.kind in APPROVING]
    if None in filled:
        return []
    lacking = [at for at, rung in enumerate(ladder) if filled.count(at) < rung["people"]]
    now = min((_stage(ladder[at]) for at in lacking), default=0)
    return [at for at in lacking if _stage(ladder[at]) == now]


def _stage(rung: Json) -> int:
    return int(rung.get("stage", 0))


def eligibility(
    principal: Principal,
    question: Question,
    *,
    lent: Sequence[Lent] = (),
    spent: Mapping[str, Sequence[Money]] | None = None,
) -> Eligibility:
    """Whether somebody may sign now, in their own right or in one that is lent to them.

    Args:
        principal: who asks.
        question: what is to be decided.
        lent: what is lent to them at this moment.
        spent: by eyes, what they have signed for in the last day.
    """
    own = _in_right_of(principal, question, spent or {})
    if own.allowed or own.involved:
        return own
    for right in lent:
        if right.lender.eyes == principal.eyes or not _covers(right, question.amount):
            continue
        through = _in_right_of(right.lender, question, spent or {})
        if through.allowed:
            return replace(
                through,
                why=f"{through.why}, on behalf of {right.lender.actor}",
                on_behalf_of=right.lender.actor,
                delegation=right.delegation,
                humans=(principal.eyes, right.lender.eyes),
            )
        own = replace(own, why=f"{own.why}; on behalf of {right.lender.actor}: {through.why}")
    return own


def _in_right_of(
    principal: Principal, question: Question, spent: Mapping[str, Sequence[Money]]
) -> Eligibility:
    if principal.eyes in question.signed:
        why = "these eyes have signed already"
        return Eligibility(allowed=False, role=None, why=why, involved=True, humans=(principal.eyes,))
    places = open_rungs(question.ladder, question.votes) or range(len(question.ladder))
    found = may_decide(
        principal,
        tool=question.tool,
        ladder=[dict(question.ladder[at]) for at in places],
        amount=question.amount,
        involved=question.involved,
        permissions=question.permissions,
        spent=spent.get(principal.eyes, ()),
    )
    rung = next((at for at in places if question.ladder[at]["role"] == found.role), None)
    return replace(found, rung=rung, humans=(principal.eyes,))


def _covers(right: Lent, amount: Money | None) -> bool:
    if right.limit is None or amount is None:
        return True
    return right.limit.currency == amount.currency and amount <= right.limit

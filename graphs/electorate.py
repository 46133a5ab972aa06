"""The electorate: who may decide a review now, asked alike by the list, by the vote and by the preview."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.cases import Case, get_cases
from checkpoints.database import Transaction
from checkpoints.delegations import delegations_to
from checkpoints.reviews import Review
from checkpoints.rule_tables import authors_of
from checkpoints.votes import approved_by, editors_in, votes_on_many
from graphs.wiring import Parts
from nodes.directory import eyes_of
from nodes.eligibility import Lent, Question, eligibility
from nodes.permissions import Eligibility, Permissions, Principal
from nodes.signers import A_DAY
from tools.money import Money


@dataclass(frozen=True, slots=True)
class Electorate:
    """Looks up everything that eligibility hangs on, for one review or for many in one go."""

    parts: Parts

    async def eligibility(
        self, tx: Transaction, review: Review, principal: Principal, *, amount: Money | None = None
    ) -> Eligibility:
        """Whether the principal may sign this review, or the same about another amount."""
        amounts = None if amount is None else [amount]
        return (await self.eligibilities(tx, [review], principal, amounts=amounts))[0]

    async def eligibilities(
        self,
        tx: Transaction,
        reviews: Sequence[Review],
        principal: Principal,
        *,
        amounts: Sequence[Money | None] | None = None,
    ) -> list[Eligibility]:
        """The same for many reviews, by a fixed number of queries, and one for the sum of each signer."""
        digests = {_rules_of(review) for review in reviews}
        case_ids = sorted({review.case_id for review in reviews})
        votes = await votes_on_many(tx, [review.id for review in reviews])
        cases, editors = await get_cases(tx, case_ids), await editors_in(tx, case_ids)
        authors = await authors_of(tx, sorted(digests))
        lent = await self._lent(tx, principal)
        spent = _Spent(tx, self.parts)
        found = []
        for at, review in enumerate(reviews):
            writing, editing = authors.get(_rules_of(review), set()), editors[review.case_id]
            question = Question(
                tool=review.tool,
                ladder=review.ladder,
                votes=votes[review.id],
                amount=amounts[at] if amounts else amount_of(review),
                involved=self._involved(cases[review.case_id], review, editing, writing),
                permissions=self.permissions(review),
            )
            rights = [one for one, workflow in lent if workflow in {None, review.workflow}]
            eyes = {principal.eyes, *(right.lender.eyes for right in rights)}
            sums = {one: await spent.by(one, review.tool) for one in eyes}
            found.append(eligibility(principal, question, lent=rights, spent=sums))
        return found

    def permissions(self, review: Review) -> Permissions:
        """Those of the review's workflow; of one that is not installed here nobody has any."""
        workflow = self.parts.workflows.get(review.workflow)
        return Permissions(()) if workflow is None else workflow.permissions

    async def spent(self, tx: Transaction, principal: Principal, tool: str) -> list[Money]:
        """What these eyes have signed for with a tool in the last day."""
        return await _Spent(tx, self.parts).by(principal.eyes, tool)

    async def whose_sums(self, tx: Transaction, principal: Principal) -> list[str]:
        """By whose daily limits a vote of theirs may be measured: their own eyes and those of lenders."""
        return sorted({principal.eyes, *(right.lender.eyes for right, _ in await self._lent(tx, principal))})

    def eyes_of(self, actor: str) -> str:
        """Whose eyes are behind an actor."""
        return eyes_of(self.parts.people, actor)

    async def _lent(self, tx: Transaction, principal: Principal) -> list[tuple[Lent, str | None]]:
        """What is lent to somebody now, by lenders who are still there; with the workflow it is lent for."""
        found = []
        for delegation in await delegations_to(tx, principal.actor, self.parts.clock()):
            lender = self.parts.people.person(delegation.from_person)
            if lender is not None:
                limit = _money(delegation.amount_minor, delegation.currency)
                found.append((Lent(lender, delegation.id, limit), delegation.workflow))
        return found

    def _involved(self, case: Case, review: Review, editors: set[str], authors: set[str]) -> frozenset[str]:
        """Whoever asked, proposed, edited or wrote the rule; after broken glass also who broke it."""
        actors = {case.opened_by, str(review.action.get("proposer")), *review.shown.get("signed_by", ())}
        actors |= authors | ({str(case.rollback["by"])} if case.rollback else set())
        return frozenset({self.eyes_of(actor) for actor in actors} | editors | actors)


class _Spent:
    """What eyes have signed for in the last day, asked once each."""

    def __init__(self, tx: Transaction, parts: Parts) -> None:
        self._tx = tx
        self._since = parts.clock() - A_DAY
        self._known: dict[tuple[str, str], list[Money]] = {}

    async def by(self, eyes: str, tool: str) -> list[Money]:
        if (eyes, tool) not in self._known:
            found = await approved_by(self._tx.driver, eyes, tool=tool, since=self._since)
            self._known[eyes, tool] = [Money(amount_minor=minor, currency=unit) for minor, unit in found]
        return self._known[eyes, tool]


def amount_of(review: Review) -> Money | None:
    """What a review is about, if it is about money."""
    return _money(review.amount_minor, review.currency)


def _rules_of(review: Review) -> str:
    return str((review.action.get("rules") or {}).get("digest"))


def _money(amount_minor: int | None, currency: str | None) -> Money | None:
    if amount_minor is None or currency is None:
        return None
    return Money(amount_minor=amount_minor, currency=currency)

"""The electorate: who may decide a review now, asked alike by the list, by the vote and by the preview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from checkpoints.cases import asked_in
from checkpoints.database import Transaction
from checkpoints.delegations import delegations_to
from checkpoints.rule_tables import authors_of
from checkpoints.votes import Vote, approved_by_many, editors_in, votes_on_many
from graphs.wiring import Parts
from nodes.directory import eyes_of
from nodes.eligibility import Lent, Question, eligibility
from nodes.permissions import Eligibility, Permissions, Principal
from nodes.shapes import Json
from nodes.signers import A_DAY, asked_by
from tools.money import Money


class Decidable(Protocol):
    """What eligibility hangs on of a review, be it whole or in a list; each is as `Review` has it."""

    @property
    def id(self) -> str:
        """Under which votes on it are found."""

    @property
    def case_id(self) -> str:
        """Under which are found who asked for it and who edited it."""

    @property
    def workflow(self) -> str:
        """Whose permissions hold."""

    @property
    def tool(self) -> str:
        """What would run."""

    @property
    def ladder(self) -> list[Json]:
        """Who has to sign."""

    @property
    def amount_minor(self) -> int | None:
        """What it is about, if it is about money."""

    @property
    def currency(self) -> str | None:
        """In which currency."""

    @property
    def proposer(self) -> str | None:
        """Whose proposal it is."""

    @property
    def rules(self) -> str | None:
        """The rule table that asks for it, by which its authors are found."""

    @property
    def signed_by(self) -> Sequence[str] | None:
        """Whose signatures it looks back on, if on any."""


@dataclass(frozen=True, slots=True)
class Electorate:
    """Looks up everything that eligibility hangs on."""

    parts: Parts

    async def eligibility(
        self, tx: Transaction, review: Decidable, principal: Principal, *, amount: Money | None = None
    ) -> Eligibility:
        """Whether the principal may sign this review, or the same about another amount."""
        return (await (await self.voter(tx, principal)).eligibilities([review], amount=amount))[0]

    async def voter(self, tx: Transaction, principal: Principal) -> "Voter":
        """The principal with what is lent to them now, by lenders who are still there."""
        lent = []
        for delegation in await delegations_to(tx, principal.actor, self.parts.clock()):
            lender = self.parts.people.person(delegation.from_person)
            if lender is not None:
                limit = _money(delegation.amount_minor, delegation.currency)
                lent.append((Lent(lender, delegation.id, limit), delegation.workflow))
        return Voter(tx, self, principal, lent)

    def permissions(self, review: Decidable) -> Permissions:
        """Those of the review's workflow; of one that is not installed here nobody has any."""
        workflow = self.parts.workflows.get(review.workflow)
        return Permissions(()) if workflow is None else workflow.permissions

    async def spent(self, tx: Transaction, principal: Principal, tool: str) -> list[Money]:
        """What these eyes have signed for with a tool in the last day."""
        return (await self.spent_by(tx, {principal.eyes}, {tool}))[tool][principal.eyes]

    async def spent_by(
        self, tx: Transaction, eyes: set[str], tools: set[str]
    ) -> dict[str, dict[str, list[Money]]]:
        """The same by tool and eyes, by one query."""
        since = self.parts.clock() - A_DAY
        signed = await approved_by_many(tx.driver, eyes, tools=tools, since=since)
        return {
            tool: {
                one: [Money(amount_minor=minor, currency=unit) for minor, unit in signed[one, tool]]
                for one in eyes
            }
            for tool in tools
        }

    async def whose_sums(self, tx: Transaction, principal: Principal) -> list[str]:
        """By whose daily limits a vote of theirs may be measured: their own eyes and those of lenders."""
        return sorted((await self.voter(tx, principal)).eyes)


@dataclass(frozen=True, slots=True)
class Voter:
    """Somebody with what is lent to them, and the workflow it is lent for, in one transaction.

    Whoever asks about many reviews asks one voter: who is who is looked up once for all of them.
    """

    tx: Transaction
    electorate: Electorate
    principal: Principal
    lent: Sequence[tuple[Lent, str | None]]
    _known: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    @property
    def eyes(self) -> set[str]:
        """Their own eyes and those of all lenders."""
        return {self.principal.eyes, *(right.lender.eyes for right, _ in self.lent)}

    @property
    def roles(self) -> set[str]:
        """Their roles and those of all lenders: only a net to fish with, not a right."""
        return set(self.principal.roles).union(*(right.lender.roles for right, _ in self.lent))

    async def eligibilities(
        self, reviews: Sequence[Decidable], *, amount: Money | None = None
    ) -> list[Eligibility]:
        """Whether they may sign each, or the same about another amount; so many queries for any number.

        Of reviews about which the same is asked, and nobody has said anything, one is answered for all.
        """
        if not reviews:
            return []
        case_ids = sorted({review.case_id for review in reviews})
        votes = await votes_on_many(self.tx, [review.id for review in reviews])
        asked, editors = await asked_in(self.tx, case_ids), await editors_in(self.tx, case_ids)
        authors = await authors_of(self.tx, sorted({str(review.rules) for review in reviews}))
        spent = await self.electorate.spent_by(self.tx, self.eyes, {review.tool for review in reviews})
        answers: dict[object, Eligibility] = {}
        found = []
        for review in reviews:
            actors = {*asked_by(asked[review.case_id]), str(review.proposer)}
            actors.update(review.signed_by or (), authors.get(str(review.rules), ()))
            involved = self._involved(frozenset(actors)) | editors[review.case_id]
            said = votes[review.id]
            alike = review.id if said else _alike(review, involved)
            if alike not in answers:
                about = amount_of(review) if amount is None else amount
                answers[alike] = self._answer(review, said, about, involved, spent[review.tool])
            found.append(answers[alike])
        return found

    def _answer(
        self,
        review: Decidable,
        votes: Sequence[Vote],
        amount: Money | None,
        involved: frozenset[str],
        spent: Mapping[str, Sequence[Money]],
    ) -> Eligibility:
        question = Question(
            tool=review.tool,
            ladder=review.ladder,
            votes=votes,
            amount=amount,
            involved=involved,
            permissions=self.electorate.permissions(review),
        )
        rights = [right for right, workflow in self.lent if workflow in {None, review.workflow}]
        return eligibility(self.principal, question, lent=rights, spent=spent)

    def _involved(self, actors: frozenset[str]) -> frozenset[str]:
        """Whoever asked, proposed, signed or wrote the rule, as accounts and as the humans behind them."""
        if actors not in self._known:
            people = self.electorate.parts.people
            self._known[actors] = actors.union(eyes_of(people, actor) for actor in actors)
        return self._known[actors]


def _alike(review: Decidable, involved: frozenset[str]) -> object:
    """Equal for reviews of which eligibility cannot differ for anybody, as long as nobody has voted."""
    amount = (review.amount_minor, review.currency)
    return (review.workflow, review.tool, amount, repr(review.ladder), involved)


def amount_of(review: Decidable) -> Money | None:
    """What a review is about, if it is about money."""
    return _money(review.amount_minor, review.currency)


def _money(amount_minor: int | None, currency: str | None) -> Money | None:
    if amount_minor is None or currency is None:
        return None
    return Money(amount_minor=amount_minor, currency=currency)

"""The signers of a review, looked up again at the moment of the deed: who they are and what they may now."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkpoints.reviews import Decision, SessionReviews
from checkpoints.votes import APPROVING, Vote, VoteKind
from nodes.directory import Directory, DirectoryUnfit, eyes_of
from nodes.judge import Judgement
from nodes.permissions import Principal, Verb
from nodes.rules import Consequence, Outcome
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.money import Money

A_DAY = timedelta(hours=24)
"""The time over which what somebody signs is summed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signers:
    """Holds the votes of an approved review against people, roles, limits and delegations as they are now."""

    directory: Directory
    reviews: SessionReviews
    clock: Callable[[], datetime]

    async def objection(
        self,
        review_id: str,
        decision: Decision,
        judgement: Judgement,
        workflow: Workflow,
        asked: frozenset[str],
    ) -> str | None:
        """Why these votes do not release this deed (any more); None if they do."""
        votes = [vote for vote in decision.votes if vote.kind in APPROVING]
        glass = [vote for vote in votes if vote.kind is VoteKind.BREAK_GLASS]
        if not glass and (why := _lacking(decision, judgement, votes)):
            return why
        try:
            involved = await self._involved(judgement, asked)
            if why := self._eyes(glass or votes, involved):
                return why
            for vote in glass or votes:
                if why := await self._signer(review_id, vote, judgement, workflow):
                    return why
        except DirectoryUnfit:
            return "people_unknown"
        return None

    async def _involved(self, judgement: Judgement, asked: frozenset[str]) -> frozenset[str]:
        proposal, rules = judgement.proposal, judgement.action["rules"]["digest"]
        author, eyes = await self.reviews.lineage(proposal.case_id, rules)
        actors = asked | {proposal.proposer} | ({author} if author else set())
        return frozenset({eyes_of(self.directory, actor) for actor in actors} | set(eyes))

    def _eyes(self, votes: Sequence[Vote], involved: frozenset[str]) -> str | None:
        """Whether every signature is of other eyes, and of none that had a part in what was signed."""
        actors = [actor for vote in votes for actor in (vote.person, vote.on_behalf_of) if actor]
        eyes = [eyes_of(self.directory, actor) for actor in actors]
        if len(set(eyes)) < len(eyes):
            return "signed_twice_by_one"
        return "signed_by_the_involved" if involved & set(eyes) else None

    async def _signer(
        self, review_id: str, vote: Vote, judgement: Judgement, workflow: Workflow
    ) -> str | None:
        tool, then = judgement.proposal.tool, judgement.verdict.then
        amount = workflow.rulings[tool].money(judgement.action["arguments"])
        person, holder = self.directory.person(vote.person), self._holder(vote)
        if person is None or holder is None:
            return "signer_is_gone"
        if vote.role is None or vote.role not in holder.roles:
            return "signer_lost_the_role"
        if vote.delegation and not await self._lent(vote, workflow, amount):
            return "delegation_is_over"
        verb = Verb.BREAK_GLASS if vote.kind is VoteKind.BREAK_GLASS else Verb.DECIDE
        if verb is Verb.DECIDE and then.against is not None and vote.kind is not VoteKind.OVERRIDE:
            return "needs_an_override"
        if workflow.permissions.denials(holder.roles | person.roles, Verb.DECIDE, tool):
            return "denied_to_the_signer"
        spent = await self._spent(holder, tool, review_id)
        if not workflow.permissions.decide((vote.role,), verb, tool, amount, spent).allowed:
            return "above_the_signers_limit"
        return None

    def _holder(self, vote: Vote) -> Principal | None:
        """Whose right was used: the lender's, if it was lent."""
        return self.directory.person(vote.on_behalf_of or vote.person)

    async def _lent(self, vote: Vote, workflow: Workflow, amount: Money | None) -> bool:
        delegation = await self.reviews.delegation(vote.delegation or "")
        if delegation is None or not delegation.holds(workflow.name, vote.voted_at):
            return False
        if (delegation.to_person, delegation.from_person) != (vote.person, vote.on_behalf_of):
            return False
        if delegation.amount_minor is None or delegation.currency is None or amount is None:
            return True
        return amount.currency == delegation.currency and amount.amount_minor <= delegation.amount_minor

    async def _spent(self, holder: Principal, tool: str, but: str) -> list[Money]:
        since = self.clock() - A_DAY
        found = await self.reviews.approved_by(holder.eyes, tool=tool, since=since, but=but)
        return [Money(amount_minor=minor, currency=currency) for minor, currency in found]


def asked_by(case: Json) -> frozenset[str]:
    """Whoever asked for what is done in a case, as its row has it: for the case, and for its rollback."""
    rollback = case.get("rollback") or {}
    return frozenset({str(case["opened_by"]), *([str(rollback["by"])] if rollback else [])})


def _lacking(decision: Decision, judgement: Judgement, votes: Sequence[Vote]) -> str | None:
    """Whether everybody whom the rules ask by now has signed, or somebody above them."""
    then = judgement.verdict.then
    if judgement.verdict.outcome is not Outcome.REVIEW:
        return None
    filled = Counter(_asked(decision, vote) for vote in votes if _stands_in(decision, vote, then))
    if any(filled[rung.role] < rung.people for rung in then.steps):
        return "needs_other_people"
    return None


def _asked(decision: Decision, vote: Vote) -> str | None:
    """Whom the rules had asked where this vote stands on the ladder."""
    if vote.rung is None or not 0 <= vote.rung < len(decision.ladder):
        return None
    rung = decision.ladder[vote.rung]
    return str(rung.get("asked", rung["role"]))


def _stands_in(decision: Decision, vote: Vote, then: Consequence) -> bool:
    return vote.role == _asked(decision, vote) or vote.role in then.above

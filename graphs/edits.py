"""Edits: a reviewer changes what would be done; it is judged again, and somebody else has to sign it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from checkpoints.audit import tell
from checkpoints.cases import Case, get_case
from checkpoints.database import Transaction
from checkpoints.reviews import Decision, Review, ReviewKind, ReviewStatus, get_review
from checkpoints.sealing import Seal, StoredSeal, keep_in, tokens_in
from checkpoints.session import open_session
from checkpoints.votes import Vote, VoteKind, add_vote, votes_on
from graphs.closing import (
    NotEligible,
    close,
    review_event,
    ruling_of,
    sealed_words,
    unfit,
    workflow_of,
)
from graphs.electorate import Electorate
from graphs.judging import case_state, judge_on
from graphs.wiring import Parts
from nodes.action import Proposal, differences
from nodes.edits import edited, patch_to
from nodes.gateway import MOST_REVISIONS
from nodes.judge import Judgement
from nodes.permissions import Eligibility, Principal
from nodes.rules import Outcome
from nodes.sealing import sealed
from nodes.shapes import Json
from tools.contract import Arguments
from tools.money import Money


class EditUnfit(Exception):
    """The edited arguments are not what the tool takes."""

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class EditRefused(Exception):
    """The rules would not have the action as it was edited; nothing was changed."""


class TooManyEdits(Exception):
    """This action has been revised too often: reject it instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What an edit would come to.

    Attributes:
        changes: `[{field, before, after}]` of the arguments.
        patch: the steps of the edit, the personal values in them sealed.
        judgement: what the rules say to the edited action.
        eligibility: whether the editor's own limit covers it.
    """

    review: Review
    changes: tuple[Json, ...]
    patch: tuple[Json, ...]
    judgement: Judgement
    eligibility: Eligibility
    seal: Seal


@dataclass(frozen=True, slots=True)
class Edits:
    """Previews and commits edits."""

    parts: Parts

    async def preview(self, review_id: str, patch: Sequence[Json], principal: Principal) -> Preview:
        """What this edit would change, what the rules say to it, and who would have to sign it.

        Raises:
            ReviewNotFound.
            WorkflowNotInstalled: there is nobody to judge it.
            PatchUnfit: the patch does not fit the arguments.
            EditUnfit: the result is not what the tool takes.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id)
            ruling_of(self.parts, review)
            case, votes = await get_case(tx, review.case_id), await votes_on(tx, review_id)
            seal = StoredSeal.within(tx, case.id, case.sealing_key, self.parts.clock)
            plain = await seal.opened(review.action["arguments"])
        fitted = self._fitting(review, plain | edited(plain, patch))
        before = review.action["arguments"]
        steps = _sealed_patch(before, sealed(fitted, seal, review.tool), patch)
        values = edited(before, steps)
        vote = self._vote(review, steps, principal)
        judgement = await self._judged(case, review, values, [*votes, vote], seal)
        async with self.parts.database.transaction() as tx:
            amount = self._amount(review, before | values)
            found = await Electorate(self.parts).eligibility(tx, review, principal, amount=amount)
        changes = tuple(differences(before, before | values, "arguments."))
        return Preview(
            review=review,
            changes=changes,
            patch=tuple(steps),
            judgement=judgement,
            eligibility=found,
            seal=seal,
        )

    async def commit(
        self, review_id: str, digest: str, patch: Sequence[Json], comment: str, principal: Principal
    ) -> Review:
        """Put the edited action in the place of the reviewed one: earlier votes fall, others sign it anew.

        Raises:
            ReviewNotFound, WorkflowNotInstalled, PatchUnfit, EditUnfit, EditRefused, TooManyEdits, and
            whatever keeps somebody from deciding the review; refusals of a person are on the record.
        """
        preview = await self.preview(review_id, patch, principal)
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = await self._refusal(tx, review, digest, preview, principal)
            if refusal is None:
                words = await sealed_words(tx, self.parts, review, comment)
                vote = replace(self._vote(review, preview.patch, principal), comment=words)
                await keep_in(tx, preview.seal)
                await self._put(tx, vote, preview)
                return await get_review(tx, review_id)
            why = {"why": type(refusal).__name__, "message": str(refusal), "vote_kind": VoteKind.EDIT}
            await tell(tx, review_event(self.parts, review, "vote.denied", principal.actor, **why))
        raise refusal

    async def _refusal(
        self, tx: Transaction, review: Review, digest: str, preview: Preview, principal: Principal
    ) -> Exception | None:
        if (refusal := await unfit(tx, self.parts, review, principal, digest)) is not None:
            return refusal
        amount = self._amount(review, preview.judgement.action.get("arguments") or review.action["arguments"])
        found = await Electorate(self.parts).eligibility(tx, review, principal, amount=amount)
        if not found.allowed:
            return NotEligible(found.why)
        if review.kind is not ReviewKind.GATE:
            return EditRefused("what has been done cannot be edited any more")
        verdict = preview.judgement.verdict
        if verdict.outcome in {Outcome.REFUSE, Outcome.INVESTIGATE}:
            return EditRefused(f"the rules would say {verdict.outcome}: {verdict.then.reason}")
        return TooManyEdits() if int(review.action["revision"]) >= MOST_REVISIONS else None

    async def _put(self, tx: Transaction, vote: Vote, preview: Preview) -> None:
        by, review = preview.eligibility, preview.review
        vote = replace(vote, id=self.parts.ids(), humans=list(by.humans))
        vote = replace(vote, role=by.role, on_behalf_of=by.on_behalf_of, delegation=by.delegation)
        await add_vote(tx, vote)
        names = ("role", "on_behalf_of", "delegation", "humans", "digest", "patch", "comment")
        told: Json = {"vote": vote.id, "vote_kind": vote.kind} | {name: getattr(vote, name) for name in names}
        told |= {"changes": list(preview.changes), "outcome": preview.judgement.verdict.outcome}
        await tell(tx, review_event(self.parts, review, "vote.cast", vote.person, **told))
        await close(tx, self.parts, review, ReviewStatus.SUPERSEDED, vote.person)

    async def _judged(
        self, case: Case, review: Review, values: Json, votes: Sequence[Vote], seal: Seal
    ) -> Judgement:
        """The edited action as it will be judged, as if the edit were on record."""
        base = workflow_of(self.parts, review)
        workflow = await self.parts.rulebook.workflow(base, case.rules)
        as_if = Decision(
            status=ReviewStatus.SUPERSEDED,
            action=review.action,
            digest=review.digest,
            shown=review.shown,
            ladder=review.ladder,
            votes=tuple(votes),
        )
        async with open_session(self.parts.database.engine) as session:
            session.waiting.update(seal.waiting)
            sealing = session.seal(case.id, case.sealing_key, self.parts.clock)
            judge = judge_on(self.parts, workflow, session, sealing)

            async def decided(review_id: str) -> Decision | None:
                return as_if if review_id == review.id else await judge.decided(review_id)

            proposal = Proposal.from_json(review.shown["proposal"]).with_literals(values)
            return await replace(judge, decided=decided).judge(case_state(case), proposal)

    def _fitting(self, review: Review, arguments: Json) -> Arguments:
        try:
            return self.parts.registry.describe(review.tool).arguments.model_validate(arguments)
        except ValidationError as error:
            fields = [
                {"field": ".".join(map(str, item["loc"])) or "arguments", "problem": item["msg"]}
                for item in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            raise EditUnfit("the edited arguments are not what the tool takes", fields) from error

    def _amount(self, review: Review, arguments: Json) -> Money | None:
        return ruling_of(self.parts, review).money(arguments)

    def _vote(self, review: Review, patch: Sequence[Json], principal: Principal) -> Vote:
        steps: list[dict[str, Any]] = [dict(step) for step in patch]
        return Vote(
            id="preview",
            review_id=review.id,
            person=principal.actor,
            humans=[principal.eyes],
            role=None,
            kind=VoteKind.EDIT,
            digest=review.digest,
            comment=None,
            patch=steps,
            voted_at=self.parts.clock(),
        )


def _sealed_patch(before: Json, after: Json, patch: Sequence[Json]) -> list[Json]:
    """The patch as it is kept: as it came, or by whole arguments where any of them is personal."""
    return patch_to(before, after) if tokens_in(after) else [dict(step) for step in patch]

"""What people signed, held against what would run now: the review's row counts, never what the state says."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from checkpoints.canonical import digest
from checkpoints.grants import Grant
from checkpoints.reviews import Decision, ReviewStatus
from checkpoints.votes import APPROVING
from nodes.action import differences
from nodes.execution import End, Execution
from nodes.facts import moved
from nodes.judge import GRANT_LIFE, Judgement
from nodes.shapes import Json
from nodes.workflow import Workflow


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A review of a proposal as it stands, and the grant that its approval gave."""

    decision: Decision
    grant: Grant | None

    def refusal(self) -> Execution | None:
        """Why nothing may run on this review, whatever the rules say by now; None if it was approved."""
        if self.decision.status is not ReviewStatus.APPROVED:
            return Execution(end=End.BLOCKED, reason=f"review_{self.decision.status}")
        if self.grant is None:
            return Execution(end=End.BLOCKED, reason="grant_missing")
        signed = {digest(self.decision.action), self.grant.digest}
        signed |= {vote.digest for vote in self.decision.votes if vote.kind in APPROVING}
        if signed != {self.decision.digest}:
            return Execution(end=End.BLOCKED, reason="signed_something_else")
        return None

    def objection(
        self, judgement: Judgement, shown: Json, workflow: Workflow, now: datetime
    ) -> Execution | None:
        """What the judgement of now has against an approved action; None if that is what was signed."""
        grant = self.grant
        assert grant is not None, "an approval without a grant is refused before"
        if grant.expires_at <= now or grant.issued_at + GRANT_LIFE < grant.expires_at:
            return Execution(end=End.CHANGED, reason="grant_expired")
        if self._held(grant, judgement.verdict.then.hold, now):
            return Execution(end=End.BLOCKED, reason="grant_not_usable_yet")
        if grant.used_at is not None:
            return Execution(end=End.BLOCKED, reason="grant_used")
        if judgement.digest != grant.digest:
            changes = differences(grant.action, judgement.action)
            return Execution(end=End.CHANGED, reason="action_changed", changes=tuple(changes))
        ruling = workflow.rulings[judgement.proposal.tool]
        shown = self.decision.shown.get("facts", shown)  # what people saw, whatever the state says by now
        if facts := moved(shown, judgement.facts, ruling.facts.drifting):
            changes = [{"field": f"facts.{name}", **change} for name, change in facts.items()]
            return Execution(end=End.CHANGED, reason="facts_changed", changes=tuple(changes))
        return None

    def _held(self, grant: Grant, hold: timedelta, now: datetime) -> bool:
        """Whether a hold goes on: as the rules have it, whatever was written into the row.

        Without one nothing is waited for, for whoever decided may have a clock that is ahead of ours.
        """
        by_row = grant.usable_from is not None and grant.usable_from > now
        return by_row or (hold > timedelta() and grant.issued_at + hold > now)

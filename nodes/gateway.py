"""The gateway: the only way out. It trusts no state, looks up the grant itself, and writes before it acts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from checkpoints.audit import Event
from checkpoints.effects import EffectRow, EffectState, SessionLedger
from checkpoints.errors import GrantUnusable, Halted, LimitReached
from checkpoints.grants import Grant
from checkpoints.reviews import SessionReviews
from checkpoints.usage import Spender
from nodes.action import Proposal
from nodes.calling import Calling, Tell
from nodes.execution import End, Execution
from nodes.judge import Judge, Judgement
from nodes.limits import spending
from nodes.reversing import needs_people
from nodes.rules import Outcome
from nodes.shapes import Json
from nodes.signature import Signature
from nodes.signers import Signers, asked_by
from tools.breakers import ConnectorRests
from tools.contract import ToolError
from tools.registry import Capability, Registry

MOST_REVISIONS = 8
"""How often a wish is judged anew, for facts that moved or people who edited it, before it is blocked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """Executes proposals of one case, on the segment's session."""

    judge: Judge
    registry: Registry
    capability: Capability
    ledger: SessionLedger
    reviews: SessionReviews
    signers: Signers
    calling: Calling
    clock: Callable[[], datetime]
    ids: Callable[[], str]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def execute(self, case: Json, proposal: Proposal, shown: Json, tell: Tell) -> Execution:
        """Run a proposal if the rules allow it now, or people granted exactly this action.

        Args:
            case: the case as its row has it.
            proposal: what to run.
            shown: the facts the verdict relied on, by name; compared with those read now.
            tell: makes the events of this task.
        """
        if proposal.case_id != case["id"]:
            return Execution(end=End.BLOCKED, reason="proposal_of_another_case")
        known = await self.ledger.effect(proposal.key)
        if known is not None:
            return await self.calling.go_on(known, tell)
        signature = await self._signature(proposal)
        if signature is not None and (refusal := signature.refusal()):
            return refusal
        if self.registry.rests(proposal.tool):
            return Execution(end=End.BLOCKED, reason=ConnectorRests.reason)
        async with self._alone(proposal, self._windows(case, proposal)):
            return await self._judged(case, proposal, signature, shown, tell)

    async def _signature(self, proposal: Proposal) -> Signature | None:
        decision = await self.reviews.decision(proposal.review_id)
        if decision is None:
            return None
        return Signature(
            decision=decision, grant=await self.ledger.grant_for(proposal.case_id, proposal.review_id)
        )

    def _windows(self, case: Json, proposal: Proposal) -> list[str]:
        """The windows over the records of other systems: what is done inside counts for the next."""
        ruling = self.judge.workflow.rulings.get(proposal.tool)
        return ruling.keys(case["event"]) if ruling else []

    def _agents_window(self, proposal: Proposal) -> list[str]:
        """The window of our own ledger, in which a deed counts as soon as it is intended."""
        ruling = self.judge.workflow.rulings.get(proposal.tool)
        return [proposal.proposer] if ruling and ruling.agent_window else []

    @asynccontextmanager
    async def _alone(self, proposal: Proposal, windows: list[str]) -> AsyncIterator[None]:
        """Alone on these windows."""
        async with AsyncExitStack() as held:
            for key in windows:
                await held.enter_async_context(self.ledger.alone(f"{proposal.tool}:{key}"))
            yield

    async def _judged(
        self, case: Json, proposal: Proposal, signature: Signature | None, shown: Json, tell: Tell
    ) -> Execution:
        grant = signature.grant if signature else None
        # In turn: what one lane of the case begins, the next one finds in the ledger.
        async with self.turn, self._alone(proposal, self._agents_window(proposal)):
            judgement = await self.judge.judge(case, proposal, grant.expires_at if grant else None)
            obstacle = await self._obstacle(judgement, signature, shown, case)
            obstacle = obstacle or await self._unready(proposal) or self._resting(proposal)
            if obstacle is None:
                begun = await self._begin(judgement, grant or self._automatic(judgement), tell)
        if obstacle is None:
            return begun if isinstance(begun, Execution) else await self.calling.call(begun, tell)
        # Perhaps in the way only because another execution has begun this very deed meanwhile.
        known = await self.ledger.effect(proposal.key)
        if known is not None:
            return await self.calling.go_on(known, tell)
        return replace(obstacle, judgement=judgement.to_json())

    async def _obstacle(
        self, judgement: Judgement, signature: Signature | None, shown: Json, case: Json
    ) -> Execution | None:
        match judgement.verdict.outcome:
            case Outcome.REFUSE | Outcome.INVESTIGATE:
                return Execution(end=End.BLOCKED, reason=judgement.verdict.then.reason)
            case Outcome.REVIEW if signature is None:
                return Execution(end=End.CHANGED, reason="needs_people")
            case Outcome.ALLOW if signature is None:
                if needs_people(self.registry.describe(judgement.proposal.tool)):
                    return Execution(end=End.BLOCKED, reason="irreversible_needs_people")
                if await self.reviews.turned_down(str(case["id"]), judgement.proposal.tool):
                    return Execution(end=End.BLOCKED, reason="turned_down_in_this_case")
            case Outcome.ALLOW | Outcome.REVIEW:
                pass
        workflow = self.judge.workflow
        if signature:
            objection = signature.objection(judgement, shown, workflow, self.clock())
            objection = objection or await self._people(judgement, signature, case)
            if objection:
                return objection
        return await self._already_done(judgement)

    async def _people(self, judgement: Judgement, signature: Signature, case: Json) -> Execution | None:
        review_id, workflow = judgement.proposal.review_id, self.judge.workflow
        why = await self.signers.objection(review_id, signature.decision, judgement, workflow, asked_by(case))
        return Execution(end=End.CHANGED, reason=why) if why else None

    async def _already_done(self, judgement: Judgement) -> Execution | None:
        arguments = judgement.action["arguments"]
        ruling = self.judge.workflow.rulings[judgement.proposal.tool]
        for effect in await self.ledger.effects(judgement.proposal.case_id):
            same = effect.tool == judgement.proposal.tool and ruling.same_deed(effect.arguments, arguments)
            if same and effect.state is not EffectState.FAILED:
                return Execution(end=End.BLOCKED, reason="already_done_in_this_case")
        return None

    async def _unready(self, proposal: Proposal) -> Execution | None:
        """Whether the tool could not be called now: then nothing is begun."""
        try:
            await self.registry.ready(self.capability, proposal.tool)
        except ToolError as failure:
            return Execution(end=End.BLOCKED, reason=failure.reason)
        return None

    def _resting(self, proposal: Proposal) -> Execution | None:
        """Whether the connector is left alone: then nothing is begun, rather than begun and failed."""
        try:
            self.registry.begin(proposal.tool)
        except ConnectorRests as rests:
            return Execution(end=End.BLOCKED, reason=rests.reason)
        return None

    def _automatic(self, judgement: Judgement) -> Grant:
        now = self.clock()
        return Grant(
            id=self.ids(),
            case_id=judgement.proposal.case_id,
            review_id=None,
            proposal_id=judgement.proposal.id,
            digest=judgement.digest,
            action=judgement.action,
            basis={"rules": judgement.action["rules"], "row": judgement.verdict.row},
            issued_at=now,
            expires_at=datetime.fromisoformat(judgement.action["expires_at"]),
        )

    async def _begin(self, judgement: Judgement, grant: Grant, tell: Tell) -> EffectRow | Execution:
        """The deed to call the tool for, or what became of one that was begun before."""
        effect = EffectRow(
            key=judgement.proposal.key,
            case_id=judgement.proposal.case_id,
            grant_id=grant.id,
            proposer=judgement.proposal.proposer,
            tool=judgement.proposal.tool,
            tool_version=judgement.proposal.tool_version,
            arguments=judgement.action["arguments"],
            digest=judgement.digest,
            state=EffectState.INTENDED,
            intended_at=self.clock(),
            undoes=judgement.proposal.undoes or None,
        )
        intent = tell(
            "effect.intended",
            key=effect.key,
            tool=effect.tool,
            grant=grant.id,
            review=grant.review_id,
            basis=grant.basis,
            issued_at=grant.issued_at.isoformat(),
            used_at=effect.intended_at.isoformat(),
            stage="execution",
            **judgement.to_json(),
        )
        try:
            begun = await self._intended(grant, effect, intent, judgement.proposal)
        except GrantUnusable:
            return Execution(end=End.BLOCKED, reason="grant_unusable")
        except Halted:
            return Execution(end=End.HALTED, reason="halted")
        except LimitReached as reached:
            return Execution(end=End.BLOCKED, reason=reached.reason, limit=reached.to_json())
        if begun:
            return effect
        known = await self.ledger.effect(effect.key)
        assert known is not None, "an intent is refused only for a key that has one"
        return await self.calling.go_on(known, tell)

    async def _intended(self, grant: Grant, effect: EffectRow, intent: Event, proposal: Proposal) -> bool:
        workflow = self.judge.workflow
        money = workflow.rulings[proposal.tool].money(effect.arguments)
        spender = Spender(case_id=effect.case_id, workflow=workflow.name, agent=effect.proposer)
        moved = spending(workflow.limits, spender, money, effect.intended_at)
        return await self.ledger.intend(grant, effect, intent, workflow=workflow.name, spending=moved)

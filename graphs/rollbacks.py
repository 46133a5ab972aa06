"""Rollbacks: who may ask for one, what it would undo, and the command that starts it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from checkpoints.cases import UNDER_WAY, Case, Status, get_case, to_thread
from checkpoints.commands import Command, CommandKind, open_commands
from checkpoints.database import Transaction
from checkpoints.effects import effects_of
from checkpoints.reviews import ReviewStatus, list_reviews
from checkpoints.sealing import Seal, keep_in
from graphs.wiring import Parts
from nodes.permissions import CASES, Kind, Principal, Verb
from nodes.rollback_plan import Plan, plan_of

WHY = "rollback.why"
"""The field under which it is sealed why somebody asked."""


class NotAllowedToRollBack(Exception):
    """No role of yours rolls cases back; the attempt is on the record."""


class NotAtRest(Exception):
    """The case is under way, or waits for people: it cannot be rolled back now."""


class PlanStale(Exception):
    """What would be undone is not what you saw any more: look at the plan again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A rollback as it was asked for: its plan, its number in the case, whether it is new and has started."""

    case_id: str
    plan: Plan
    number: int | None = None
    new: bool = False
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Who asks for a rollback, why, when, and with which batch."""

    by: Principal
    why: str
    at: datetime
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Rollbacks:
    """Takes the wish to undo what a case has done."""

    parts: Parts

    async def plan(self, case_id: str, principal: Principal) -> Asked:
        """What a rollback would undo now; raises CaseNotFound, NotAllowedToRollBack."""
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, case_id)
            if may_roll_back(self.parts, case.workflow, principal):
                plan = await self.plan_for(tx, case, self.parts.clock())
                return Asked(case_id=case.id, plan=plan, status=case.status)
            await self._deny(tx, principal, case_id)
        raise NotAllowedToRollBack

    async def start(self, case_id: str, why: str, seen: str | None, principal: Principal) -> Asked:
        """Start the rollback of a case; asked for twice, or at once, it is one.

        Args:
            case_id: of which case.
            why: kept sealed.
            seen: the digest of the plan that was seen; None starts whatever the plan is.
            principal: who asks, and so does not sign its reviews.

        Raises:
            CaseNotFound, NotAllowedToRollBack, NotAtRest, PlanStale.
        """
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, case_id, lock=True)
            if may_roll_back(self.parts, case.workflow, principal):
                return await self._started(tx, case, why, seen, principal)
            await self._deny(tx, principal, case_id)
        raise NotAllowedToRollBack

    async def _started(
        self, tx: Transaction, case: Case, why: str, seen: str | None, principal: Principal
    ) -> Asked:
        now = self.parts.clock()
        plan = await self.plan_for(tx, case, now)
        if case.rollback is not None and await self._is_one(tx, case):
            return Asked(case_id=case.id, plan=plan, number=case.rollback["number"], status=case.status)
        if (obstacle := await self.obstacle(tx, case)) is not None:
            raise NotAtRest(obstacle)
        if seen is not None and seen != plan.digest:
            raise PlanStale
        wish = Wish(by=principal, why=why, at=now)
        number = await self.begin(tx, case, plan, wish)
        return Asked(case_id=case.id, plan=plan, number=number, new=True, status=Status.RUNNING)

    async def _is_one(self, tx: Transaction, case: Case) -> bool:
        """Whether the last rollback is under way, or has left nothing to do."""
        return case.status is Status.ROLLED_BACK or await self.obstacle(tx, case) is not None

    async def obstacle(self, tx: Transaction, case: Case) -> str | None:
        """Why a locked case cannot be rolled back now; None if it is at rest."""
        if case.status in {*UNDER_WAY, Status.WAITING_REVIEW, Status.WAITING_INFO}:
            return f"the case is {case.status}"
        if await open_commands(tx, case.id):
            return "the case has work to be done"
        if (await list_reviews(tx, limit=1, status=ReviewStatus.OPEN, case_id=case.id)).items:
            return "a review of the case is open"
        return None

    async def plan_for(self, tx: Transaction, case: Case, at: datetime) -> Plan:
        """What would be undone as of a time."""
        return plan_of(await effects_of(tx, case.id), self.parts.registry, at)

    async def begin(self, tx: Transaction, case: Case, plan: Plan, wish: Wish) -> int:
        """Put a locked case at rest onto a thread of its own, and in line; returns the rollback's number."""
        number = 1 + (case.rollback["number"] if case.rollback else 0)
        seal = Seal(case.id, case.sealing_key, self.parts.clock)
        asked = {
            "number": number,
            "by": wish.by.actor,
            "why": seal.token(WHY, wish.why),
            "at": wish.at.isoformat(),
            "digest": plan.digest,
            "batch": wish.batch,
        }
        await keep_in(tx, seal)
        await to_thread(tx, case.id, asked, wish.at)
        cause = f"rollback:{wish.batch or case.id}:{case.id}:{number}"
        command = Command(
            id=str(uuid5(NAMESPACE_OID, cause)),
            case_id=case.id,
            kind=CommandKind.ROLLBACK,
            dedupe_key=cause,
            payload={"number": number, "digest": plan.digest},
            created_at=wish.at,
            batch=wish.batch,
        )
        await self.parts.queue.enqueue(tx, command)
        told = asked | {"plan": plan.to_json(), "before": {"status": case.status, "reason": case.reason}}
        await tell(tx, self._event("rollback.requested", wish.by, case.id, **told))
        return number

    async def _deny(self, tx: Transaction, principal: Principal, case_id: str) -> None:
        await tell(tx, self._event("rollback.denied", principal, case_id))

    def _event(self, kind: str, principal: Principal, case_id: str | None, **data: Any) -> Event:
        return self.parts.event(kind, principal.actor, data, case_id=case_id)


def may_roll_back(parts: Parts, workflow: str, principal: Principal) -> bool:
    """Whether somebody may ask for rollbacks in a workflow; in one that is not installed nobody may."""
    known = parts.workflows.get(workflow)
    if known is None or principal.kind is not Kind.PERSON:
        return False
    return known.permissions.decide(sorted(principal.roles), Verb.ROLL_BACK, CASES).allowed

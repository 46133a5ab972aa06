"""Ways out of an exception: retry, resolve by hand, cancel, hand over. By people, once, on the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.cases import RESOLVED_BY_HAND, Case, Status, get_case, move_case
from checkpoints.commands import drop_commands
from checkpoints.database import Transaction
from checkpoints.effects import EffectRow, EffectState, deeds_in_doubt, effects_of, settle_by_hand
from checkpoints.errors import ExceptionClosed
from checkpoints.exceptions import Standstill, Way, close_standstill, get_standstill, standstill_of
from checkpoints.reviews import ReviewStatus, decide_review
from checkpoints.sealing import Seal, keep_in
from graphs.closing import review_event
from graphs.standstills import CaseMovedOn, Held, lock_case, set_going, told_of
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal, Verb

WORDS = "exception.words"
"""The field under which what people write about exceptions is sealed."""
OPERATIONS = "operations"
"""Who owns what no workflow's people can mend: broken code, dead workers."""
CANCELLED = "cancelled"

CANCELLABLE = (Status.WAITING_REVIEW, Status.WAITING_INFO, Status.APPROVED)
"""Statuses without an exception in which a case can be cancelled: people have it, or had it a moment ago."""


class Outcome(StrEnum):
    """How a case came to its end outside of its graph."""

    DONE_ELSEWHERE = "done_elsewhere"
    NOT_NEEDED = "not_needed"
    DECLINED = "declined"
    HANDLED_OTHERWISE = "handled_otherwise"


class NotYoursToResolve(Exception):
    """No role of yours finds ways out of this; the attempt is on the record."""


class DeedInDoubt(Exception):
    """A deed of this case was begun and may have been done: look there, then resolve it and say which."""


class NotAnOwner(Exception):
    """Nobody in this workflow looks after cases as this role or team."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """How a case ended by hand.

    Attributes:
        deeds: for each deed in doubt, by key, whether it was done.
        reference: where to find the deed in its system.
    """

    outcome: Outcome
    why: str
    deeds: Mapping[str, bool]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class WaysOut:
    """Lets people out of exceptions; each act is one transaction, whoever else acts at the same time."""

    parts: Parts

    def ways(self, found: Standstill, workflow: str, principal: Principal, *, doubtful: bool) -> list[Way]:
        """The ways out that are open to somebody."""
        if not self.may(workflow, found.owner, principal):
            return []
        retry = [Way.RETRY] if found.retryable else []
        return [*retry, Way.RESOLVE, *([] if doubtful else [Way.CANCEL]), Way.HAND_OVER]

    def may(self, workflow: str, owner: str | None, principal: Principal) -> bool:
        """Whether somebody finds ways out: as whose role owns it, or by a role that resolves the workflow."""
        if principal.kind is not Kind.PERSON:
            return False
        if owner in principal.roles:
            return True
        known = self.parts.workflows.get(workflow)
        held = sorted(principal.roles)
        return known is not None and all(
            known.permissions.decide(held, Verb.RESOLVE, tool).allowed for tool in known.rulings
        )

    async def retry(self, exception_id: str, principal: Principal) -> Standstill:
        """Have the step that could not go on tried again; no deed is repeated that may have been done.

        Raises:
            ExceptionNotFound, ExceptionClosed, NotYoursToResolve, CannotRetry.
        """
        async with self.parts.database.transaction() as tx:
            found, (case, _) = await self._open(tx, exception_id)
            if self.may(case.workflow, found.owner, principal):
                return await set_going(tx, self.parts, found, principal.actor)
            await self._denied(tx, case, Way.RETRY, principal, exception_id)
        raise NotYoursToResolve

    async def resolve(self, exception_id: str, how: Resolution, principal: Principal) -> Standstill:
        """Close a case by hand: what is to be said of it is said by a person, deeds in doubt included.

        Raises:
            ExceptionNotFound, ExceptionClosed, NotYoursToResolve, CaseMovedOn.
            DeedInDoubt: the deeds that are in doubt are not those that the person speaks of.
        """
        async with self.parts.database.transaction() as tx:
            found, held = await self._open(tx, exception_id)
            case = held.case
            if self.may(case.workflow, found.owner, principal):
                why = await self._sealed(tx, case, how.why)
                deeds = await self._settled(tx, case, how, principal)
                told: dict[str, Any] = {"outcome": how.outcome, "why": why, "deeds": deeds}
                by, at = principal.actor, self.parts.clock()
                closed = await close_standstill(tx, found, Way.RESOLVE, by=by, at=at, why=why)
                await tell(tx, self._event(case, "exception.resolved", principal, told_of(found) | told))
                await self._end(tx, held, by, Status.CLOSED, RESOLVED_BY_HAND)
                return closed
            await self._denied(tx, case, Way.RESOLVE, principal, exception_id)
        raise NotYoursToResolve

    async def cancel(self, exception_id: str, why: str, principal: Principal) -> Standstill:
        """Cancel a case out of an exception; nothing of it runs any more.

        Raises:
            ExceptionNotFound, ExceptionClosed, NotYoursToResolve, CaseMovedOn, DeedInDoubt.
        """
        async with self.parts.database.transaction() as tx:
            found, held = await self._open(tx, exception_id)
            case = held.case
            if self.may(case.workflow, found.owner, principal):
                token = await self._cancelled(tx, held, why, principal, **told_of(found))
                by, at = principal.actor, self.parts.clock()
                closed = await close_standstill(tx, found, Way.CANCEL, by=by, at=at, why=token)
                await self._end(tx, held, by, Status.CANCELLED, CANCELLED)
                return closed
            await self._denied(tx, case, Way.CANCEL, principal, exception_id)
        raise NotYoursToResolve

    async def cancel_case(self, case_id: str, why: str, principal: Principal) -> Case:
        """Cancel a case that waits for people; nothing of it runs any more, approved or not.

        Raises:
            CaseNotFound, NotYoursToResolve, CaseMovedOn: it does not wait for people; DeedInDoubt.
        """
        async with self.parts.database.transaction() as tx:
            held = await lock_case(tx, case_id)
            case = held.case
            if self.may(case.workflow, case.owner or self._owner(case), principal):
                await self._require_waiting(tx, case)
                await self._cancelled(tx, held, why, principal)
                await self._end(tx, held, principal.actor, Status.CANCELLED, CANCELLED)
                return await get_case(tx, case_id)
            await self._denied(tx, case, Way.CANCEL, principal, None)
        raise NotYoursToResolve

    async def hand_over(self, exception_id: str, to: str, why: str, principal: Principal) -> Standstill:
        """Give an exception to another role or team.

        Raises:
            ExceptionNotFound, ExceptionClosed, NotYoursToResolve, NotAnOwner.
        """
        async with self.parts.database.transaction() as tx:
            found, (case, _) = await self._open(tx, exception_id)
            if self.may(case.workflow, found.owner, principal):
                self._require_owner(case, to)
                told = {"from": found.owner, "to": to, "why": await self._sealed(tx, case, why)}
                await move_case(tx, case.id, case.status, self.parts.clock(), reason=case.reason, owner=to)
                await tell(tx, self._event(case, "exception.handed_over", principal, told_of(found) | told))
                return await get_standstill(tx, exception_id)
            await self._denied(tx, case, Way.HAND_OVER, principal, exception_id)
        raise NotYoursToResolve

    async def _open(self, tx: Transaction, exception_id: str) -> tuple[Standstill, Held]:
        """An open exception with its case and the reviews that are still open, all locked."""
        found = await get_standstill(tx, exception_id)
        held = await lock_case(tx, found.case_id)
        found = await get_standstill(tx, exception_id, lock=True)
        if found.closed_at is not None:
            by = f"{found.closed_by} ({found.way})"
            raise ExceptionClosed(
                f"this exception is over since {found.closed_at:%Y-%m-%d %H:%M} UTC, by {by}"
            )
        return found, held

    async def _require_waiting(self, tx: Transaction, case: Case) -> None:
        found = await standstill_of(tx, case.id)
        if found is not None:
            raise CaseMovedOn(f"the case is {case.status}: find a way out of exception {found.id}")
        if case.status not in CANCELLABLE:
            raise CaseMovedOn(f"the case is {case.status}: only what waits for people is cancelled")

    async def _cancelled(
        self, tx: Transaction, held: Held, why: str, principal: Principal, **told: Any
    ) -> str:
        """Say that a case is cancelled, which deeds are left as they are, and why; the token of the why."""
        case = held.case
        if doubtful := await deeds_in_doubt(tx, [case.id]):
            raise DeedInDoubt(_unsaid(doubtful))
        token = await self._sealed(tx, case, why)
        done = [one.key for one in await effects_of(tx, case.id) if one.state is EffectState.DONE]
        data = {**told, "was": case.status, "why": token, "done": done}
        await tell(tx, self._event(case, "case.cancelled", principal, data))
        return token

    async def _end(self, tx: Transaction, held: Held, by: str, status: Status, reason: str) -> None:
        """Let a case end here: its open reviews are withdrawn, and what was to be carried out is not."""
        now = self.parts.clock()
        for review in held.reviews:
            await decide_review(tx, review.id, ReviewStatus.SUPERSEDED, now)
            told = {"digest": review.digest, "because": reason}
            await tell(tx, review_event(self.parts, review, "review.superseded", by, **told))
        await drop_commands(tx, held.case.id, reason, now)
        await move_case(tx, held.case.id, status, now, reason=reason)

    async def _settled(
        self, tx: Transaction, case: Case, how: Resolution, principal: Principal
    ) -> dict[str, str]:
        """Write what a person says of each deed in doubt; they must speak of exactly these."""
        doubtful = await deeds_in_doubt(tx, [case.id])
        if {deed.key for deed in doubtful} != set(how.deeds):
            raise DeedInDoubt(_unsaid(doubtful))
        reference = None if how.reference is None else await self._sealed(tx, case, how.reference)
        for deed in doubtful:
            state = EffectState.DONE if how.deeds[deed.key] else EffectState.FAILED
            receipt = {"said_by": principal.actor, "reference": reference} if how.deeds[deed.key] else None
            data = {"key": deed.key, "tool": deed.tool, "receipt": receipt, "how": "by_hand"}
            event = self._event(case, f"effect.{state}", principal, data)
            if not await settle_by_hand(tx, deed.key, state, event, receipt):
                raise CaseMovedOn(f"what became of {deed.tool} has been found out meanwhile")
        return {key: "done" if done else "not_done" for key, done in how.deeds.items()}

    async def _sealed(self, tx: Transaction, case: Case, words: str) -> str:
        seal = Seal(case.id, case.sealing_key, self.parts.clock)
        token = seal.token(WORDS, words)
        await keep_in(tx, seal)
        return token

    async def _denied(
        self, tx: Transaction, case: Case, way: Way, principal: Principal, exception_id: str | None
    ) -> None:
        data = {"exception": exception_id, "way": way.value}
        await tell(tx, self._event(case, "exception.denied", principal, data))

    def _owner(self, case: Case) -> str | None:
        known = self.parts.workflows.get(case.workflow)
        return None if known is None else known.owner

    def _require_owner(self, case: Case, to: str) -> None:
        known = self.parts.workflows.get(case.workflow)
        owners = {OPERATIONS} | (set() if known is None else {known.owner, *known.owners})
        if to not in owners:
            raise NotAnOwner(f"nobody looks after cases as {to!r}; there are {', '.join(sorted(owners))}")

    def _event(self, case: Case, kind: str, principal: Principal, data: Mapping[str, Any]) -> Event:
        return self.parts.event(kind, principal.actor, data, case_id=case.id)


def _unsaid(doubtful: list[EffectRow]) -> str:
    if not doubtful:
        return "no deed of this case is in doubt: there is nothing to say about one"
    named = ", ".join(f"{deed.tool} ({deed.key})" for deed in doubtful)
    return f"say of each deed in doubt whether it was done, and of no other: {named}"

"""Personal data: who sees what is sealed, how it is erased, and how long it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from checkpoints.cases import ENDED, Case, get_case
from checkpoints.database import Transaction
from checkpoints.reviews import Review, ReviewStatus, list_reviews
from checkpoints.sealing import (
    Opening,
    Seal,
    erase,
    keep_in,
    openings,
    openings_of,
    outlived,
    replaced,
    tokens_in,
)
from graphs.wiring import Parts
from nodes.permissions import PERSONAL_DATA, Eligibility, Kind, Principal, Verb

SYSTEM = "system:retention"
WHY = "personal.why"
"""The field under which is sealed why somebody opened or erased something."""
_AT_ONCE = 200


class NotAllowedToSee(Exception):
    """No role of yours opens personal data; the attempt is on the record."""


class NotAllowedToErase(Exception):
    """No role of yours erases personal data; the attempt is on the record."""


class CaseUnderWay(Exception):
    """The case has not ended: what it may still need cannot be erased."""


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Opens and erases what is sealed; every such act is on the record."""

    parts: Parts

    async def shown(
        self,
        tx: Transaction,
        review: Review,
        document: Any,
        principal: Principal,
        *,
        eligibility: Eligibility,
        more: Mapping[str, Opening] | None = None,
    ) -> Any:
        """A document about a review as somebody sees it: opened for those whose work it is.

        That they have seen it is told once for each version of the review.
        """
        clear = self._is_asked(review, principal, eligibility)
        if principal.kind is Kind.PERSON:
            await tell(tx, self._viewed(review, principal, clear=clear))
        return await opened(tx, review.case_id, document, more) if clear else document

    async def unmask(
        self, case_id: str, fields: Sequence[str] | None, why: str, principal: Principal
    ) -> list[Opening]:
        """What is sealed in a case, of all fields or of some; raises CaseNotFound, NotAllowedToSee."""
        told: dict[str, Any] = {"fields": None if fields is None else sorted(fields)}
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, case_id)
            told["why"] = await self.reason(tx, case, why)
            if self.may(case, principal, Verb.UNMASK):
                found = [o for o in await openings_of(tx, case_id) if fields is None or o.field in fields]
                told["commitments"] = [one.commitment for one in found]
                await tell(tx, self._event(case_id, "personal.unmasked", principal.actor, **told))
                return found
            await tell(tx, self._event(case_id, "personal.denied", principal.actor, act="unmask", **told))
        raise NotAllowedToSee

    async def erase(
        self, case_id: str, fields: Sequence[str] | None, why: str, principal: Principal
    ) -> list[tuple[str, str]]:
        """Erase what is sealed in a case that has ended; returns `(token, field)` of each value.

        Raises:
            CaseNotFound, NotAllowedToErase, CaseUnderWay.
        """
        wanted = None if fields is None else sorted(fields)
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, case_id, lock=True)
            allowed = self.may(case, principal, Verb.ERASE)
            if allowed:
                await self._require_ended(tx, case)
                return await self._erased(tx, case_id, wanted, why, principal.actor)
            told = {"fields": wanted, "why": await self.reason(tx, case, why)}
            await tell(tx, self._event(case_id, "personal.denied", principal.actor, act="erase", **told))
        raise NotAllowedToErase

    async def forget(self, keep: Mapping[str, timedelta]) -> int:
        """Erase what is older than it is kept; returns how many values were erased.

        Args:
            keep: by kind of field, a prefix such as `vote.` or `agent.triage.`, how long after it was sealed;
                the empty prefix stands for all others. What has a longer prefix is none of a shorter one's.
        """
        now, done = self.parts.clock(), 0
        for kind, life in keep.items():
            longer = [one for one in keep if one != kind and one.startswith(kind)]
            async with self.parts.database.transaction() as tx:
                old = await outlived(tx, kind, longer, now - life, sorted(ENDED), limit=_AT_ONCE)
                by_case: dict[str, list[str]] = {}
                for case_id, field in old:
                    by_case.setdefault(case_id, []).append(field)
                for case_id, fields in by_case.items():
                    case = await get_case(tx, case_id, lock=True)
                    if case.status in ENDED and not await _is_reviewed(tx, case_id):
                        why = f"kept for {life.days} days"
                        done += len(await self._erased(tx, case_id, fields, why, SYSTEM))
        return done

    async def _require_ended(self, tx: Transaction, case: Case) -> None:
        if case.status not in ENDED:
            raise CaseUnderWay(f"the case is {case.status}: what it may still need cannot be erased")
        if await _is_reviewed(tx, case.id):
            raise CaseUnderWay("a review of the case is open: people still need what it shows")

    async def _erased(
        self, tx: Transaction, case_id: str, fields: list[str] | None, why: str, by: str
    ) -> list[tuple[str, str]]:
        now, key = self.parts.clock(), self.parts.secret()
        seal = Seal(case_id, key, self.parts.clock)  # by the key of afterwards: it outlives what is erased
        said = why if by == SYSTEM else seal.token(WHY, why)
        gone = await erase(tx, case_id, fields, by=by, why=said, at=now, key=key)
        if gone:
            await keep_in(tx, seal)
            told = {"fields": sorted({field for _, field in gone}), "why": said}
            values = [token for token, _ in gone]
            await tell(tx, self._event(case_id, "personal.erased", by, values=values, **told))
        return gone

    async def reason(self, tx: Transaction, case: Case, why: str) -> str:
        """Why somebody opens or erases something, put apart like all that people write."""
        seal = Seal(case.id, case.sealing_key, self.parts.clock)
        token = seal.token(WHY, why)
        await keep_in(tx, seal)
        return token

    def may(self, case: Case, principal: Principal, verb: Verb) -> bool:
        """Whether somebody may, by the case's workflow; where that is gone, by all that are there."""
        all_of_them = self.parts.workflows
        asked = [all_of_them[case.workflow]] if case.workflow in all_of_them else all_of_them.values()
        held = sorted(principal.roles) if principal.kind is Kind.PERSON else []
        return all(one.permissions.decide(held, verb, PERSONAL_DATA).allowed for one in asked)

    def _is_asked(self, review: Review, principal: Principal, eligibility: Eligibility) -> bool:
        """Whether a review is somebody's work: by their own role, by a delegation, or by one above."""
        roles = {rung[name] for rung in review.ladder for name in ("role", "asked") if name in rung}
        return eligibility.allowed or bool(principal.roles & (roles | set(review.roles)))

    def _viewed(self, review: Review, principal: Principal, *, clear: bool) -> Event:
        name = f"viewed/{review.id}/{review.version}/{principal.actor}/{clear}"
        return Event(
            id=str(uuid5(NAMESPACE_OID, name)),
            case_id=review.case_id,
            kind="review.viewed",
            actor=principal.actor,
            at=self.parts.clock(),
            data={
                "review": review.id,
                "version": review.version,
                "digest": review.digest,
                "shown": review.shown.get("digest"),
                "clear": clear,
            },
        )

    def _event(self, case_id: str, kind: str, actor: str, **data: Any) -> Event:
        return self.parts.event(kind, actor, data, case_id=case_id)


async def opened(
    tx: Transaction, case_id: str, document: Any, more: Mapping[str, Opening] | None = None
) -> Any:
    """The document with what is sealed of this case in clear; what was erased says so.

    `more` is what was sealed and is stored nowhere yet, as in a preview.
    """
    tokens = tokens_in(document)
    known = {**(more or {}), **await openings(tx.driver, [case_id], tokens)}
    return replaced(document, lambda token: in_words(known[token]) if token in known else token)


async def _is_reviewed(tx: Transaction, case_id: str) -> bool:
    return bool((await list_reviews(tx, limit=1, status=ReviewStatus.OPEN, case_id=case_id)).items)


def in_words(opening: Opening) -> Any:
    """What stands behind a commitment, or when and by whom it was erased."""
    if opening.erased_at is None:
        return opening.value
    return f"[erased on {opening.erased_at:%Y-%m-%d} by {opening.erased_by}]"

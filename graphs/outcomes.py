"""Outcomes: what became of a case later, as people and systems outside tell it. Nothing is changed by it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell, timeline
from checkpoints.cases import Case, get_case
from checkpoints.database import Transaction
from checkpoints.effects import effects_of
from checkpoints.sealing import Seal, keep_in
from graphs.wiring import Parts
from nodes.permissions import Principal

KIND = "case.outcome"
NOTE = "outcome.note"
"""The field under which what is written about an outcome is sealed."""
_MOST = 1000


class EffectUnknown(Exception):
    """No deed of this case has this key."""


class TooManyOutcomes(Exception):
    """More has become of this case than is ever told of one: something repeats itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What somebody saw becoming of a case.

    Attributes:
        code: such as `refund_reversed`, `ticket_reopened`, `chargeback`.
        effect: the key of the deed that it is about.
        id: the sender's own; the same one again is the same outcome.
    """

    code: str
    observed_at: datetime
    effect: str | None = None
    note: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Puts outcomes on the record."""

    parts: Parts

    async def observe(self, case_id: str, seen: Observed, principal: Principal) -> tuple[str, bool]:
        """Tell an outcome; returns its event's id, and whether it is new.

        Raises:
            CaseNotFound, EffectUnknown, TooManyOutcomes.
        """
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, case_id, lock=True)
            name = f"outcome/{case_id}/{principal.actor}/{seen.id}"
            event_id = self.parts.ids() if seen.id is None else str(uuid5(NAMESPACE_OID, name))
            told = await timeline(tx, case_id, limit=_MOST, kinds=(KIND,))
            if any(row["id"] == event_id for row in told):
                return event_id, False
            if len(told) == _MOST:
                raise TooManyOutcomes
            if seen.effect not in {None, *(effect.key for effect in await effects_of(tx, case_id))}:
                raise EffectUnknown
            data = await self._data(tx, case, seen)
            await tell(tx, self._event(event_id, case_id, principal, data))
            return event_id, True

    async def _data(self, tx: Transaction, case: Case, seen: Observed) -> dict[str, Any]:
        seal = Seal(case.id, case.sealing_key, self.parts.clock)
        note = None if seen.note is None else seal.token(NOTE, seen.note)
        await keep_in(tx, seal)
        at = seen.observed_at.astimezone(UTC).isoformat()
        return {"code": seen.code, "observed_at": at, "effect": seen.effect, "note": note, "id": seen.id}

    def _event(self, event_id: str, case_id: str, principal: Principal, data: dict[str, Any]) -> Event:
        return Event(
            id=event_id, case_id=case_id, kind=KIND, actor=principal.actor, at=self.parts.clock(), data=data
        )

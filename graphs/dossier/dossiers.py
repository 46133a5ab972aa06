"""Dossiers of cases: gathered from the database; that one was made is on the record, beside its case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.audit_proofs import first_head_over, prove_inclusions
from checkpoints.audit_tree import grow_tree
from checkpoints.case_events import Placed, placed_events, shown_in
from checkpoints.cases import get_case
from checkpoints.database import Transaction
from checkpoints.errors import NotInTheTree
from checkpoints.sealing import Opening, openings_of
from graphs.dossier.shapes import Dossier, Entry, HeadOfLog, OpenedValue, ToldEvent
from graphs.personal import NotAllowedToSee, PersonalData
from graphs.wiring import Parts
from nodes.permissions import Principal, Verb
from nodes.shapes import Json

EXPORTED = "case.exported"


@dataclass(frozen=True, slots=True)
class Dossiers:
    """Makes dossiers; two of the same case are equal byte for byte as long as nothing more is told of it."""

    parts: Parts

    async def of(self, case_id: str, principal: Principal) -> Dossier:
        """The dossier of a case with its personal values sealed; raises CaseNotFound, NotInTheTree."""
        await self._grow()
        async with self.parts.database.transaction() as tx:
            await get_case(tx, case_id)
            made = await self._gathered(tx, case_id)
            await tell(tx, self._event(EXPORTED, principal, case=case_id, unmasked=False))
        return made

    async def unmasked(self, case_id: str, why: str, principal: Principal) -> Dossier:
        """The dossier with what its tokens stand for; raises CaseNotFound, NotAllowedToSee."""
        await self._grow()
        async with self.parts.database.transaction() as tx:
            case, personal = await get_case(tx, case_id), PersonalData(self.parts)
            made = await self._gathered(tx, case_id)  # before the reason is sealed, or it would be in it
            said = await personal.reason(tx, case, why)
            if personal.may(case, principal, Verb.UNMASK):
                made = _opened(made, await openings_of(tx, case_id))
                told = {"unmasked": True, "why": said, "values": [one.token for one in made.openings or ()]}
                await tell(tx, self._event(EXPORTED, principal, case=case_id, **told))
                return made
            await tell(tx, self._event("personal.denied", principal, case=case_id, act="export", why=said))
        raise NotAllowedToSee

    async def _grow(self) -> None:
        """Let all that was told so far come under a signed head."""
        async with self.parts.database.connection() as connection:
            while await grow_tree(connection, self.parts.clock, self.parts.signer):
                pass

    async def _gathered(self, tx: Transaction, case_id: str) -> Dossier:
        placed = await placed_events(tx, case_id)
        opened = {one.event.data["review"] for one in placed if one.event.kind == "review.opened"}
        shown = await shown_in(tx, case_id)
        head = await first_head_over(tx, _last(placed))
        note, key = head.note, str(self.parts.signer.key)
        return Dossier(
            case=case_id,
            events=await _entries(tx, placed, head.size),
            shown={name: _beside(shown[name]) for name in sorted(opened & shown.keys())},
            head=HeadOfLog(size=head.size, root=head.root.hex(), note=note, key=key),
        )

    def _event(self, kind: str, principal: Principal, **data: Any) -> Event:
        """An event that is none of the case's own, or each export would change the next."""
        return Event(
            id=self.parts.ids(),
            case_id=None,
            kind=kind,
            actor=principal.actor,
            at=self.parts.clock(),
            data=data,
        )


def _last(placed: Sequence[Placed]) -> int:
    """The index of a case's last event; raises NotInTheTree while one of them still waits."""
    places = [one.index for one in placed]
    if not places or None in places:
        raise NotInTheTree
    return max(place for place in places if place is not None)


async def _entries(tx: Transaction, placed: Sequence[Placed], size: int) -> list[Entry]:
    proofs = await prove_inclusions(tx, [one.event.id for one in placed], size)
    return [
        Entry(
            event=ToldEvent(**one.event.to_json()),
            index=proof.index,
            proof=[beside.hex() for beside in proof.path],
        )
        for one, proof in zip(placed, proofs, strict=True)
    ]


def _beside(shown: Json) -> Json:
    """What was shown, without its own digest."""
    return {name: told for name, told in shown.items() if name != "digest"}


def _opened(dossier: Dossier, found: Sequence[Opening]) -> Dossier:
    """The dossier with the openings of what stands in it, and of nothing else that is sealed in the case."""
    there = [_opening(one) for one in found if one.token in dossier.tokens]
    return dossier.model_copy(update={"openings": there})


def _opening(one: Opening) -> OpenedValue:
    return OpenedValue(
        token=one.token,
        field=one.field,
        salt=one.salt,
        value=one.value,
        sealed_at=_text(one.sealed_at),
        erased_at=None if one.erased_at is None else _text(one.erased_at),
        erased_by=one.erased_by,
        erased_why=one.erased_why,
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()

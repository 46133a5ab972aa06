"""/cases/{id}/unmask and /erasure: opening what is sealed in a case, and erasing it for ever."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.shapes import Shape
from api.vote_bodies import Strict, Words
from graphs.personal import PersonalData

router = APIRouter(tags=["personal data"])

FieldNames = Annotated[
    list[Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,120}$")]], Field(min_length=1, max_length=100)
]


class PersonalIn(Strict):
    """Which fields of a case, all of them if none are named, and why."""

    fields: FieldNames | None = None
    why: Words


class SealedOut(Shape):
    """One sealed value; `token` is what stands for it everywhere else, `salt` proves it.

    An erased one has neither value nor salt, and says when, by whom and why.
    """

    token: str
    field: str
    value: Any
    salt: str | None
    sealed_at: datetime
    erased_at: datetime | None
    erased_by: str | None
    erased_why: str | None


class UnmaskedOut(Shape):
    """What is sealed in a case."""

    values: list[SealedOut]


class ErasedOut(Shape):
    """What was erased: `fields` by name, `values` by token."""

    fields: list[str]
    values: list[str]


@router.post("/cases/{case_id}/unmask", dependencies=[Depends(require_json)])
async def unmask_case(parts: TheParts, caller: Caller, case_id: Id, wanted: PersonalIn) -> UnmaskedOut:
    """Open what is sealed in a case; who did, which fields and why is on the record."""
    found = await PersonalData(parts).unmask(case_id, wanted.fields, wanted.why, caller)
    return UnmaskedOut(values=[SealedOut.model_validate(opening) for opening in found])


@router.post("/cases/{case_id}/erasure", dependencies=[Depends(require_json)])
async def erase_in_case(parts: TheParts, caller: Caller, case_id: Id, wanted: PersonalIn) -> ErasedOut:
    """Erase what is sealed in a case that has ended; proofs still hold, and the record says what is gone."""
    gone = await PersonalData(parts).erase(case_id, wanted.fields, wanted.why, caller)
    return ErasedOut(fields=sorted({field for _, field in gone}), values=[token for token, _ in gone])

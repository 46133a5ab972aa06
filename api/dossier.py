"""/cases/{id}/dossier: a case in one self-contained document, sealed or in clear."""

from fastapi import APIRouter, Depends, Response

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.vote_bodies import Strict, Words
from graphs.dossier.dossiers import Dossiers
from graphs.dossier.shapes import Dossier

router = APIRouter(tags=["record"])


class ClearIn(Strict):
    """Why personal values are to be in clear."""

    why: Words


@router.get("/cases/{case_id}/dossier", response_model=Dossier)
async def get_dossier(parts: TheParts, caller: Caller, case_id: Id) -> Response:
    """The dossier of a case, byte for byte the same as long as nothing more is told of it."""
    return _file(await Dossiers(parts).of(case_id, caller))


@router.post("/cases/{case_id}/dossier", response_model=Dossier, dependencies=[Depends(require_json)])
async def unmask_dossier(parts: TheParts, caller: Caller, case_id: Id, wanted: ClearIn) -> Response:
    """The dossier with personal values in clear; who asked for it and why is on the record."""
    return _file(await Dossiers(parts).unmasked(case_id, wanted.why, caller))


def _file(dossier: Dossier) -> Response:
    """The bytes as they are: through another serializer they would not be those that are hashed."""
    headers = {"Cache-Control": "no-store"}
    return Response(dossier.to_bytes(), media_type="application/json", headers=headers)

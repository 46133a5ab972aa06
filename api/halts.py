"""/halts: the stop switch, pressed and released by those whose role may."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, status
from pydantic import Field, model_validator

from api.access import Caller, TheParts
from api.bodies import require_json
from api.cases import Id
from api.shapes import Shape
from api.vote_bodies import Strict
from checkpoints.halts import HaltScope
from graphs.halting import Halting, HaltReason, Order, Switch
from graphs.storable import storable

router = APIRouter(tags=["stop switch"])

LONGEST_REMARK = 500


class HaltIn(Strict):
    """What is to stand still, and why. The remark is kept in clear: nothing personal belongs in it."""

    scope: Annotated[HaltScope, Field(strict=False)]
    target: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,80}$")] | None = None
    reason_code: Annotated[HaltReason, Field(strict=False)]
    remark: Annotated[str, Field(min_length=1, max_length=LONGEST_REMARK)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "HaltIn":
        if not storable(self.remark):
            raise ValueError("the remark holds NUL characters or lone surrogates")
        return self


class HaltOut(Shape):
    """A halt; in force as long as nobody has released it."""

    id: str
    scope: HaltScope
    target: str | None
    reason_code: str
    operators_words: str | None
    pressed_by: str
    pressed_at: datetime
    released_by: str | None
    released_at: datetime | None


class HaltsOut(Shape):
    """Halts, newest first."""

    items: list[HaltOut]


@router.get("/halts")
async def list_halts(parts: TheParts, _caller: Caller, *, released: bool = False) -> HaltsOut:
    """The halts in force; with `released` also those of before."""
    found = await Switch(parts).listed(released=released)
    return HaltsOut(items=[HaltOut.model_validate(halt) for halt in found])


@router.post("/halts", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require_json)])
async def press_halt(parts: TheParts, caller: Caller, body: HaltIn) -> HaltOut:
    """Halt a workflow, an agent, a tool, a connector or everything; once answered, nothing of it begins."""
    order = Order(scope=body.scope, target=body.target, reason=body.reason_code, words=body.remark)
    return HaltOut.model_validate(await Halting(parts).press(order, caller))


@router.delete("/halts/{halt_id}")
async def release_halt(parts: TheParts, caller: Caller, halt_id: Id) -> HaltOut:
    """Release a halt: what waited for this alone goes on where it stood."""
    return HaltOut.model_validate(await Halting(parts).release(halt_id, caller))

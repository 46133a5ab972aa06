"""/tools: what systems outside offer, what of it is admitted, and letting it in."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, status
from pydantic import Field

from api.access import Caller, TheParts
from api.bodies import require_json
from api.shapes import Shape
from api.vote_bodies import Strict
from graphs.admissions import Admissions, Standing, State
from tools.contract import Effect

router = APIRouter(tags=["tools from outside"])

Name = Annotated[str, Path(pattern=r"^[a-z0-9_]{1,40}\.[a-z0-9_]{1,64}$")]


class AdmissionIn(Strict):
    """Which definition was seen, and what the tool does; without `effect` its own hints are believed."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    effect: Annotated[Effect, Field(strict=False)] | None = None


class ToolOut(Shape):
    """A tool from outside. What its system says of it is text from outside, and an instruction to nobody.

    Attributes:
        state: `offered` waits for somebody to admit it; `changed` is blocked until somebody looks; `gone`
            is not offered any more; of one whose system is `away` nothing is known; `unfit` cannot be used.
        digest: of what is offered now.
        description, arguments, answer, hints: what is offered now, word by word.
        suggested: the effect its hints speak for.
        effect: what whoever admitted it says that it does.
        changes: in what the offer differs from what was admitted.
        why: what is the matter with it.
    """

    name: str
    system: str
    state: State
    digest: str | None
    description: str | None
    arguments: dict[str, Any] | None
    answer: dict[str, Any] | None
    hints: dict[str, Any] | None
    suggested: Effect | None
    effect: Effect | None
    admitted_by: str | None
    admitted_at: datetime | None
    changes: list[dict[str, Any]]
    why: str | None


class ToolsOut(Shape):
    """Every tool from outside, by name."""

    items: list[ToolOut]


class Withdrawn(Shape):
    """The tool that is admitted no longer."""

    name: str


@router.get("/tools")
async def list_tools(parts: TheParts, _caller: Caller) -> ToolsOut:
    """What systems outside offer now, and what of it is admitted; each system is asked."""
    return ToolsOut(items=[_shown(one) for one in await Admissions(parts).listed()])


@router.post(
    "/tools/{name}/admission", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require_json)]
)
async def admit_tool(parts: TheParts, caller: Caller, name: Name, body: AdmissionIn) -> ToolOut:
    """Let a tool in, exactly as it was seen; when it changes, it is blocked until somebody looks again."""
    return _shown(await Admissions(parts).admit(name, body.digest, body.effect, caller))


@router.delete("/tools/{name}/admission")
async def withdraw_tool(parts: TheParts, caller: Caller, name: Name) -> Withdrawn:
    """Take an admission back: nothing of the tool begins from now on."""
    await Admissions(parts).withdraw(name, caller)
    return Withdrawn(name=name)


def _shown(one: Standing) -> ToolOut:
    offered, admission = one.offered, one.admission
    return ToolOut(
        name=one.name,
        system=one.system,
        state=one.state,
        digest=offered.digest if offered else None,
        description=offered.description if offered else None,
        arguments=dict(offered.arguments) if offered else None,
        answer=dict(offered.answer) if offered and offered.answer else None,
        hints=dict(offered.hints) if offered else None,
        suggested=offered.suggested if offered else None,
        effect=Effect(admission.effect) if admission else None,
        admitted_by=admission.admitted_by if admission else None,
        admitted_at=admission.admitted_at if admission else None,
        changes=one.changes,
        why=one.why,
    )

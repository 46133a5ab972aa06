"""The records of an undo: what our own ledger knows of the deed that is to be taken back."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from checkpoints.canonical import canonical
from checkpoints.effects import EffectRow, EffectState
from nodes.action import Proposal, Ref
from nodes.records import UnresolvedReference
from nodes.sealing import Sealing
from nodes.shapes import Json
from tools.contract import Record, Reversibility, Tool
from tools.registry import Registry

ROLLBACK = "rule:rollback"
"""Who proposes to take deeds back."""
UNDO, DEED = "undo", "deed"
"""The records' names: the arguments of the undoing tool, and the deed itself."""

FindEffect = Callable[[str], Awaitable[EffectRow | None]]
"""The deed under an idempotency key."""


class Deed(Record):
    """A deed of ours, and until when its tool says that it can be taken back."""

    key: str
    tool: str
    done_at: datetime
    until: datetime


def undo_of(tool: Tool, effect: EffectRow) -> datetime | None:
    """Until when a deed can be taken back by a tool; None if it cannot, or not as the tool is now."""
    if tool.undo is None or tool.reversibility is not Reversibility.REVERSIBLE:
        return None
    if effect.ended_at is None or effect.tool_version != tool.version:
        return None
    return effect.ended_at + tool.undo.window


def undo_proposal(effect: EffectRow, registry: Registry, *, step: str, revision: int) -> Proposal:
    """The wish to take a deed back, every argument by reference to the ledger's own record of it."""
    undo = registry.describe(effect.tool).undo
    assert undo is not None, "only what has an undo is proposed"
    tool = registry.describe(undo.tool)
    return Proposal(
        case_id=effect.case_id,
        step=step,
        revision=revision,
        tool=tool.name,
        tool_version=tool.version,
        arguments={name: Ref(f"{UNDO}.{name}") for name in tool.arguments.model_fields},
        proposer=ROLLBACK,
        reason=f"{effect.tool} is taken back.",
        evidence=(DEED,),
        undoes=effect.key,
    )


async def undo_records(
    case: Json, proposal: Proposal, find: FindEffect, registry: Registry, sealing: Sealing
) -> dict[str, BaseModel]:
    """What the ledger says of the deed that a proposal takes back; nothing for one that takes none back.

    The state says only which deed: it must be done, of this very case, by a tool whose undo is the proposed
    one, and somebody must have asked for a rollback.

    Raises:
        UnresolvedReference: there is no such deed.
        SealBroken: what it was done with has been erased.
    """
    if not proposal.undoes:
        return {}
    effect = await find(proposal.undoes)
    if effect is None or effect.case_id != case["id"] or not case.get("rollback"):
        raise UnresolvedReference("there is no deed of this case to take back")
    tool = registry.describe(effect.tool)
    until = undo_of(tool, effect)
    if tool.undo is None or tool.undo.tool != proposal.tool or until is None:
        raise UnresolvedReference(f"{effect.tool} is not taken back by {proposal.tool}")
    if effect.state is not EffectState.DONE or effect.ended_at is None:
        raise UnresolvedReference(f"the deed is {effect.state}")
    deed = Deed(key=effect.key, tool=effect.tool, done_at=effect.ended_at, until=until)
    return {UNDO: await _arguments(tool, effect, registry, sealing), DEED: deed}


async def _arguments(tool: Tool, effect: EffectRow, registry: Registry, sealing: Sealing) -> BaseModel:
    assert tool.undo is not None
    given: Any = tool.arguments.model_validate_json(canonical(await sealing.opened(effect.arguments)))
    receipt = tool.result.model_validate_json(canonical(await sealing.opened(effect.receipt or {})))
    undoing = registry.describe(tool.undo.tool)
    return undoing.arguments.model_validate(dict(tool.undo.arguments(given, receipt)))

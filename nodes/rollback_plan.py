"""The plan of a rollback: what would be undone, in which order, and what cannot be any more, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checkpoints.canonical import digest
from checkpoints.effects import EffectRow, EffectState
from nodes.shapes import Json
from nodes.undoing import undo_of
from tools.contract import Effect, Reversibility, worst
from tools.registry import Registry


class Lasting(StrEnum):
    """Why a deed is not undone."""

    WINDOW_OVER = "window_over"
    IRREVERSIBLE = "irreversible"
    ONLY_OUTSIDE = "only_outside"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNDONE_ALREADY = "undone_already"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A deed as the plan has it.

    Attributes:
        by: the tool that takes it back, until `until`; None if nothing does.
        lasts: why it is not undone.
        outside: how people outside can take it back.
        pending: the key of an undo that was begun and whose outcome is not known; it is asked after first.
    """

    key: str
    tool: str
    reversibility: Reversibility
    by: str | None = None
    until: datetime | None = None
    lasts: Lasting | None = None
    outside: str | None = None
    pending: str | None = None

    def to_json(self) -> Json:
        """JSON-shaped."""
        return {
            "key": self.key,
            "tool": self.tool,
            "reversibility": self.reversibility.value,
            "by": self.by,
            "until": self.until and self.until.isoformat(),
            "lasts": self.lasts and self.lasts.value,
            "outside": self.outside,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The deeds of a case, the last one first."""

    items: tuple[Item, ...]

    @property
    def steps(self) -> tuple[Item, ...]:
        """What would be undone, in order."""
        return tuple(item for item in self.items if item.lasts is None)

    @property
    def lasting(self) -> tuple[Item, ...]:
        """What stays done."""
        undone = Lasting.UNDONE_ALREADY
        return tuple(item for item in self.items if item.lasts is not None and item.lasts is not undone)

    @property
    def reversibility(self) -> Reversibility:
        """The class of the whole: that of its worst deed."""
        return worst(item.reversibility for item in self.items)

    @property
    def digest(self) -> str:
        """Names exactly this plan."""
        return digest(self.to_json())

    def to_json(self) -> Json:
        """JSON-shaped, as it is recorded and shown."""
        return {
            "reversibility": self.reversibility.value,
            "steps": [item.to_json() for item in self.steps],
            "lasting": [item.to_json() for item in self.lasting],
        }


def plan_of(effects: Sequence[EffectRow], registry: Registry, at: datetime) -> Plan:
    """The plan over a case's deeds in the ledger, as of a time; failed ones never happened."""
    undos = {effect.undoes: effect for effect in effects if effect.undoes and _may_have_happened(effect)}
    deeds = [effect for effect in effects if effect.undoes is None and effect.state is not EffectState.FAILED]
    deeds = [effect for effect in deeds if registry.describe(effect.tool).effect is not Effect.READ]
    deeds.sort(key=lambda effect: (effect.intended_at, effect.key), reverse=True)
    return Plan(items=tuple(_item(effect, undos.get(effect.key), registry, at) for effect in deeds))


def _may_have_happened(effect: EffectRow) -> bool:
    return effect.state in {EffectState.INTENDED, EffectState.UNKNOWN}


def _item(effect: EffectRow, pending: EffectRow | None, registry: Registry, at: datetime) -> Item:
    tool = registry.describe(effect.tool)
    until, undo = undo_of(tool, effect), tool.undo
    found = tool.reversibility
    if found is Reversibility.REVERSIBLE and effect.tool_version != tool.version:
        found = Reversibility.IRREVERSIBLE  # what was proven is proven for another version
    return Item(
        key=effect.key,
        tool=effect.tool,
        reversibility=found,
        by=undo.tool if undo and until else None,
        until=until,
        lasts=None if pending else _lasts(effect, found, until, at),
        outside=tool.undone_outside if found is Reversibility.EXTERNALLY_REVERSIBLE else None,
        pending=None if pending is None else pending.key,
    )


def _lasts(effect: EffectRow, found: Reversibility, until: datetime | None, at: datetime) -> Lasting | None:
    if effect.state is EffectState.UNDONE:
        return Lasting.UNDONE_ALREADY
    if effect.state is not EffectState.DONE:
        return Lasting.OUTCOME_UNKNOWN
    if found is Reversibility.EXTERNALLY_REVERSIBLE:
        return Lasting.ONLY_OUTSIDE
    if until is None:
        return Lasting.IRREVERSIBLE
    return Lasting.WINDOW_OVER if until <= at else None

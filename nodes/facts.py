"""Facts: the only values a rule may read, each with its source, its time and its trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from checkpoints.canonical import canonical
from nodes.shapes import Json
from tools.contract import Trust
from tools.money import Money


class Facts(BaseModel):
    """The facts of one workflow: strict, frozen, complete; floats and unknown names are refused.

    Attributes:
        drifting: facts that move by time alone, or with deeds that have nothing to do with this case; a
            change of them is judged again, but is no reason to ask a person again.
        measured: facts that are in no record: a rule table measures each of them by a window, and no others.
        origins: facts that tell where an argument comes from (`nodes.origins.Origin`), with the argument:
            the judge finds them out, and nobody gathers them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    drifting: ClassVar[frozenset[str]] = frozenset()
    measured: ClassVar[frozenset[str]] = frozenset()
    origins: ClassVar[Mapping[str, str]] = {}


class FactsUnfit(Exception):
    """A fact is unknown, missing or of the wrong type."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"facts that do not fit: {', '.join(names)}")
        self.names = names


class Moment(BaseModel):
    """When something was, seen from when it is judged: what a rule's date window reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: AwareDatetime
    as_of: AwareDatetime

    @property
    def age(self) -> timedelta:
        """How long ago it was; negative if it is still to come."""
        return self.as_of - self.at


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A value with where it comes from.

    Attributes:
        measured: for a fact over a window, the deeds it was measured from.
    """

    value: Any
    source: str
    trust: Trust
    at: datetime
    measured: Json | None = None

    def to_json(self) -> Json:
        """JSON-shaped; money as minor units and currency, a moment as two times."""
        value = self.value.model_dump(mode="json") if isinstance(self.value, BaseModel) else self.value
        told = {"value": value, "source": self.source, "trust": self.trust.value, "at": self.at.isoformat()}
        return told if self.measured is None else told | {"measured": self.measured}


def typed(model: type[Facts], facts: Mapping[str, Fact]) -> Facts:
    """The facts as the workflow's model; raises FactsUnfit naming each one that does not fit."""
    return checked(model, {name: fact.value for name, fact in facts.items()})


def checked(model: type[Facts], values: Mapping[str, Any]) -> Facts:
    """Bare values as the workflow's model; raises FactsUnfit naming each one that does not fit."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise FactsUnfit(sorted({str((*item["loc"], "together")[0]) for item in error.errors()})) from error


def recorded(model: type[Facts], snapshot: Json) -> Facts:
    """The facts as they were recorded, to judge them again; raises FactsUnfit."""
    try:
        return model.model_validate_json(canonical({name: fact["value"] for name, fact in snapshot.items()}))
    except ValidationError as error:
        raise FactsUnfit(sorted({str((*item["loc"], "together")[0]) for item in error.errors()})) from error


def shown(value: Any) -> Any:
    """A fact's value as a trace shows it."""
    match value:
        case Money():
            return str(value)
        case Moment():
            return value.at.isoformat()
        case _:
            return value


def moved(before: Json, after: Json, drifting: frozenset[str]) -> dict[str, Json]:
    """The facts whose value changed, drifting ones aside: `{name: {before, after}}`."""
    names = sorted((before.keys() | after.keys()) - drifting)
    pairs = {name: (before.get(name, {}).get("value"), after.get(name, {}).get("value")) for name in names}
    return {name: {"before": old, "after": new} for name, (old, new) in pairs.items() if old != new}

"""A case: where it stands, what happened in it, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checkpoints.cases import Case
from checkpoints.effects import EffectRow
from checkpoints.event import Event
from graphs.explanations import explanation
from graphs.record.shapes import DecisionRecord
from graphs.record.telling import Opened, moment, plain, still_sealed, story
from graphs.record.telling import pairs as in_words
from graphs.views.sheet import Block, Grid, Sheet, pairs

_TELLING = (
    "tool",
    "proposed_tool",
    "outcome",
    "status",
    "reason",
    "why",
    "vote_kind",
    "row",
    "agent",
    "brain",
)
"""What of an event's data fits on one line."""


@dataclass(frozen=True, repr=False, slots=True)
class CaseView(Sheet):
    """A case and its deeds; if it does not go on, why."""

    case: Case
    effects: tuple[EffectRow, ...] = ()

    @property
    def id(self) -> str:
        """The case's."""
        return self.case.id

    @property
    def title(self) -> str:
        """What it is about, and where it stands."""
        return f"{self.case.title}: {self.case.status}"

    def blocks(self) -> Sequence[Block]:
        """Where it stands and what it did."""
        case, why = self.case, explanation(self.case, self.effects)
        standing = pairs(
            (
                ("case", case.id),
                ("workflow", f"{case.workflow}, version {case.workflow_version}"),
                ("reason", case.reason),
                ("owner", case.owner),
                ("happened", why.happened if why else None),
                ("to do", why.to_do if why else None),
            )
        )
        deeds = tuple(
            (one.tool, in_words(one.arguments), str(one.state), in_words(one.receipt or {}))
            for one in self.effects
        )
        grid = Grid(("tool", "with", "state", "receipt"), deeds, "What it did")
        return (standing, grid) if deeds else (standing,)


@dataclass(frozen=True, repr=False, slots=True)
class TimelineView(Sheet):
    """The events of a case, oldest first, a line each."""

    events: tuple[Event, ...]

    @property
    def title(self) -> str:
        """How many."""
        return f"{len(self.events)} events"

    def blocks(self) -> Sequence[Block]:
        """When, what, by whom."""
        rows = tuple(
            (moment(event.at), event.kind, event.actor, ", ".join(_told(event))) for event in self.events
        )
        return (Grid(("when", "what", "by", "told"), rows),)


@dataclass(frozen=True, repr=False, slots=True)
class StoryView(Sheet):
    """The decision record of a case, told as a story; what is personal stays sealed unless opened."""

    record: DecisionRecord
    opened: Opened = still_sealed

    @property
    def title(self) -> str:
        """Whose record it is."""
        return f"The record of case {self.record.case}"

    def blocks(self) -> Sequence[Block]:
        """Section by section."""
        return [
            pairs(((line.label, line.words) for line in section.lines), section.title)
            for section in story(self.record, self.opened)
        ]


def _told(event: Event) -> Iterator[str]:
    data = event.data.get("verdict", {}) | event.data
    for name in _TELLING:
        if data.get(name) not in {None, ""}:
            yield f"{name} {plain(data[name])}"

"""A rule table and a verdict, as people read them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from graphs.record.telling import pairs as in_words
from graphs.record.telling import plain
from graphs.views.sheet import Block, Grid, Sheet, pairs
from nodes.rules import Consequence, RuleTable, Rung
from nodes.shapes import Json


@dataclass(frozen=True, repr=False, slots=True)
class TableView(Sheet):
    """A rule table, a row a line."""

    table: RuleTable

    @property
    def title(self) -> str:
        """Which table, about which tool."""
        return f"{self.table.name}, version {self.table.version}: who signs {self.table.tool}"

    def blocks(self) -> Sequence[Block]:
        """Its windows, if it has any, and its rows."""
        rows = [
            (row.id, row.says, " and ".join(test.says for test in row.when), consequence(row.then))
            for row in self.table.rows
        ]
        rest = ("", "Whatever else comes.", "", consequence(self.table.default))
        rules = Grid(("row", "says", "when", "then"), (*rows, rest))
        windows = pairs((name, _window(self.table, name)) for name in self.table.windows)
        return (windows, rules) if windows.rows else (rules,)


@dataclass(frozen=True, repr=False, slots=True)
class VerdictView(Sheet):
    """What the rules said once: the outcome, the facts, and every row with what it saw.

    Attributes:
        told: as `Judgement.to_json` has it, and as it is on the record.
    """

    told: Json

    @property
    def title(self) -> str:
        """The outcome."""
        verdict = self.told["verdict"]
        return f"{self.told['proposed_tool']}: {verdict['outcome']} ({verdict['reason']})"

    def blocks(self) -> Sequence[Block]:
        """Why, on which facts, row by row."""
        verdict = self.told["verdict"]
        trace = verdict["trace"]
        why = pairs(
            (
                ("because", verdict["says"]),
                ("policy", verdict["policy"]),
                ("row", verdict["row"] or "the default"),
                ("asks", ", ".join(verdict["ladder"])),
                ("owner", verdict["owner"]),
            )
        )
        facts = tuple(
            (name, plain(fact["value"]), str(fact["source"]), str(fact["trust"]))
            for name, fact in self.told["facts"].items()
        )
        rows = tuple(
            (row["row"], "matches" if row["matched"] else f"not: {row['failed']}", in_words(row["saw"]))
            for row in trace
        )
        matched = frozenset(place for place, row in enumerate(trace) if row["matched"])
        return (
            why,
            Grid(("fact", "value", "source", "trust"), facts, "The facts"),
            Grid(("row", "", "saw"), rows, "Row by row", matched),
        )


def consequence(then: Consequence) -> str:
    """What follows from a row, in a line."""
    asks = ", then ".join(_stages(then.steps))
    more = (
        f"by {asks}" if asks else "",
        f"above them {', '.join(then.above)}" if then.above else "",
        f"within {_lasting(then.due)}{' of work' if then.working else ''}" if asks else "",
        f"against the {then.against}" if then.against else "",
        f"held for {_lasting(then.hold)}" if then.hold else "",
        f"goes to {then.owner}" if then.owner else "",
    )
    return ", ".join([f"{then.outcome} ({then.reason})", *(one for one in more if one)])


def _stages(rungs: Sequence[Rung]) -> Iterator[str]:
    for stage in sorted({rung.stage for rung in rungs}):
        together = [rung for rung in rungs if rung.stage == stage]
        yield " and ".join(f"{one.people} {one.role}" if one.people > 1 else one.role for one in together)


def _window(table: RuleTable, name: str) -> str:
    window = table.windows[name]
    return f"{window.measure} of {window.of or 'actions'} per {window.per} over {_lasting(window.over)}"


def _lasting(time: timedelta) -> str:
    hours, rest = divmod(int(time.total_seconds()), 3600)
    return f"{hours} h" if not rest else f"{int(time.total_seconds())} s"

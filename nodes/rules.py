"""Rule tables: one row a condition and an outcome, a hit policy, and a default that never allows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from nodes.facts import Facts, shown
from nodes.shapes import Json
from nodes.windows import Window


class Outcome(StrEnum):
    """What a rule may say to a proposal."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"
    INVESTIGATE = "investigate"


class Hit(StrEnum):
    """Which of the rows that match decide, in DMN's terms: the only one, the first one, or all of them."""

    UNIQUE = "unique"
    FIRST = "first"
    COLLECT = "collect"


_STRICTEST_FIRST = (Outcome.REFUSE, Outcome.INVESTIGATE, Outcome.REVIEW, Outcome.ALLOW)
RISKS = ("low", "medium", "high")


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One fact compared with its bounds; `holds` is the comparison, closed over them."""

    fact: str
    says: str
    bounds: tuple[Any, ...]
    holds: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """Somebody who must approve: so many different people of a role, once the stages before have."""

    role: str
    people: int = 1
    stage: int = 0


class Against(StrEnum):
    """What an approval goes against: it is then an override, a named act with a reason."""

    RECOMMENDATION = "recommendation"
    POLICY = "policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Consequence:
    """An outcome with its reason code, and for a review who must approve, by when, at which risk.

    Attributes:
        ladder: the roles that must approve.
        rungs: how many people of each, and in which order; one each, side by side, if not given.
        above: who may decide in a role's place when it is overdue or hands it up, one after the other.
        working: `due` counts working hours, not hours.
        against: what an approval goes against.
        hold: how long after the last signature nothing is done yet, and the decision can be taken back.
    """

    outcome: Outcome
    reason: str
    owner: str | None = None
    ladder: tuple[str, ...] = ()
    rungs: tuple[Rung, ...] = ()
    above: tuple[str, ...] = ()
    due: timedelta = timedelta(hours=8)
    working: bool = False
    risk: str = "medium"
    against: Against | None = None
    hold: timedelta = timedelta()

    @property
    def steps(self) -> tuple[Rung, ...]:
        """The rungs, written out."""
        return self.rungs or tuple(Rung(role=role) for role in self.ladder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of a table: when all conditions hold, the consequence follows."""

    id: str
    says: str
    policy: str
    when: tuple[Condition, ...]
    then: Consequence
    examples: tuple[Json, ...]


class Traced(NamedTuple):
    """A row as it was judged: which of its conditions failed first, None if all held."""

    row: Row
    failed: int | None

    def to_json(self, facts: Facts) -> Json:
        """JSON-shaped: the condition that failed, and the value that each condition asked so far has seen."""
        asked = self.row.when if self.failed is None else self.row.when[: self.failed + 1]
        return {
            "row": self.row.id,
            "matched": self.failed is None,
            "failed": None if self.failed is None else asked[-1].says,
            "saw": {condition.fact: shown(getattr(facts, condition.fact)) for condition in asked},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a table said to a set of facts, with every row and the condition that failed in it."""

    table: str
    version: str
    digest: str
    row: str | None
    says: str
    policy: str | None
    then: Consequence
    facts: Facts | None = None
    trace: tuple[Traced, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Allow, review, refuse or investigate."""
        return self.then.outcome

    def to_json(self) -> Json:
        """JSON-shaped, as it is recorded and shown."""
        return {
            "table": {"name": self.table, "version": self.version, "digest": self.digest},
            "outcome": self.outcome.value,
            "reason": self.then.reason,
            "owner": self.then.owner,
            "row": self.row,
            "says": self.says,
            "policy": self.policy,
            "risk": self.then.risk,
            "ladder": list(self.then.ladder),
            "against": self.then.against and self.then.against.value,
            "trace": [] if self.facts is None else [traced.to_json(self.facts) for traced in self.trace],
        }


_Plan: TypeAlias = tuple[Row, tuple[tuple[str, Callable[[Any], bool], Traced], ...], Traced]


def _planned(row: Row) -> _Plan:
    """A row as it is judged: each test with the trace it leaves if it fails, and the trace if none does."""
    tests = tuple((test.fact, test.holds, Traced(row, at)) for at, test in enumerate(row.when))
    return row, tests, Traced(row, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTable:
    """An immutable table with its version and the digest of its text.

    Attributes:
        source: the text it was read from.
        leaves: what the rows knowingly leave to the default, each a set of conditions.
        windows: the facts that sum or count over a window, by name.
    """

    name: str
    version: str
    digest: str
    tool: str
    hit: Hit
    rows: tuple[Row, ...]
    default: Consequence
    source: str = ""
    leaves: tuple[tuple[Condition, ...], ...] = ()
    windows: Mapping[str, Window] = field(default_factory=dict)
    _plan: tuple[_Plan, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", tuple(_planned(row) for row in self.rows))

    def judge(self, facts: Facts) -> Verdict:
        """The verdict of the rows whose conditions all hold, by the hit policy; else of the default."""
        seen = facts.__dict__
        trace = []
        hits = []
        for row, tests, matched in self._plan:
            for fact, holds, failed in tests:
                if not holds(seen[fact]):
                    trace.append(failed)
                    break
            else:
                hits.append(row)
                trace.append(matched)
        return self._decided(hits, facts, tuple(trace))

    def investigate(self, reason: str) -> Verdict:
        """The verdict when the table cannot even be asked: the default, with the reason why."""
        return self._default("The facts do not fit the table.", self._investigation(reason))

    def _decided(self, hits: Sequence[Row], facts: Facts, trace: tuple[Traced, ...]) -> Verdict:
        if not hits:
            return replace(self._default("No row matches.", self.default), facts=facts, trace=trace)
        if self.hit is Hit.UNIQUE and len(hits) > 1:
            several = self._investigation("several_rows_match")
            return replace(self._default("Several rows match.", several), facts=facts, trace=trace)
        row = _collected(hits) if self.hit is Hit.COLLECT else hits[0]
        return Verdict(
            table=self.name,
            version=self.version,
            digest=self.digest,
            row=row.id,
            says=row.says,
            policy=row.policy,
            then=row.then,
            facts=facts,
            trace=trace,
        )

    def _investigation(self, reason: str) -> Consequence:
        return Consequence(outcome=Outcome.INVESTIGATE, reason=reason, owner=self.default.owner)

    def _default(self, says: str, then: Consequence) -> Verdict:
        return Verdict(
            table=self.name,
            version=self.version,
            digest=self.digest,
            row=None,
            says=says,
            policy=None,
            then=then,
        )


def _together(rungs: Iterable[Rung]) -> tuple[Rung, ...]:
    """Each role once: as many people as any asks, at the earliest stage."""
    found: dict[str, Rung] = {}
    for rung in rungs:
        known = found.get(rung.role, rung)
        people, stage = max(known.people, rung.people), min(known.stage, rung.stage)
        found[rung.role] = Rung(role=rung.role, people=people, stage=stage)
    return tuple(sorted(found.values(), key=lambda rung: rung.stage))


def _collected(hits: Sequence[Row]) -> Row:
    """The strictest of several rows; a review asks everybody that any of them asks, by the earliest due."""
    strictest = min(hits, key=lambda row: _STRICTEST_FIRST.index(row.then.outcome))
    if strictest.then.outcome is not Outcome.REVIEW:
        return strictest
    asking = [row.then for row in hits if row.then.outcome is Outcome.REVIEW]
    then = replace(
        strictest.then,
        ladder=tuple(dict.fromkeys(role for one in asking for role in one.ladder)),
        rungs=_together(rung for one in asking for rung in one.steps),
        above=tuple(dict.fromkeys(role for one in asking for role in one.above)),
        due=min(one.due for one in asking),
        working=all(one.working for one in asking),
        against=next((one.against for one in asking if one.against), None),
        hold=max(one.hold for one in asking),
        risk=max((one.risk for one in asking), key=RISKS.index),
    )
    return replace(strictest, then=then)

"""Rule tables: one row a condition and an outcome, first match, and a default that never allows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from nodes.facts import Facts
from nodes.shapes import Json
from tools.money import Money


class Outcome(StrEnum):
    """What a rule may say to a proposal."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"
    INVESTIGATE = "investigate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One fact compared with one bound; `holds` is the comparison, closed over the bound."""

    fact: str
    says: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Consequence:
    """An outcome with its reason code, and for a review who must approve, by when, at which risk."""

    outcome: Outcome
    reason: str
    owner: str | None = None
    ladder: tuple[str, ...] = ()
    due: timedelta = timedelta(hours=8)
    risk: str = "medium"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of a table: when all conditions hold, the consequence follows."""

    id: str
    says: str
    policy: str
    when: tuple[Condition, ...]
    then: Consequence
    examples: tuple[Json, ...]


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
    trace: tuple[Json, ...]

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
            "trace": list(self.trace),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTable:
    """An immutable table with its version and the digest of its text."""

    name: str
    version: str
    digest: str
    tool: str
    rows: tuple[Row, ...]
    default: Consequence

    def judge(self, facts: Facts) -> Verdict:
        """The verdict of the first row whose conditions all hold, else of the default."""
        trace: list[Json] = []
        for row in self.rows:
            failed = next((c for c in row.when if not c.holds(getattr(facts, c.fact))), None)
            trace.append(_traced(row, failed, facts))
            if failed is None:
                return self._verdict(row.id, row.says, row.policy, row.then, trace)
        return self._verdict(None, "No row matches.", None, self.default, trace)

    def investigate(self, reason: str) -> Verdict:
        """The verdict when the table cannot even be asked: the default, with the reason why."""
        then = Consequence(outcome=Outcome.INVESTIGATE, reason=reason, owner=self.default.owner)
        return self._verdict(None, "The facts do not fit the table.", None, then, [])

    def _verdict(
        self, row: str | None, says: str, policy: str | None, then: Consequence, trace: list[Json]
    ) -> Verdict:
        return Verdict(
            table=self.name,
            version=self.version,
            digest=self.digest,
            row=row,
            says=says,
            policy=policy,
            then=then,
            trace=tuple(trace),
        )


def _traced(row: Row, failed: Condition | None, facts: Facts) -> Json:
    if failed is None:
        return {"row": row.id, "matched": True}
    saw = getattr(facts, failed.fact)
    shown = str(saw) if isinstance(saw, Money) else saw
    return {"row": row.id, "matched": False, "failed": failed.says, "fact": failed.fact, "saw": shown}

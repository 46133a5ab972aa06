"""Replay: recorded verdicts judged again, by the table of then or by another one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from checkpoints.audit import history
from nodes.facts import Facts, FactsUnfit, recorded
from nodes.judge import VERDICTS
from nodes.rules import RuleTable, Verdict
from nodes.shapes import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A recorded judgement that two tables see differently."""

    case_id: str
    seq: int
    before: Verdict
    after: Verdict

    def to_json(self) -> Json:
        """JSON-shaped: for each side what it says, and by which row."""
        return {"case": self.case_id, "seq": self.seq} | {
            side: {"outcome": verdict.outcome.value, "reason": verdict.then.reason, "row": verdict.row}
            | {"ladder": list(verdict.then.ladder)}
            for side, verdict in (("before", self.before), ("after", self.after))
        }


def judged_again(table: RuleTable, facts: type[Facts], snapshot: Json) -> Verdict:
    """What a table says to recorded facts; *investigate* if they do not fit it."""
    try:
        return table.judge(recorded(facts, snapshot))
    except FactsUnfit as unfit:
        return table.investigate(f"facts_unfit:{','.join(unfit.names)}")


async def differences(
    connection: AsyncConnection[Any], before: RuleTable, after: RuleTable, facts: type[Facts]
) -> AsyncIterator[Difference | None]:
    """For each recorded judgement of the tables' tool how they differ on it, None where they agree."""
    async for event in history(connection, VERDICTS):
        if event["data"]["proposed_tool"] != before.tool or not event["data"]["facts"]:
            continue
        old, new = (judged_again(table, facts, event["data"]["facts"]) for table in (before, after))
        same = (old.then, old.row) == (new.then, new.row)
        yield None if same else Difference(case_id=event["case_id"], seq=event["seq"], before=old, after=new)

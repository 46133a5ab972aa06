"""Replay: recorded verdicts judged again, by the table of then or by another one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from checkpoints.audit import history
from nodes.facts import Facts, FactsUnfit, recorded
from nodes.judge import VERDICTS
from nodes.rules import RuleTable, Verdict
from nodes.shapes import Json
from nodes.windows import Entry, Window, counted, kept, summed
from tools.money import Money


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


class WindowsUnknown(Exception):
    """A window cannot be measured again from the record: it looks back further, or at more than was kept."""


def judged_again(table: RuleTable, facts: type[Facts], snapshot: Json) -> Verdict:
    """What a table says to recorded facts; *investigate* if they do not fit it.

    Raises:
        WindowsUnknown: a window of the table is another than the recorded one, and not inside it.
    """
    try:
        return table.judge(recorded(facts, snapshot | _measured_again(table, snapshot)))
    except FactsUnfit as unfit:
        return table.investigate(f"facts_unfit:{','.join(unfit.names)}")


def _measured_again(table: RuleTable, snapshot: Json) -> Json:
    """The facts over those windows of the table that are shorter than the recorded ones."""
    again: Json = {}
    for name, window in table.windows.items():
        fact = snapshot.get(name, {})
        told = fact.get("measured")
        if told and (told["per"], told["over_seconds"]) == (window.per, window.over.total_seconds()):
            continue
        if not told or not _holds(told, window):
            raise WindowsUnknown(f"{name}: the record does not hold what it measures")
        again[name] = fact | {
            "value": _value(window, snapshot, kept(told), datetime.fromisoformat(fact["at"]))
        }
    return again


def _holds(told: Json, window: Window) -> bool:
    inside = told["per"] == window.per and told["over_seconds"] >= window.over.total_seconds()
    return inside and told["deeds"] is not None


def _value(window: Window, snapshot: Json, entries: list[Entry], at: datetime) -> Any:
    if window.of is None:
        return counted(window, entries, at)
    own = Money.model_validate(snapshot[window.of]["value"])
    return summed(window, entries, at, own).model_dump(mode="json")


async def differences(
    connection: AsyncConnection[Any], before: RuleTable, after: RuleTable, facts: type[Facts]
) -> AsyncIterator[Difference | None]:
    """For each recorded judgement of the tables' tool how they differ on it, None where they agree.

    Raises:
        WindowsUnknown: a table looks at more of the past than a judgement recorded.
    """
    async for event in history(connection, VERDICTS):
        if event["data"]["proposed_tool"] != before.tool or not event["data"]["facts"]:
            continue
        old, new = (judged_again(table, facts, event["data"]["facts"]) for table in (before, after))
        same = (old.then, old.row) == (new.then, new.row)
        yield None if same else Difference(case_id=event["case_id"], seq=event["seq"], before=old, after=new)

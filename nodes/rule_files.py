"""Rule tables as files: YAML read strictly, every refusal naming the file, the row and the field."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_never

from checkpoints.canonical import NotCanonical, canonical
from nodes.facts import Facts
from nodes.rule_conditions import ConditionReader, plain_types
from nodes.rules import RISKS, Against, Condition, Consequence, Hit, Outcome, Row, RuleTable, Rung
from nodes.strict_yaml import TableUnfit, load_yaml
from nodes.windows import Measure, Window
from tools.money import Money

MOST_PEOPLE = 9
MOST_ROWS = 500
MOST_WORKING = timedelta(hours=500)
"""The most working time a review may have: at an hour a week ten years."""
LONGEST_HOLD = timedelta(days=1)
"""The longest time in which a decision can be taken back before anything is done."""
FORMAT = 1
"""What this version of Countersign reads; a table written for a later one is refused."""


def read_table(text: str, *, source: str, facts: type[Facts]) -> RuleTable:
    """Read a table from YAML, strictly; raises TableUnfit naming the file, the row and the field.

    It is not fit for use before `nodes.rule_lint` has looked at it.
    """
    document = load_yaml(text, source)
    reader = _TableReader(source, facts)
    reader.format(document)
    names = {"format", "table", "version", "tool", "hit", "rows", "default"}
    body = reader.mapping(document, "table", names, optional={"windows"})
    items = reader.items(body["rows"], "rows")
    if len(items) > MOST_ROWS:
        reader.refuse("rows", f"there are {len(items)}, and at most {MOST_ROWS} are read")
    rows = tuple(reader.row(item, at) for at, item in enumerate(items))
    if doubled := {row.id for row in rows if sum(other.id == row.id for other in rows) > 1}:
        raise TableUnfit(f"{source}: row ids used twice: {', '.join(sorted(doubled))}")
    default, leaves = reader.default(body["default"])
    if default.outcome is not Outcome.INVESTIGATE:
        raise TableUnfit(f"{source}: default: must be investigate, never {default.outcome}")
    return RuleTable(
        name=reader.text(body["table"], "table"),
        version=reader.text(body["version"], "version"),
        digest=_digest(document, source),
        tool=reader.text(body["tool"], "tool"),
        hit=reader.choice(body["hit"], "hit", Hit),
        rows=rows,
        default=default,
        source=text,
        leaves=leaves,
        windows=reader.windows(body.get("windows", {})),
    )


def _digest(document: Any, source: str) -> str:
    try:
        return hashlib.sha256(canonical(document)).hexdigest()
    except NotCanonical as error:
        raise TableUnfit(f"{source}: {error}") from error


class _TableReader(ConditionReader):
    """Reads the parts of a table."""

    def format(self, document: Any) -> None:
        found = document.get("format") if isinstance(document, Mapping) else None
        if type(found) is int and found > FORMAT:
            self.refuse("format", f"{found} is of a newer Countersign; this one reads {FORMAT}")
        if isinstance(document, Mapping) and (type(found) is not int or found != FORMAT):
            self.refuse("table", f"needs format: {FORMAT}")

    def default(self, item: Any) -> tuple[Consequence, tuple[tuple[Condition, ...], ...]]:
        """The default, and what the rows knowingly leave to it."""
        if not isinstance(item, Mapping):
            self.refuse("default", "needs an outcome")
        leaves = self.items(item.get("leaves", []), "default: leaves")
        conditions = [
            self.when(left, f"default: leaves {at + 1}") if left else self.refuse("default", "leaves nothing")
            for at, left in enumerate(leaves)
        ]
        rest = {name: value for name, value in item.items() if name != "leaves"}
        return self.consequence(rest, "default"), tuple(conditions)

    def windows(self, item: Any) -> dict[str, Window]:
        if not isinstance(item, Mapping):
            self.refuse("windows", "must be a mapping of facts")
        return {name: self.window(name, body, f"windows: {name}") for name, body in item.items()}

    def window(self, fact: Any, item: Any, place: str) -> Window:
        if fact not in self.facts.model_fields:
            self.refuse(place, "unknown fact")
        named = [measure for measure in Measure if isinstance(item, Mapping) and measure in item]
        if len(named) != 1:
            self.refuse(place, "needs exactly one of sum, count")
        body = self.mapping(item, place, {named[0], "per", "over"})
        of = self.text(body[named[0]], f"{place}: {named[0]}")
        kinds = {name: plain_types(field.annotation) for name, field in self.facts.model_fields.items()}
        if named[0] is Measure.SUM and not kinds[fact] == kinds.get(of) == {Money}:
            self.refuse(place, f"sums amounts, and {fact} or {of!r} is none")
        if named[0] is Measure.COUNT and (of != "actions" or kinds[fact] != {int}):
            self.refuse(place, f"counts actions, and {fact} or {of!r} is not that")
        return Window(
            measure=named[0],
            of=of if named[0] is Measure.SUM else None,
            per=self.text(body["per"], f"{place}: per"),
            over=self.duration(body["over"], f"{place}: over"),
        )

    def row(self, item: Any, at: int) -> Row:
        place = f"row {item['id']}" if isinstance(item, Mapping) and "id" in item else f"row {at + 1}"
        body = self.mapping(item, place, {"id", "says", "policy", "when", "then", "examples"})
        when = self.when(body["when"], place)
        examples = self.items(body["examples"], f"{place}: examples")
        if not examples:
            self.refuse(place, "needs at least one worked example")
        then = self.consequence(body["then"], place)
        if then.outcome is Outcome.ALLOW and not when:
            self.refuse(place, "a row that allows needs conditions")
        self.canonical(item, place)
        return Row(
            id=self.text(body["id"], place),
            says=self.text(body["says"], f"{place}: says"),
            policy=self.text(body["policy"], f"{place}: policy"),
            when=when,
            then=then,
            examples=tuple(self.example(example, f"{place}: examples") for example in examples),
        )

    def consequence(self, item: Any, place: str) -> Consequence:
        if not isinstance(item, Mapping):
            self.refuse(place, "needs an outcome")
        named = [word for word in Outcome if word in item]
        if len(named) != 1:
            self.refuse(place, f"needs exactly one of {', '.join(Outcome)}")
        outcome = named[0]
        reason = self.text(item[outcome], f"{place}: {outcome}")
        rest = {key: value for key, value in item.items() if key != outcome}
        match outcome:
            case Outcome.REVIEW:
                return self._review(rest, reason, place)
            case Outcome.INVESTIGATE:
                extra = self.mapping(rest, place, {"owner"})
                owner = self.text(extra["owner"], f"{place}: owner")
                return Consequence(outcome=outcome, reason=reason, owner=owner)
            case Outcome.ALLOW | Outcome.REFUSE:
                self.mapping(rest, place, set())
                return Consequence(outcome=outcome, reason=reason)
            case _ as never:
                assert_never(never)

    def _review(self, rest: Mapping[str, Any], reason: str, place: str) -> Consequence:
        extra = self.mapping(rest, place, {"by", "due", "risk"}, optional={"above", "against", "hold"})
        rungs = self._rungs(extra["by"], f"{place}: by")
        if not rungs:
            self.refuse(place, "a review needs at least one role in by")
        due = self.duration(extra["due"], f"{place}: due", working=True)
        working = str(extra["due"])[-2:-1] == "b"
        if not due or (working and due > MOST_WORKING):
            self.refuse(place, f"due: {extra['due']!r} is no time in which anybody decides")
        if extra["risk"] not in RISKS:
            self.refuse(place, f"risk {extra['risk']!r} is none of {', '.join(RISKS)}")
        return Consequence(
            outcome=Outcome.REVIEW,
            reason=reason,
            ladder=tuple(rung.role for rung in rungs),
            rungs=rungs,
            above=self._roles(extra.get("above", []), f"{place}: above"),
            due=due,
            working=working,
            risk=extra["risk"],
            hold=self._hold(extra.get("hold"), f"{place}: hold"),
            against=self.choice(extra["against"], f"{place}: against", Against)
            if "against" in extra
            else None,
        )

    def _hold(self, item: Any, place: str) -> timedelta:
        """How long a decision can be taken back; not given, it counts at once."""
        if item is None:
            return timedelta()
        hold = self.short_duration(item, place)
        if not timedelta() < hold <= LONGEST_HOLD:
            self.refuse(place, f"{item!r} is no time from a second to {LONGEST_HOLD.days} day")
        return hold

    def _rungs(self, item: Any, place: str) -> tuple[Rung, ...]:
        """Roles side by side, or lists of them one after the other; `{role, people}` asks for several."""
        listed = self.items(item, place)
        in_turn = bool(listed) and all(isinstance(stage, list) for stage in listed)
        stages = listed if in_turn else [listed]
        rungs = [
            self._rung(one, stage, place)
            for stage, together in enumerate(stages)
            for one in self.items(together, place)
        ]
        if in_turn and not all(stages):
            self.refuse(place, "a stage needs at least one role")
        if len({rung.role for rung in rungs}) < len(rungs):
            self.refuse(place, "a role is there twice: ask for several people of it instead")
        return tuple(rungs)

    def _rung(self, item: Any, stage: int, place: str) -> Rung:
        if not isinstance(item, Mapping):
            return Rung(role=self.text(item, place), stage=stage)
        body = self.mapping(item, place, {"role", "people"})
        people = body["people"]
        if type(people) is not int or not 1 <= people <= MOST_PEOPLE:
            self.refuse(place, f"people {people!r} is no number from 1 to {MOST_PEOPLE}")
        return Rung(role=self.text(body["role"], place), people=people, stage=stage)

    def _roles(self, item: Any, place: str) -> tuple[str, ...]:
        return tuple(self.text(role, place) for role in self.items(item, place))

"""The linter: what a table does on every combination of facts, by looking at each side of every boundary.

Between two neighbouring bounds of a fact no condition of the table changes its answer, so a few values stand
for all (boundary value analysis). A row is then a box: for each fact the set of those values on which its
conditions hold. Gaps, overlaps and rows that never decide come from subtracting boxes, which stays small
where trying every combination would not.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from nodes.facts import Facts, FactsUnfit, Moment, checked, shown
from nodes.rule_conditions import choices_of, plain_types
from nodes.rule_files import read_table
from nodes.rules import Condition, Hit, Outcome, Row, RuleTable
from nodes.strict_yaml import TableUnfit
from tools.money import Money

Box: TypeAlias = tuple[frozenset[int], ...]
_AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
_ELSEWHERE = "XXX"  # ISO 4217's code for no currency: whatever a table does not name
_OTHER_WORD = "something else"
MOST_EFFORT = 300_000_000
"""What checking one table may take, a few seconds' work; the shipped ones take a hundredth of a second."""
_PER_CUT = 250
"""What a cut takes, in values looked at, however few it looks at."""


class _Effort:
    """Counts what checking a table has taken, so that no table keeps the linter busy for ever."""

    def __init__(self) -> None:
        self.left = MOST_EFFORT

    def spend(self, values: int) -> None:
        """Count so many values that were looked at; raises TableUnfit when it was too much."""
        self.left -= values
        if self.left < 0:
            raise TableUnfit(
                "rows: they cut each other in too many ways to be checked: use fewer or simpler ones"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The names that a table may use besides its facts.

    Attributes:
        signers: the roles that may stand on a ladder.
        owners: who may look after a case.
        subjects: whose deeds a window may measure.
    """

    signers: frozenset[str]
    owners: frozenset[str]
    subjects: frozenset[str] = frozenset()


def load_table(text: str, *, source: str, facts: type[Facts], words: Vocabulary) -> RuleTable:
    """Read a table and lint it; raises TableUnfit with one line for each thing that is wrong."""
    table = read_table(text, source=source, facts=facts)
    if found := lint(table, facts, words):
        raise TableUnfit("\n".join(f"{source}: {one}" for one in found))
    return table


def lint(table: RuleTable, facts: type[Facts], words: Vocabulary) -> list[str]:
    """Everything that is wrong with a table that reads well, each with the row it is about."""
    try:
        return _found(table, facts, words)
    except TableUnfit as too_much:
        return [str(too_much)]


def _found(table: RuleTable, facts: type[Facts], words: Vocabulary) -> list[str]:
    space = _Space.of(table, facts)
    boxes = {row.id: space.box(row.when) for row in table.rows}
    return [
        *_names(table, words),
        *_windows(table, facts),
        *_reach(table, space, boxes),
        *_overlaps(table, space, boxes),
        *_allows(table, facts),
        *_gaps(table, space, boxes),
        *_examples(table, facts),
    ]


def _names(table: RuleTable, words: Vocabulary) -> Iterator[str]:
    places = [*((f"row {row.id}", row.then) for row in table.rows), ("default", table.default)]
    for place, then in places:
        for word, role in [
            *(("by", role) for role in then.ladder),
            *(("above", role) for role in then.above),
        ]:
            if role not in words.signers:
                known = ", ".join(sorted(words.signers))
                yield f"{place}: {word}: nobody can sign this as {role!r}; there are {known}"
        if then.owner is not None and then.owner not in words.owners:
            yield f"{place}: owner: {then.owner!r} is none of {', '.join(sorted(words.owners))}"
    for name, window in table.windows.items():
        if window.per not in words.subjects:
            known = ", ".join(sorted(words.subjects)) or "none"
            yield f"windows: {name}: per: {window.per!r} is none of the workflow's subjects: {known}"


def _windows(table: RuleTable, facts: type[Facts]) -> Iterator[str]:
    """A window for each fact that is measured and for no other one, over facts that are in the records."""
    for name in sorted(facts.measured - table.windows.keys()):
        yield f"windows: {name}: is missing, and nothing else measures it"
    for name, window in table.windows.items():
        if name not in facts.measured:
            yield f"windows: {name}: is read from the records, and measured by no table"
        if window.of in facts.measured:
            yield f"windows: {name}: sums {window.of}, which is measured itself"


def _reach(table: RuleTable, space: "_Space", boxes: Mapping[str, Box]) -> Iterator[str]:
    earlier: list[Box] = []
    for row in table.rows:
        box = boxes[row.id]
        if not all(box):
            yield f"row {row.id}: can never match: its conditions on {space.emptied(box)} exclude each other"
        elif table.hit is Hit.FIRST and not space.minus([box], earlier):
            yield f"row {row.id}: is never reached: the rows before it take everything"
        earlier.append(box)


def _overlaps(table: RuleTable, space: "_Space", boxes: Mapping[str, Box]) -> Iterator[str]:
    """Where only one row may match, or one of two allows, both may not match: that never hangs on order."""
    for one, other in itertools.combinations(table.rows, 2):
        if table.hit is not Hit.UNIQUE and not _differ_in_allowing(one, other):
            continue
        both = space.common(boxes[one.id], boxes[other.id])
        if all(both):
            yield f"row {other.id}: overlaps row {one.id}, for example where {space.example(both)}"


def _differ_in_allowing(one: Row, other: Row) -> bool:
    return (one.then.outcome is Outcome.ALLOW) is not (other.then.outcome is Outcome.ALLOW)


def _allows(table: RuleTable, facts: type[Facts]) -> Iterator[str]:
    """A row that allows names every fact, so that no other row's loss can widen it."""
    for row in table.rows:
        if row.then.outcome is Outcome.ALLOW:
            unnamed = sorted(facts.model_fields.keys() - {condition.fact for condition in row.when})
            if unnamed:
                yield f"row {row.id}: allows without a condition on {', '.join(unnamed)}"


def _gaps(table: RuleTable, space: "_Space", boxes: Mapping[str, Box]) -> Iterator[str]:
    open_ = space.minus([space.whole], boxes.values())
    for at, conditions in enumerate(table.leaves):
        left = space.box(conditions)
        if not any(all(space.common(gap, left)) for gap in open_):
            yield f"default: leaves {at + 1}: the rows leave nothing of it"
        open_ = space.minus(open_, [left])
    if open_:
        yield f"default: no row says anything where {space.example(open_[0])}"


def _examples(table: RuleTable, facts: type[Facts]) -> Iterator[str]:
    for row in table.rows:
        for at, example in enumerate(row.examples):
            place = f"row {row.id}: example {at + 1}"
            try:
                verdict = table.judge(checked(facts, example))
            except FactsUnfit as unfit:
                yield f"{place}: {', '.join(unfit.names)}: missing or of another type"
                continue
            hits = [traced.row.id for traced in verdict.trace if traced.failed is None]
            if row.id not in (hits if table.hit is Hit.COLLECT else hits[:1]):
                yield f"{place}: ends at {f'row {hits[0]}' if hits else 'the default'}"


@dataclass(frozen=True, slots=True)
class _Space:
    """All combinations of facts that the table can tell apart: a few values of each fact."""

    values: Mapping[str, Sequence[Any]]
    width: int
    effort: _Effort

    @classmethod
    def of(cls, table: RuleTable, facts: type[Facts]) -> "_Space":
        conditions = [*(row.when for row in table.rows), *table.leaves]
        bounds: dict[str, list[Any]] = {name: [] for name in facts.model_fields}
        for condition in itertools.chain.from_iterable(conditions):
            bounds[condition.fact] += condition.bounds
        values = {name: _values(facts, name, bounds[name]) for name in facts.model_fields}
        return cls(values, sum(map(len, values.values())), _Effort())

    @property
    def whole(self) -> Box:
        """Everything."""
        return tuple(frozenset(range(len(values))) for values in self.values.values())

    def box(self, conditions: Iterable[Condition]) -> Box:
        """Where all of the conditions hold."""
        held = dict(zip(self.values, self.whole, strict=True))
        for condition in conditions:
            values = self.values[condition.fact]
            self.effort.spend(len(values))
            held[condition.fact] &= {at for at, value in enumerate(values) if condition.holds(value)}
        return tuple(held.values())

    def emptied(self, box: Box) -> str:
        """The facts on which a box has nothing left."""
        return ", ".join(name for name, left in zip(self.values, box, strict=True) if not left)

    def example(self, box: Box) -> str:
        """One combination of a box, in the facts on which it is narrower than everything."""
        narrowed = [
            f"{name} is {shown(self.values[name][min(held)])}"
            for name, held, all_ in zip(self.values, box, self.whole, strict=True)
            if held != all_
        ]
        return " and ".join(narrowed) or "anything is"

    def common(self, one: Box, other: Box) -> Box:
        """Where both boxes are."""
        self.effort.spend(self.width + _PER_CUT)
        return tuple(left & right for left, right in zip(one, other, strict=True))

    def minus(self, boxes: Sequence[Box], cuts: Iterable[Box]) -> list[Box]:
        """What is left of boxes when others are cut out of them."""
        left = list(boxes)
        for cut in cuts:
            rests: list[Box] = []
            for box in left:
                self.effort.spend(self.width + _PER_CUT)
                rests += _without(box, cut)
            left = rests
        return left


def _without(box: Box, cut: Box) -> Iterator[Box]:
    """A box less another one, as boxes that do not overlap."""
    if any(held.isdisjoint(taken) for held, taken in zip(box, cut, strict=True)):
        yield box
        return
    for at, (held, taken) in enumerate(zip(box, cut, strict=True)):
        if rest := held - taken:
            yield (*box[:at], rest, *box[at + 1 :])
        box = (*box[:at], held & taken, *box[at + 1 :])


def _values(facts: type[Facts], name: str, bounds: Sequence[Any]) -> list[Any]:
    """Values of a fact on each side of every bound, all of them values that the fact may have."""
    field = facts.model_fields[name]
    annotation = field.annotation
    kinds = plain_types(annotation)
    known = [bound for bound in bounds if bound is not None]
    if kinds == {bool}:
        values: list[Any] = [False, True]
    elif choices := choices_of(annotation):
        values = list(choices)
    elif Money in kinds:
        values = list(_amounts(known))
    elif Moment in kinds:
        values = [Moment(at=_AS_OF - age, as_of=_AS_OF) for age in _around(known, timedelta(microseconds=1))]
    elif int in kinds:
        values = _numbers(field, known)
    else:
        values = [*dict.fromkeys(known), _OTHER_WORD]
    return [*values, None] if type(None) in get_args(annotation) else values


def _amounts(bounds: Sequence[Money]) -> Iterator[Money]:
    for currency in sorted({bound.currency for bound in bounds} | {_ELSEWHERE}):
        minors = [bound.amount_minor for bound in bounds if bound.currency == currency]
        for minor in _around(minors or [0], 1):
            yield Money(amount_minor=minor, currency=currency)


def _numbers(field: FieldInfo, bounds: Sequence[int]) -> list[int]:
    """Numbers on each side of every bound, and of the limits of the fact's own type."""
    marks = [*field.metadata, *_metadata(field.annotation)]
    limits = [getattr(mark, name, None) for mark in marks for name in ("ge", "gt", "le", "lt")]
    type_ = TypeAdapter[Any](field.rebuild_annotation())
    tried = _around([*bounds, *(limit for limit in limits if isinstance(limit, int))] or [0], 1)
    return [number for number in tried if _fits(type_, number)]


def _fits(type_: TypeAdapter[Any], value: Any) -> bool:
    try:
        type_.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _around(bounds: Sequence[Any], step: Any) -> list[Any]:
    return sorted({value for bound in bounds for value in (bound - step, bound, bound + step)})


def _metadata(annotation: Any) -> list[Any]:
    """The constraints that stand inside a type, as in `Annotated[int, Field(ge=0)] | None`."""
    own = [
        mark
        for outer in getattr(annotation, "__metadata__", ())
        for mark in (getattr(outer, "metadata", None) or [outer])
    ]
    return own + [mark for part in get_args(annotation) for mark in _metadata(part)]

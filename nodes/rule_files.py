"""Rule tables as files: YAML read strictly, every refusal naming the file, the row and the field."""

import hashlib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeAlias, TypeVar, assert_never, get_args, get_origin

import yaml

from checkpoints.canonical import NotCanonical, canonical
from nodes.facts import Facts, Moment
from nodes.rules import RISKS, Condition, Consequence, Hit, Outcome, Row, RuleTable
from nodes.windows import Measure, Window
from tools.money import Money, minor_digits


class TableUnfit(Exception):
    """The rule table cannot be used; the message names file, row and field."""


FORMAT = 1
"""What this version of Countersign reads; a table written for a later one is refused."""


def read_table(text: str, *, source: str, facts: type[Facts]) -> RuleTable:
    """Read a table from YAML, strictly; raises TableUnfit naming the file, the row and the field.

    It is not fit for use before `nodes.rule_lint` has looked at it.
    """
    try:
        document = yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise TableUnfit(f"{source}: not YAML: {error}") from error
    reader = _Reader(source, facts)
    reader.format(document)
    names = {"format", "table", "version", "tool", "hit", "rows", "default"}
    body = reader.mapping(document, "table", names, optional={"windows"})
    rows = tuple(reader.row(item, at) for at, item in enumerate(reader.items(body["rows"], "rows")))
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
        leaves=leaves,
        windows=reader.windows(body.get("windows", {})),
    )


def _digest(document: Any, source: str) -> str:
    try:
        return hashlib.sha256(canonical(document)).hexdigest()
    except NotCanonical as error:
        raise TableUnfit(f"{source}: {error}") from error


class _OnceLoader(yaml.SafeLoader):
    """A safe loader that refuses a key said twice: YAML's last one would win, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := {str(key) for key in keys if keys.count(key) > 1}:
            line = node.start_mark.line + 1
            raise yaml.constructor.ConstructorError(
                None, None, f"said twice from line {line}: {', '.join(sorted(doubled))}", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


_OnceLoader.yaml_implicit_resolvers = {
    letter: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:int"]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_OnceLoader.add_implicit_resolver(  # whole numbers as JSON writes them: no octal, no sixties
    "tag:yaml.org,2002:int", re.compile(r"-?(0|[1-9][0-9]*)$"), list("-0123456789")
)

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "below": operator.lt,
    "at_most": operator.le,
    "above": operator.gt,
    "at_least": operator.ge,
}
_MONEY = re.compile(r"(-?\d+(?:\.\d+)?) ([A-Z]{3})")
_DURATION = re.compile(r"(\d{1,5})([mhd])")
_EXAMPLE_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # examples give ages; any day will do
C = TypeVar("C", bound=StrEnum)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class _Reader:
    """Reads the parts of a table; every refusal names the file and the place in it."""

    def __init__(self, source: str, facts: type[Facts]) -> None:
        self._source = source
        self._facts = facts

    def format(self, document: Any) -> None:
        found = document.get("format") if isinstance(document, Mapping) else None
        if type(found) is int and found > FORMAT:
            self._refuse("format", f"{found} is of a newer Countersign; this one reads {FORMAT}")
        if isinstance(document, Mapping) and (type(found) is not int or found != FORMAT):
            self._refuse("table", f"needs format: {FORMAT}")

    def canonical(self, item: Any, place: str) -> None:
        try:
            canonical(item)
        except NotCanonical as error:
            self._refuse(place, str(error))

    def default(self, item: Any) -> tuple[Consequence, tuple[tuple[Condition, ...], ...]]:
        """The default, and what the rows knowingly leave to it."""
        if not isinstance(item, Mapping):
            self._refuse("default", "needs an outcome")
        leaves = self.items(item.get("leaves", []), "default: leaves")
        conditions = [
            self.when(left, f"default: leaves {at + 1}")
            if left
            else self._refuse("default", "leaves nothing")
            for at, left in enumerate(leaves)
        ]
        rest = {name: value for name, value in item.items() if name != "leaves"}
        return self.consequence(rest, "default"), tuple(conditions)

    def windows(self, item: Any) -> dict[str, Window]:
        if not isinstance(item, Mapping):
            self._refuse("windows", "must be a mapping of facts")
        return {name: self.window(name, body, f"windows: {name}") for name, body in item.items()}

    def window(self, fact: Any, item: Any, place: str) -> Window:
        if fact not in self._facts.model_fields:
            self._refuse(place, "unknown fact")
        named = [measure for measure in Measure if isinstance(item, Mapping) and measure in item]
        if len(named) != 1:
            self._refuse(place, "needs exactly one of sum, count")
        body = self.mapping(item, place, {named[0], "per", "over"})
        of = self.text(body[named[0]], f"{place}: {named[0]}")
        kinds = {name: plain_types(field.annotation) for name, field in self._facts.model_fields.items()}
        if named[0] is Measure.SUM and not kinds[fact] == kinds.get(of) == {Money}:
            self._refuse(place, f"sums amounts, and {fact} or {of!r} is none")
        if named[0] is Measure.COUNT and (of != "actions" or kinds[fact] != {int}):
            self._refuse(place, f"counts actions, and {fact} or {of!r} is not that")
        return Window(
            measure=named[0],
            of=of if named[0] is Measure.SUM else None,
            per=self.text(body["per"], f"{place}: per"),
            over=self.duration(body["over"], f"{place}: over"),
        )

    def when(self, item: Any, place: str) -> tuple[Condition, ...]:
        if not isinstance(item, Mapping):
            self._refuse(place, "when must be a mapping of facts")
        return tuple(c for fact, test in item.items() for c in self.conditions(fact, test, place))

    def row(self, item: Any, at: int) -> Row:
        place = f"row {item['id']}" if isinstance(item, Mapping) and "id" in item else f"row {at + 1}"
        body = self.mapping(item, place, {"id", "says", "policy", "when", "then", "examples"})
        when = self.when(body["when"], place)
        examples = self.items(body["examples"], f"{place}: examples")
        if not examples:
            self._refuse(place, "needs at least one worked example")
        then = self.consequence(body["then"], place)
        if then.outcome is Outcome.ALLOW and not when:
            self._refuse(place, "a row that allows needs conditions")
        self.canonical(item, place)
        return Row(
            id=self.text(body["id"], place),
            says=self.text(body["says"], f"{place}: says"),
            policy=self.text(body["policy"], f"{place}: policy"),
            when=when,
            then=then,
            examples=tuple(self.example(example, f"{place}: examples") for example in examples),
        )

    def example(self, item: Any, place: str) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            self._refuse(place, f"{item!r} is no mapping of facts")
        if unknown := set(item) - set(self._facts.model_fields):
            self._refuse(place, f"unknown facts: {', '.join(map(str, sorted(unknown, key=str)))}")
        return {str(name): self.example_value(str(name), value, place) for name, value in item.items()}

    def example_value(self, fact: str, value: Any, place: str) -> Any:
        """A fact of an example: an amount or an age as it is written in conditions, else the value itself."""
        expected = plain_types(self._facts.model_fields[fact].annotation)
        if value is not None and Money in expected:
            return parse_money(value, f"{self._source}: {place}: {fact}")
        if value is not None and Moment in expected:
            return Moment(at=_EXAMPLE_DAY - self.duration(value, f"{place}: {fact}"), as_of=_EXAMPLE_DAY)
        if not isinstance(value, bool | int | str | None):
            self._refuse(place, f"{fact}: {value!r} is no value of a fact")
        return value

    def conditions(self, fact: Any, test: Any, place: str) -> list[Condition]:
        if fact not in self._facts.model_fields:
            self._refuse(place, f"unknown fact {fact!r}")
        tests = test if isinstance(test, Mapping) else {"is": test}
        if not tests:
            self._refuse(place, f"{fact}: no condition")
        return [self.condition(fact, name, bound, f"{place}: {fact}") for name, bound in tests.items()]

    def condition(self, fact: str, name: Any, bound: Any, place: str) -> Condition:
        says = f"{fact} {name} {bound}"
        if Moment in plain_types(self._facts.model_fields[fact].annotation):
            bounds, holds = self.date_window(name, bound, place)
        elif name in {"in", "not_in"}:
            bounds, holds = self.membership(fact, name, bound, place)
        elif name in {"is", "is_not"}:
            value = self.bound(fact, bound, place)
            bounds, holds = (value,), _equality(name, value)
        elif name in {"in_currency", "not_in_currency"}:
            bounds, holds = self.currency(fact, name, bound, place)
        elif name == "between":
            bounds, holds = self.range(fact, bound, place)
        elif name in _COMPARISONS:
            bounds = (self.ordered(fact, name, bound, place),)
            holds = _comparison(_COMPARISONS[name], bounds[0])
        else:
            self._refuse(place, f"unknown operator {name!r}")
        return Condition(fact=fact, says=says, bounds=bounds, holds=holds)

    def membership(self, fact: str, name: str, bound: Any, place: str) -> "_Test":
        if not bound:
            self._refuse(place, f"{name} needs values")
        values = frozenset(self.bound(fact, item, place) for item in self.items(bound, place))
        inside = name == "in"
        return tuple(sorted(values, key=str)), lambda saw: (saw in values) is inside

    def currency(self, fact: str, name: str, bound: Any, place: str) -> "_Test":
        if Money not in plain_types(self._facts.model_fields[fact].annotation):
            self._refuse(place, f"{name} is asked of amounts")
        none = parse_money(f"0 {bound}", f"{self._source}: {place}")
        same = name == "in_currency"
        return (none,), lambda saw: (saw.currency == none.currency) is same

    def range(self, fact: str, bound: Any, place: str) -> "_Test":
        ends = self.items(bound, place)
        if len(ends) != len(("from", "to")):
            self._refuse(place, "between needs two bounds, the lower one first")
        low, high = (self.ordered(fact, "between", end, place) for end in ends)
        if not _comparison(operator.le, high)(low):
            self._refuse(place, f"between {ends[0]} and {ends[1]} there is nothing")
        above, below = _comparison(operator.ge, low), _comparison(operator.le, high)
        return (low, high), lambda saw: above(saw) and below(saw)

    def date_window(self, name: Any, bound: Any, place: str) -> "_Test":
        """A moment is `within` a time before it is judged, or `older_than` that; `is: null` asks for none."""
        if name in {"is", "is_not"} and bound is None:
            return (None,), _equality(name, None)
        if name not in {"within", "older_than"}:
            self._refuse(place, f"unknown operator {name!r} of a date: within, older_than")
        age, young = self.duration(bound, place), name == "within"
        return (age,), lambda saw: saw is not None and (saw.age <= age) is young

    def ordered(self, fact: str, name: str, bound: Any, place: str) -> Any:
        value = self.bound(fact, bound, place)
        if isinstance(value, bool | str) or value is None:
            self._refuse(place, f"{name} needs a number or an amount, not {value!r}")
        return value

    def bound(self, fact: str, value: Any, place: str) -> Any:
        """The bound as the fact's own type, checked against the facts' model."""
        annotation = self._facts.model_fields[fact].annotation
        if value is None and type(None) in get_args(annotation):
            return None
        expected = plain_types(annotation)
        if Money in expected:
            return parse_money(value, f"{self._source}: {place}")
        if isinstance(value, bool) is not (expected == {bool}) or type(value) not in expected:
            self._refuse(place, f"{value!r} is no {' or '.join(sorted(t.__name__ for t in expected))}")
        choices = choices_of(annotation)
        if choices and value not in choices:
            self._refuse(place, f"{value!r} is none of {', '.join(map(str, choices))}")
        return value

    def consequence(self, item: Any, place: str) -> Consequence:
        if not isinstance(item, Mapping):
            self._refuse(place, "needs an outcome")
        named = [word for word in Outcome if word in item]
        if len(named) != 1:
            self._refuse(place, f"needs exactly one of {', '.join(Outcome)}")
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
        extra = self.mapping(rest, place, {"by", "due", "risk"})
        ladder = tuple(self.text(role, f"{place}: by") for role in self.items(extra["by"], f"{place}: by"))
        if not ladder:
            self._refuse(place, "a review needs at least one role in by")
        if extra["risk"] not in RISKS:
            self._refuse(place, f"risk {extra['risk']!r} is none of {', '.join(RISKS)}")
        return Consequence(
            outcome=Outcome.REVIEW,
            reason=reason,
            ladder=ladder,
            due=self.duration(extra["due"], f"{place}: due"),
            risk=extra["risk"],
        )

    def duration(self, item: Any, place: str) -> timedelta:
        found = _DURATION.fullmatch(str(item))
        if found is None:
            self._refuse(place, f"{item!r} is no duration like 8h")
        return timedelta(**{_UNITS[found[2]]: int(found[1])})

    def choice(self, item: Any, place: str, choices: type[C]) -> C:
        if item not in list(choices):
            self._refuse(place, f"{item!r} is none of {', '.join(choices)}")
        return choices(item)

    def mapping(
        self, item: Any, place: str, names: set[str], *, optional: set[str] | None = None
    ) -> Mapping[str, Any]:
        if not isinstance(item, Mapping):
            self._refuse(place, "must be a mapping")
        if unknown := set(item) - names - (optional or set()):
            self._refuse(place, f"unknown fields: {', '.join(map(str, sorted(unknown, key=str)))}")
        if missing := names - set(item):
            self._refuse(place, f"missing fields: {', '.join(sorted(missing))}")
        return item

    def items(self, item: Any, place: str) -> Sequence[Any]:
        if not isinstance(item, list):
            self._refuse(place, "must be a list")
        return item

    def text(self, item: Any, place: str) -> str:
        if not isinstance(item, str) or not item.strip():
            self._refuse(place, f"{item!r} is no text")
        return item

    def _refuse(self, place: str, why: str) -> NoReturn:
        raise TableUnfit(f"{self._source}: {place}: {why}")


_Test: TypeAlias = tuple[tuple[Any, ...], Callable[[Any], bool]]


def _equality(name: str, value: Any) -> Callable[[Any], bool]:
    """Equality with a value, or the opposite of it."""
    return (lambda saw: saw == value) if name == "is" else (lambda saw: saw != value)


def parse_money(value: Any, place: str) -> Money:
    """The amount written as `50.00 EUR`; raises TableUnfit naming the place."""
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise TableUnfit(f"{place}: {value!r} is no amount like 50.00 EUR")
    whole, _, fraction = match[1].partition(".")
    digits = minor_digits(match[2])
    if fraction[digits:].strip("0"):
        raise TableUnfit(f"{place}: {value!r} is finer than the currency's minor unit")
    minor = whole + fraction[:digits].ljust(digits, "0")
    return Money(amount_minor=int(minor), currency=match[2])


def _comparison(compare: Callable[[Any, Any], bool], value: Any) -> Callable[[Any], bool]:
    if not isinstance(value, Money):
        return lambda saw: saw is not None and compare(saw, value)
    return lambda saw: saw.currency == value.currency and compare(saw.amount_minor, value.amount_minor)


def plain_types(annotation: Any) -> set[type]:
    """The plain types of a fact's annotation: Annotated, Optional and Literal taken apart."""
    if annotation is None or annotation is type(None):
        return set()
    if get_origin(annotation) is None:
        return {annotation} if isinstance(annotation, type) else set()
    choices = choices_of(annotation)
    if choices:
        return {type(choice) for choice in choices}
    return {kind for part in get_args(annotation) for kind in plain_types(part)}


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, none for any other type."""
    return get_args(annotation) if str(get_origin(annotation)) == "typing.Literal" else ()

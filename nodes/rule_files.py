"""Rule tables as files: YAML read strictly, every refusal naming the file, the row and the field."""

import hashlib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, assert_never, get_args, get_origin

import yaml

from checkpoints.canonical import NotCanonical, canonical
from nodes.facts import Facts
from nodes.rules import Condition, Consequence, Outcome, Row, RuleTable
from tools.money import Money, minor_digits


class TableUnfit(Exception):
    """The rule table cannot be used; the message names file, row and field."""


def load_table(text: str, *, source: str, facts: type[Facts]) -> RuleTable:
    """Read a table from YAML; raises TableUnfit naming the file, the row and the field."""
    try:
        document = yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise TableUnfit(f"{source}: not YAML: {error}") from error
    reader = _Reader(source, facts)
    body = reader.mapping(document, "table", {"table", "version", "tool", "rows", "default"})
    rows = tuple(reader.row(item, at) for at, item in enumerate(reader.items(body["rows"], "rows")))
    if doubled := {row.id for row in rows if sum(other.id == row.id for other in rows) > 1}:
        raise TableUnfit(f"{source}: row ids used twice: {', '.join(sorted(doubled))}")
    default = reader.consequence(body["default"], "default")
    if default.outcome is not Outcome.INVESTIGATE:
        raise TableUnfit(f"{source}: default: must be investigate, never {default.outcome}")
    return RuleTable(
        name=reader.text(body["table"], "table"),
        version=reader.text(body["version"], "version"),
        digest=_digest(document, source),
        tool=reader.text(body["tool"], "tool"),
        rows=rows,
        default=default,
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
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class _Reader:
    """Reads the parts of a table; every refusal names the file and the place in it."""

    def __init__(self, source: str, facts: type[Facts]) -> None:
        self._source = source
        self._facts = facts

    def row(self, item: Any, at: int) -> Row:
        place = f"row {item['id']}" if isinstance(item, Mapping) and "id" in item else f"row {at + 1}"
        body = self.mapping(item, place, {"id", "says", "policy", "when", "then", "examples"})
        when = body["when"]
        if not isinstance(when, Mapping):
            self._refuse(place, "when must be a mapping of facts")
        examples = self.items(body["examples"], f"{place}: examples")
        if not examples:
            self._refuse(place, "needs at least one worked example")
        then = self.consequence(body["then"], place)
        if then.outcome is Outcome.ALLOW and not when:
            self._refuse(place, "a row that allows needs conditions")
        return Row(
            id=self.text(body["id"], place),
            says=self.text(body["says"], f"{place}: says"),
            policy=self.text(body["policy"], f"{place}: policy"),
            when=tuple(c for fact, test in when.items() for c in self.conditions(fact, test, place)),
            then=then,
            examples=tuple(self.example(example, f"{place}: examples") for example in examples),
        )

    def example(self, item: Any, place: str) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            self._refuse(place, f"{item!r} is no mapping of facts")
        if unknown := set(item) - set(self._facts.model_fields):
            self._refuse(place, f"unknown facts: {', '.join(map(str, sorted(unknown, key=str)))}")
        return dict(item)

    def conditions(self, fact: Any, test: Any, place: str) -> list[Condition]:
        if fact not in self._facts.model_fields:
            self._refuse(place, f"unknown fact {fact!r}")
        tests = test if isinstance(test, Mapping) else {"is": test}
        if not tests:
            self._refuse(place, f"{fact}: no condition")
        return [self.condition(fact, name, bound, f"{place}: {fact}") for name, bound in tests.items()]

    def condition(self, fact: str, name: Any, bound: Any, place: str) -> Condition:
        says = f"{fact} {name} {bound}"
        if name in {"in", "not_in"}:
            if not bound:
                self._refuse(place, f"{name} needs values")
            values = frozenset(self.bound(fact, item, place) for item in self.items(bound, place))
            inside = name == "in"
            return Condition(fact=fact, says=says, holds=lambda saw: (saw in values) is inside)
        value = self.bound(fact, bound, place)
        if name in {"is", "is_not"}:
            same = name == "is"
            return Condition(fact=fact, says=says, holds=lambda saw: (saw == value) is same)
        if name not in _COMPARISONS:
            self._refuse(place, f"unknown operator {name!r}")
        if isinstance(value, bool | str) or value is None:
            self._refuse(place, f"{name} needs a number or an amount, not {value!r}")
        return Condition(fact=fact, says=says, holds=_comparison(_COMPARISONS[name], value))

    def bound(self, fact: str, value: Any, place: str) -> Any:
        """The bound as the fact's own type, checked against the facts' model."""
        annotation = self._facts.model_fields[fact].annotation
        if value is None and type(None) in get_args(annotation):
            return None
        expected = _plain(annotation)
        if Money in expected:
            return parse_money(value, f"{self._source}: {place}")
        if isinstance(value, bool) is not (expected == {bool}) or type(value) not in expected:
            self._refuse(place, f"{value!r} is no {' or '.join(sorted(t.__name__ for t in expected))}")
        choices = _choices(annotation)
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
        if str(extra["risk"]) not in {"low", "medium", "high"}:
            self._refuse(place, f"risk {extra['risk']!r} is none of low, medium, high")
        due = _DURATION.fullmatch(str(extra["due"]))
        if due is None:
            self._refuse(place, f"due {extra['due']!r} is no duration like 8h")
        return Consequence(
            outcome=Outcome.REVIEW,
            reason=reason,
            ladder=ladder,
            due=timedelta(**{_UNITS[due[2]]: int(due[1])}),
            risk=extra["risk"],
        )

    def mapping(self, item: Any, place: str, names: set[str]) -> Mapping[str, Any]:
        if not isinstance(item, Mapping):
            self._refuse(place, "must be a mapping")
        if unknown := set(item) - names:
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


def _plain(annotation: Any) -> set[type]:
    """The plain types of a fact's annotation: Annotated, Optional and Literal taken apart."""
    if annotation is None or annotation is type(None):
        return set()
    if get_origin(annotation) is None:
        return {annotation} if isinstance(annotation, type) else set()
    choices = _choices(annotation)
    if choices:
        return {type(choice) for choice in choices}
    return {kind for part in get_args(annotation) for kind in _plain(part)}


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if str(get_origin(annotation)) == "typing.Literal" else ()

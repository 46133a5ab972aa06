"""Conditions of rule tables: closed operators over typed facts, and nothing else."""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, get_args, get_origin

from nodes.facts import Facts, Moment
from nodes.rules import Condition
from nodes.strict_yaml import Reader
from tools.money import Money

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "below": operator.lt,
    "at_most": operator.le,
    "above": operator.gt,
    "at_least": operator.ge,
}
_EXAMPLE_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # examples give ages; any day will do

_Test: TypeAlias = tuple[tuple[Any, ...], Callable[[Any], bool]]


class ConditionReader(Reader):
    """Reads conditions on the facts of one model."""

    def __init__(self, source: str, facts: type[Facts]) -> None:
        super().__init__(source)
        self.facts = facts

    def when(self, item: Any, place: str) -> tuple[Condition, ...]:
        """All conditions of a row, each fact with its tests."""
        if not isinstance(item, Mapping):
            self.refuse(place, "when must be a mapping of facts")
        return tuple(c for fact, test in item.items() for c in self.conditions(fact, test, place))

    def conditions(self, fact: Any, test: Any, place: str) -> list[Condition]:
        """The tests of one fact: a value, or operators with their bounds."""
        if fact not in self.facts.model_fields:
            self.refuse(place, f"unknown fact {fact!r}")
        tests = test if isinstance(test, Mapping) else {"is": test}
        if not tests:
            self.refuse(place, f"{fact}: no condition")
        return [self._condition(fact, name, bound, f"{place}: {fact}") for name, bound in tests.items()]

    def _condition(self, fact: str, name: Any, bound: Any, place: str) -> Condition:
        says = f"{fact} {name} {bound}"
        if Moment in plain_types(self.facts.model_fields[fact].annotation):
            bounds, holds = self._date_window(name, bound, place)
        elif name in {"in", "not_in"}:
            bounds, holds = self._membership(fact, name, bound, place)
        elif name in {"is", "is_not"}:
            value = self._bound(fact, bound, place)
            bounds, holds = (value,), _equality(name, value)
        elif name in {"in_currency", "not_in_currency"}:
            bounds, holds = self._currency(fact, name, bound, place)
        elif name == "between":
            bounds, holds = self._range(fact, bound, place)
        elif name in _COMPARISONS:
            bounds = (self._ordered(fact, name, bound, place),)
            holds = _comparison(_COMPARISONS[name], bounds[0])
        else:
            self.refuse(place, f"unknown operator {name!r}")
        return Condition(fact=fact, says=says, bounds=bounds, holds=holds)

    def _membership(self, fact: str, name: str, bound: Any, place: str) -> _Test:
        if not bound:
            self.refuse(place, f"{name} needs values")
        values = frozenset(self._bound(fact, item, place) for item in self.items(bound, place))
        inside = name == "in"
        return tuple(sorted(values, key=str)), lambda saw: (saw in values) is inside

    def _currency(self, fact: str, name: str, bound: Any, place: str) -> _Test:
        if Money not in plain_types(self.facts.model_fields[fact].annotation):
            self.refuse(place, f"{name} is asked of amounts")
        none = self.money(f"0 {bound}", place)
        same = name == "in_currency"
        return (none,), lambda saw: (saw.currency == none.currency) is same

    def _range(self, fact: str, bound: Any, place: str) -> _Test:
        ends = self.items(bound, place)
        if len(ends) != len(("from", "to")):
            self.refuse(place, "between needs two bounds, the lower one first")
        low, high = (self._ordered(fact, "between", end, place) for end in ends)
        if not _comparison(operator.le, high)(low):
            self.refuse(place, f"between {ends[0]} and {ends[1]} there is nothing")
        above, below = _comparison(operator.ge, low), _comparison(operator.le, high)
        return (low, high), lambda saw: above(saw) and below(saw)

    def _date_window(self, name: Any, bound: Any, place: str) -> _Test:
        """A moment is `within` a time before it is judged, or `older_than` that; `is: null` asks for none."""
        if name in {"is", "is_not"} and bound is None:
            return (None,), _equality(name, None)
        if name not in {"within", "older_than"}:
            self.refuse(place, f"unknown operator {name!r} of a date: within, older_than")
        age, young = self.duration(bound, place), name == "within"
        return (age,), lambda saw: saw is not None and (saw.age <= age) is young

    def _ordered(self, fact: str, name: str, bound: Any, place: str) -> Any:
        value = self._bound(fact, bound, place)
        if isinstance(value, bool | str) or value is None:
            self.refuse(place, f"{name} needs a number or an amount, not {value!r}")
        return value

    def _bound(self, fact: str, value: Any, place: str) -> Any:
        """The bound as the fact's own type, checked against the facts' model."""
        annotation = self.facts.model_fields[fact].annotation
        if value is None and type(None) in get_args(annotation):
            return None
        expected = plain_types(annotation)
        if Money in expected:
            return self.money(value, place)
        if isinstance(value, bool) is not (expected == {bool}) or type(value) not in expected:
            self.refuse(place, f"{value!r} is no {' or '.join(sorted(t.__name__ for t in expected))}")
        choices = choices_of(annotation)
        if choices and value not in choices:
            self.refuse(place, f"{value!r} is none of {', '.join(map(str, choices))}")
        return value

    def example(self, item: Any, place: str) -> dict[str, Any]:
        """A worked example: values of facts, amounts and ages as they are written in conditions."""
        if not isinstance(item, Mapping):
            self.refuse(place, f"{item!r} is no mapping of facts")
        if unknown := set(item) - set(self.facts.model_fields):
            self.refuse(place, f"unknown facts: {', '.join(map(str, sorted(unknown, key=str)))}")
        return {str(name): self._example_value(str(name), value, place) for name, value in item.items()}

    def _example_value(self, fact: str, value: Any, place: str) -> Any:
        """A fact of an example: an amount or an age as it is written in conditions, else the value itself."""
        expected = plain_types(self.facts.model_fields[fact].annotation)
        if value is not None and Money in expected:
            return self.money(value, f"{place}: {fact}")
        if value is not None and Moment in expected:
            return Moment(at=_EXAMPLE_DAY - self.duration(value, f"{place}: {fact}"), as_of=_EXAMPLE_DAY)
        if not isinstance(value, bool | int | str | None):
            self.refuse(place, f"{fact}: {value!r} is no value of a fact")
        return value


def _equality(name: str, value: Any) -> Callable[[Any], bool]:
    """Equality with a value, or the opposite of it."""
    return (lambda saw: saw == value) if name == "is" else (lambda saw: saw != value)


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

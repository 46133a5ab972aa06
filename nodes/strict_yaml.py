"""YAML read strictly: what a person writes wrong by mistake is refused, with the file and the place in it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import yaml

from checkpoints.canonical import NotCanonical, canonical
from tools.money import Money, minor_digits

C = TypeVar("C", bound=StrEnum)
_MONEY = re.compile(r"(-?[0-9]{1,30}(?:\.[0-9]{1,30})?) ([A-Z]{3})")
_DURATION = re.compile(r"([0-9]{1,5})(b(?=[mh]))?([mhd])")
_SECONDS = re.compile(r"([0-9]{1,5})s")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class TableUnfit(Exception):
    """A rule table or a role file cannot be used; the message names file, row and field."""


def load_yaml(text: str, source: str) -> Any:
    """The document; raises TableUnfit if it is not YAML, or says a key twice."""
    try:
        return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except (
        yaml.YAMLError,
        RecursionError,
        ValueError,
        OverflowError,
    ) as error:  # such as the 30th of February
        raise TableUnfit(f"{source}: not YAML: {error}") from error


class _OnceLoader(yaml.SafeLoader):
    """A safe loader that refuses a key said twice: YAML's last one would win, silently."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if why := _unread(event):
            raise yaml.composer.ComposerError(None, None, why, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            counts = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
            doubled = sorted(str(key) for key, count in counts.items() if count > 1)
            said = f"said twice from line {node.start_mark.line + 1}: {', '.join(doubled)}"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
        return mapping

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Nothing is merged: a merge key has no meaning here, and is refused as such."""


def _unread(event: yaml.Event) -> str | None:
    """Why a part of a document is not read, None if it is: what it is goes by how it is written."""
    if isinstance(event, yaml.AliasEvent):
        return "aliases are not read: write it out"
    if getattr(event, "tag", None) is not None:
        return "tags are not read: what a value is goes by how it is written"
    if isinstance(event, yaml.ScalarEvent) and _UNSTORABLE.search(event.value):
        return "text holds a NUL character or a lone surrogate"
    return None


_OnceLoader.yaml_implicit_resolvers = {
    letter: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:int"]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_OnceLoader.add_implicit_resolver(  # whole numbers as JSON writes them: no octal, no sixties
    "tag:yaml.org,2002:int", re.compile(r"-?(0|[1-9][0-9]*)$"), list("-0123456789")
)


class Reader:
    """Reads the parts of a document; every refusal names the file and the place in it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def mapping(
        self, item: Any, place: str, names: set[str], *, optional: set[str] | None = None
    ) -> Mapping[str, Any]:
        """A mapping with exactly these keys, the optional ones aside."""
        if not isinstance(item, Mapping):
            self.refuse(place, "must be a mapping")
        if unknown := set(item) - names - (optional or set()):
            self.refuse(place, f"unknown fields: {', '.join(map(str, sorted(unknown, key=str)))}")
        if missing := names - set(item):
            self.refuse(place, f"missing fields: {', '.join(sorted(missing))}")
        return item

    def items(self, item: Any, place: str) -> Sequence[Any]:
        """A list."""
        if not isinstance(item, list):
            self.refuse(place, "must be a list")
        return item

    def text(self, item: Any, place: str) -> str:
        """Text that is not blank."""
        if not isinstance(item, str) or not item.strip():
            self.refuse(place, f"{item!r} is no text")
        return item

    def choice(self, item: Any, place: str, choices: type[C]) -> C:
        """One of the values of an enumeration."""
        if item not in list(choices):
            self.refuse(place, f"{item!r} is none of {', '.join(choices)}")
        return choices(item)

    def duration(self, item: Any, place: str, *, working: bool = False) -> timedelta:
        """A time such as `30m`, `8h` or `2d`; where working time may be meant also `8bh` (business hours)."""
        found = _DURATION.fullmatch(str(item))
        if found is None or (found[2] and not working):
            self.refuse(place, f"{item!r} is no duration like 8h")
        return timedelta(**{_UNITS[found[3]]: int(found[1])})

    def short_duration(self, item: Any, place: str) -> timedelta:
        """A time that may be as short as seconds, such as `8s`, `30m` or `8h`."""
        found = _SECONDS.fullmatch(str(item))
        return timedelta(seconds=int(found[1])) if found else self.duration(item, place)

    def canonical(self, item: Any, place: str) -> None:
        """Refuse what has no exact JSON form."""
        try:
            canonical(item)
        except NotCanonical as error:
            self.refuse(place, str(error))

    def money(self, item: Any, place: str) -> Money:
        """An amount such as `50.00 EUR`."""
        return parse_money(item, f"{self.source}: {place}")

    def refuse(self, place: str, why: str) -> NoReturn:
        """Raise TableUnfit for a place in the file."""
        raise TableUnfit(f"{self.source}: {place}: {why}")


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

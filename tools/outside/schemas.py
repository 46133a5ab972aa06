"""Models from JSON schemas: strict, bounded arguments, and answers; what is not understood is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from tools.contract import Arguments, FieldClass, Marked, Record, Trust

MOST_PARTS, MOST_DEPTH, MOST_CHOICES = 400, 8, 200
LONGEST_PATTERN = 300
EXACT = 2**53 - 1
"""The largest whole number that JSON holds exactly."""

_SAYS_NOTHING = frozenset(
    {
        *("title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$schema", "$id", "$comment", "$defs", "definitions", "components", "xml", "externalDocs"),
    }
)
_ANY = _SAYS_NOTHING | {"type", "nullable", "enum", "const"}
_KNOWN = {
    "string": _ANY | {"minLength", "maxLength", "pattern", "format"},
    "integer": _ANY | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"},
    "number": _ANY | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"},
    "boolean": _ANY,
    "array": _ANY | {"items", "minItems", "maxItems", "uniqueItems"},
    "object": _ANY | {"properties", "required", "additionalProperties"},
}
_FORMATS = frozenset(
    {
        *(
            "date",
            "date-time",
            "time",
            "duration",
            "email",
            "hostname",
            "ipv4",
            "ipv6",
            "uri",
            "uri-reference",
        ),
        *("uuid", "int32", "int64", "float", "double", "password"),
    }
)
_BOUNDS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_REFERENCE = re.compile(r"#((/[A-Za-z0-9_.$-]+)+)")


class SchemaUnfit(ValueError):
    """A schema says something that cannot be held to; the message names the place."""


class Answered(Record):
    """What a system outside answered: what it said more than it declared is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Marking:
    """What is known of fields by their names; of what is not named the worst is taken for true.

    Attributes:
        open: strings that are not personal.
        records: fields whose values count as a system's record; all others of an answer are untrusted.
    """

    open: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """What is made of a schema."""

    base: type[BaseModel]
    longest: int
    most_items: int
    trust: Trust


_ARGUMENTS = _Kind(base=Arguments, longest=10_000, most_items=100, trust=Trust.RECORD)
_ANSWER = _Kind(base=Answered, longest=100_000, most_items=1_000, trust=Trust.UNTRUSTED)


def arguments_of(name: str, schema: Mapping[str, Any], marking: Marking) -> type[Arguments]:
    """The strict model of a tool's arguments; raises SchemaUnfit."""
    model = _Reader(schema, marking, _ARGUMENTS).whole(name)
    assert issubclass(model, Arguments)
    return model


def answer_of(name: str, schema: Mapping[str, Any], marking: Marking) -> type[Answered]:
    """The model of what a tool answers, all of it untrusted but what is marked; raises SchemaUnfit."""
    model = _Reader(schema, marking, _ANSWER).whole(name)
    assert issubclass(model, Answered)
    return model


def on_the_wire(model: BaseModel) -> dict[str, Any]:
    """The model as JSON for the system it goes to: what is optional and not given is left out."""
    return {
        name: _wire(getattr(model, name))
        for name, info in type(model).model_fields.items()
        if info.is_required() or getattr(model, name) is not None
    }


def _wire(value: Any) -> Any:
    match value:
        case BaseModel():
            return on_the_wire(value)
        case list():
            return [_wire(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case _:
            return value


@dataclass(slots=True)
class _Reader:
    """Reads one schema, part by part, and counts the parts, references followed included."""

    root: Mapping[str, Any]
    marking: Marking
    kind: _Kind
    parts: int = field(default=0)

    def whole(self, name: str) -> type[BaseModel]:
        schema = self._resolved(self.root, "", 0)
        if schema.get("type") != "object":
            raise SchemaUnfit("it is no object")
        try:
            return self._object(schema, name, "", 0)
        except (SchemaError, PydanticUserError, RecursionError) as error:
            raise SchemaUnfit(f"no model can be made of it: {type(error).__name__}") from error

    def _object(self, schema: Mapping[str, Any], name: str, place: str, depth: int) -> type[BaseModel]:
        self._require_known(schema, "object", place)
        if isinstance(schema.get("additionalProperties", False), Mapping):
            raise SchemaUnfit(f"{place or '/'}: names of its fields are not known")
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            raise SchemaUnfit(f"{place or '/'}: its properties cannot be read")
        if unknown := [one for one in required if one not in properties]:
            raise SchemaUnfit(f"{place or '/'}: {unknown[0]!r} is required and not described")
        fields: dict[str, Any] = {}
        for key, part in properties.items():
            where = f"{place}/{key}"
            if not isinstance(key, str) or not _NAME.fullmatch(key) or hasattr(self.kind.base, key):
                raise SchemaUnfit(f"{where[:100]}: a field cannot be called that")
            annotation = self._marked(part, key, f"{name}_{key}", where, depth + 1)
            fields[key] = annotation if key in required else (Optional[annotation], None)  # noqa: UP045 - made at run time
        made: type[BaseModel] = create_model(name, __base__=self.kind.base, __doc__="", **fields)
        return made

    def _marked(self, part: Any, key: str, name: str, place: str, depth: int) -> Any:
        """The type of a field, with how sensitive it is and how far it is to be trusted."""
        annotation, open_ = self._type(part, name, place, depth)
        public = open_ or key in self.marking.open
        trust = Trust.RECORD if key in self.marking.records else self.kind.trust
        mark = Marked(field_class=FieldClass.INTERNAL if public else FieldClass.PERSONAL, trust=trust)
        return Annotated[annotation, mark]

    def _type(self, part: Any, name: str, place: str, depth: int) -> tuple[Any, bool]:
        """A part's type, and whether nothing personal can be in it."""
        schema = self._resolved(part, place, depth)
        schema, nullable = self._without_null(schema, place, depth)
        word = schema.get("type")
        if "enum" in schema or "const" in schema:
            annotation, open_ = self._choice(schema, place), True
        elif word == "string":
            annotation, open_ = self._string(schema, place), False
        elif word == "integer":
            annotation, open_ = self._integer(schema, place), True
        elif word == "number":
            annotation, open_ = self._number(schema, place), True
        elif word == "boolean":
            self._require_known(schema, "boolean", place)
            annotation, open_ = bool, True
        elif word == "array":
            annotation, open_ = self._array(schema, name, place, depth)
        elif word == "object":
            # Its own fields say what is personal in it.
            annotation, open_ = self._object(schema, name, place, depth), True
        else:
            raise SchemaUnfit(f"{place}: nothing says what it is")
        return (Optional[annotation] if nullable else annotation), open_  # noqa: UP045 - made at run time

    def _resolved(self, part: Any, place: str, depth: int) -> Mapping[str, Any]:
        """The part itself, or what it refers to within the document."""
        for _ in range(MOST_DEPTH):
            self.parts += 1
            if depth > MOST_DEPTH or self.parts > MOST_PARTS:
                raise SchemaUnfit(f"{place[:100] or '/'}: it is too deep, or has too many parts")
            if not isinstance(part, Mapping):
                raise SchemaUnfit(f"{place or '/'}: it is no schema")
            single = part.get("allOf")
            if isinstance(single, list) and len(single) == 1 and not part.keys() - _SAYS_NOTHING - {"allOf"}:
                part = single[0]
            elif "$ref" not in part:
                return part
            elif part.keys() - _SAYS_NOTHING - {"$ref"}:
                raise SchemaUnfit(f"{place or '/'}: it refers to another part and changes it")
            else:
                part = self._referred(part["$ref"], place)
        raise SchemaUnfit(f"{place or '/'}: its references lead nowhere")

    def _referred(self, reference: Any, place: str) -> Any:
        if not isinstance(reference, str) or not (found := _REFERENCE.fullmatch(reference)):
            raise SchemaUnfit(f"{place or '/'}: it refers to something outside of the document")
        part: Any = self.root
        for key in found.group(1).split("/")[1:]:
            part = part.get(key) if isinstance(part, Mapping) else None
        return part

    def _without_null(
        self, schema: Mapping[str, Any], place: str, depth: int
    ) -> tuple[Mapping[str, Any], bool]:
        """The schema of what is there, and whether there may be nothing."""
        word = schema.get("type")
        if isinstance(word, list) and "null" in word and len(word) == 2:  # noqa: PLR2004 - something or nothing
            (other,) = [one for one in word if one != "null"] or ["null"]
            return {**schema, "type": other}, True
        for either in ("anyOf", "oneOf"):
            if either in schema and not schema.keys() - _SAYS_NOTHING - {either}:
                options = [self._resolved(one, place, depth + 1) for one in _listed(schema[either], place)]
                rest = [one for one in options if one.get("type") != "null"]
                if len(rest) == 1 and len(rest) < len(options):
                    return rest[0], True
                raise SchemaUnfit(f"{place}: it may be one thing or another ({either})")
        return schema, schema.get("nullable") is True

    def _require_known(self, schema: Mapping[str, Any], word: str, place: str) -> None:
        if unknown := sorted(map(str, schema.keys() - _KNOWN[word])):
            raise SchemaUnfit(f"{place or '/'}: {unknown[0][:60]!r} is not understood")
        if schema.get("format", "uuid") not in _FORMATS:
            raise SchemaUnfit(f"{place}: its format is not understood")

    def _choice(self, schema: Mapping[str, Any], place: str) -> Any:
        word = schema.get("type", "string")
        self._require_known(schema, word if word in _KNOWN else "string", place)
        values = [schema["const"]] if "const" in schema else _listed(schema["enum"], place)
        if not 0 < len(values) <= MOST_CHOICES or any(type(one) not in {str, int} for one in values):
            raise SchemaUnfit(f"{place}: its values are not a few strings or whole numbers")
        return Literal[tuple(values)]

    def _string(self, schema: Mapping[str, Any], place: str) -> Any:
        self._require_known(schema, "string", place)
        pattern = schema.get("pattern")
        if pattern is not None and not (isinstance(pattern, str) and len(pattern) <= LONGEST_PATTERN):
            raise SchemaUnfit(f"{place}: its pattern cannot be used")
        least = _count(schema, "minLength", 0, place)
        most = min(_count(schema, "maxLength", self.kind.longest, place), self.kind.longest)
        return Annotated[str, Field(min_length=least, max_length=most, pattern=pattern)]

    def _integer(self, schema: Mapping[str, Any], place: str) -> Any:
        self._require_known(schema, "integer", place)
        bounds: dict[str, Any] = {"ge": -EXACT, "le": EXACT, **self._bounds(schema, place)}
        if any(value != int(value) for value in bounds.values()):
            raise SchemaUnfit(f"{place}: the bounds of a whole number are not whole")
        whole: dict[str, Any] = {key: int(value) for key, value in bounds.items()}
        return Annotated[int, Field(strict=True, **whole)]

    def _number(self, schema: Mapping[str, Any], place: str) -> Any:
        """Exact, as a decimal: a float has no place in what is signed."""
        self._require_known(schema, "number", place)
        bounds: dict[str, Any] = {
            key: Decimal(str(value)) for key, value in self._bounds(schema, place).items()
        }
        limits = Field(strict=False, allow_inf_nan=False, max_digits=30, **bounds)
        return Annotated[Decimal, BeforeValidator(_exact), limits]

    def _bounds(self, schema: Mapping[str, Any], place: str) -> dict[str, int | float]:
        bounds = {mine: schema[theirs] for theirs, mine in _BOUNDS.items() if theirs in schema}
        if any(type(value) not in {int, float} or abs(value) > EXACT for value in bounds.values()):
            raise SchemaUnfit(f"{place}: its bounds are no numbers")
        return bounds

    def _array(self, schema: Mapping[str, Any], name: str, place: str, depth: int) -> tuple[Any, bool]:
        self._require_known(schema, "array", place)
        if "items" not in schema:
            raise SchemaUnfit(f"{place}: nothing says what its items are")
        item, open_ = self._type(schema["items"], name, f"{place}/items", depth + 1)
        least = _count(schema, "minItems", 0, place)
        most = min(_count(schema, "maxItems", self.kind.most_items, place), self.kind.most_items)
        made: Any = list[item]  # type: ignore[valid-type] # made at run time
        return Annotated[made, Field(min_length=least, max_length=most)], open_


def _exact(value: Any) -> Decimal:
    """A number as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("it is no number")  # noqa: TRY004 - pydantic turns this one into its own
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("it is no number") from error


def _listed(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise SchemaUnfit(f"{place}: it is no list")
    return value


def _count(schema: Mapping[str, Any], word: str, usual: int, place: str) -> int:
    value = schema.get(word, usual)
    if type(value) is not int or value < 0:
        raise SchemaUnfit(f"{place}: {word} is no number of things")
    return value

"""Operations of OpenAPI documents as definitions: what they take, where it goes, and what they answer."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.contract import ToolUnavailable
from tools.outside.definition import Definition, DefinitionUnfit

MOST_BYTES, MOST_REFERRED = 5_000_000, 200
JSON = "application/json"
READS = {"GET", "HEAD"}
_METHODS = {"get", "head", "post", "put", "patch", "delete"}
_ODD = {"content", "allowReserved"}
_STYLES = {"path": "simple", "query": "form"}


class _NoAliases(yaml.SafeLoader):
    """A safe loader in which nothing stands for something else: a few aliases make a document without end."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "there is an alias in it", None)
        return super().compose_node(parent, index)


def read_document(path: Path) -> Mapping[str, Any]:
    """The document in a file, JSON or YAML; raises ToolUnavailable."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ToolUnavailable("the document is too large")
        document = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=_NoAliases)  # noqa: S506 - a SafeLoader
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ToolUnavailable(f"the document cannot be read: {type(error).__name__}") from error
    if not isinstance(document, Mapping) or not str(document.get("openapi", "")).startswith("3."):
        raise ToolUnavailable("the document is no OpenAPI 3")
    return document


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation where it stands in the document.

    Attributes:
        shared: the parameters of all operations of its path.
    """

    method: str
    path: str
    said: Mapping[str, Any]
    shared: Sequence[Any]


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    """By their ids, the operations whose id is their own."""
    found: list[tuple[str, Operation]] = []
    for path, item in _mapping(document.get("paths")).items():
        for method, said in _mapping(item).items():
            if method in _METHODS and isinstance(said, Mapping) and "operationId" in said:
                shared = item.get("parameters", [])
                one = Operation(method=method.upper(), path=str(path), said=said, shared=shared)
                found.append((str(said["operationId"]), one))
    ids = [name for name, _ in found]
    yield from (one for one in found if ids.count(one[0]) == 1)


def definition_of(
    system: str, name: str, operation: Operation | None, document: Mapping[str, Any]
) -> Definition:
    """What an operation comes to under the name that it gets here; raises DefinitionUnfit."""
    if operation is None:
        raise DefinitionUnfit("there is no such operation, or there are several")
    reading = _Reading(document)
    for said in (*operation.shared, *_listed(operation.said.get("parameters", []))):
        reading.parameter(reading.resolved(said))
    reading.body(operation.said.get("requestBody"))
    placed = {part for part, where in reading.places.items() if where == "path"}
    if placed != set(re.findall(r"\{([^{}]*)\}", operation.path)) or not operation.path.startswith("/"):
        raise DefinitionUnfit("its path and the parameters of its path do not go together")
    texts = (operation.said.get("summary"), operation.said.get("description"))
    return Definition.of(
        system,
        name,
        description="\n".join(text for text in texts if isinstance(text, str)),
        arguments={
            "type": "object",
            "properties": reading.properties,
            "required": sorted(reading.required),
            **reading.closure(reading.properties),
        },
        answer=reading.answer(operation.said.get("responses")),
        hints=_hints(operation.method),
        wire={"method": operation.method, "path": operation.path, "in": reading.places},
    )


def _hints(method: str) -> dict[str, bool]:
    """What the method promises by RFC 9110; POST promises nothing, and may be anything."""
    if method in READS:
        return {"readOnlyHint": True}
    if method == "POST":
        return {}
    return {"readOnlyHint": False, "destructiveHint": True} | (
        {} if method == "PATCH" else {"idempotentHint": True}
    )


class _Reading:
    """Reads one operation: what it takes, and where each argument goes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.properties: dict[str, Any] = {}
        self.required: set[str] = set()
        self.places: dict[str, str] = {}

    def resolved(self, part: Any) -> Mapping[str, Any]:
        for _ in range(MOST_REFERRED):
            if not isinstance(part, Mapping):
                break
            if "$ref" not in part:
                return part
            part = self._referred(part["$ref"])
        raise DefinitionUnfit("it refers to what is not there")

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise DefinitionUnfit("it refers to something outside of the document")
        part: Any = self._document
        for key in reference[2:].split("/"):
            part = part.get(key) if isinstance(part, Mapping) else None
        return part

    def parameter(self, said: Mapping[str, Any]) -> None:
        name, where, required = said.get("name"), said.get("in"), said.get("required") is True
        if where not in _STYLES:
            if required:
                raise DefinitionUnfit(f"it needs something in its {where}")
            return
        odd_style = said.get("style", _STYLES[where]) != _STYLES[where] or said.get("explode") is False
        if odd_style or said.keys() & _ODD or not isinstance(name, str):
            raise DefinitionUnfit(f"{str(name)[:60]!r} is written in a way that is not understood")
        if where == "path" and self.resolved(said.get("schema")).get("type") in {"array", "object"}:
            raise DefinitionUnfit(f"{name[:60]!r} is more than one value in a path")
        self._add(name, where, said.get("schema"), required=required or where == "path")

    def body(self, said: Any) -> None:
        if said is None:
            return
        body = self.resolved(said)
        schema = self.resolved(_mapping(_mapping(body.get("content")).get(JSON)).get("schema"))
        if schema.get("type") != "object" or schema.keys() - {
            *("type", "properties", "required", "title", "description", "example", "additionalProperties")
        }:
            raise DefinitionUnfit("its body is no plain object in JSON")
        if isinstance(schema.get("additionalProperties"), Mapping):
            raise DefinitionUnfit("the names of its body's fields are not known")
        needed = schema.get("required", []) if body.get("required") is True else []
        for name, part in _mapping(schema.get("properties")).items():
            self._add(str(name), "body", part, required=name in needed)

    def _add(self, name: str, where: str, schema: Any, *, required: bool) -> None:
        if name in self.places:
            raise DefinitionUnfit(f"two of its arguments are called {name[:60]!r}")
        self.properties[name], self.places[name] = schema, where
        if required:
            self.required.add(name)

    def answer(self, responses: Any) -> dict[str, Any] | None:
        """The schema of what it answers when all is well; None if that is no object in JSON."""
        for status, said in _mapping(responses).items():
            if str(status) in {"200", "201", "2XX"}:
                content = _mapping(self.resolved(said).get("content"))
                schema = _mapping(content.get(JSON)).get("schema")
                if schema is not None and self.resolved(schema).get("type") == "object":
                    return {**self.resolved(schema), **self.closure(schema)}
        return None

    def closure(self, part: Any) -> dict[str, Any]:
        """The schemas that a part refers to, and those that they refer to, where references look for them."""
        found: dict[str, Any] = {}
        left = list(_references(part))
        while left:
            name = left.pop()
            if name not in found:
                if len(found) >= MOST_REFERRED:
                    raise DefinitionUnfit("it refers to too much")
                found[name] = self._referred(f"#/components/schemas/{name}")
                left += _references(found[name])
        return {"components": {"schemas": found}} if found else {}


def _references(part: Any) -> Iterator[str]:
    match part:
        case Mapping():
            for key, value in part.items():
                if key == "$ref" and isinstance(value, str):
                    yield value.removeprefix("#/components/schemas/")
                else:
                    yield from _references(value)
        case list():
            for one in part:
                yield from _references(one)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise DefinitionUnfit("its parameters are no list")
    return value

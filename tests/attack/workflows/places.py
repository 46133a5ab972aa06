"""Places: where a case's records can carry somebody's text, found in the records' own types.

Every string of a record that a workflow reads is a place, unless its type says what it must look like, or it
is an id or a digest. So a new text field is covered without anybody remembering it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nodes.marks import mark_of
from nodes.workflow import Workflow
from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused, Trust
from tools.registry import Registry

_NO_TEXT = ("_id", "_ids", "sha256", "digest", "dossier")
"""How the names of strings end that say which one, and never anything else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a text stands.

    Attributes:
        record: the record's name in the workflow, or the agent's.
        path: the field, and those within it; `error` for what a system says when it refuses.
        tool: the tool that reads the record; empty for what an agent says.
    """

    record: str
    path: tuple[str, ...]
    tool: str = ""

    def __str__(self) -> str:
        """As the table names it."""
        return f"{self.record}.{'.'.join(self.path)}"


ERROR = ("error",)


def places_of(workflow: Workflow, registry: Registry) -> list[Place]:
    """Every place of a workflow: in what is read, in what systems say that refuse, in what agents say."""
    found = []
    for source in workflow.sources:
        result = registry.describe(source.tool).result
        found += [Place(record=source.name, path=path, tool=source.tool) for path in texts_of(result)]
        found.append(Place(record=source.name, path=ERROR, tool=source.tool))
    for name, role in workflow.agents.items():
        found += [Place(record=name, path=path) for path in words_of(role.output)]
    return found


def texts_of(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """The paths of a record's strings in which anything may stand."""
    for name, info in model.model_fields.items():
        if not name.endswith(_NO_TEXT) and not _shaped(info.metadata):
            for path in _within(info.annotation):
                yield (name, *path)


def words_of(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """The fields of an agent's output that are its own free words."""
    fields = model.model_fields
    return [(name,) for name, info in fields.items() if info.annotation is str and _own(model, name)]


def _own(model: type[BaseModel], name: str) -> bool:
    return mark_of(model, name).trust is Trust.MODEL


def _within(annotation: Any) -> Iterator[tuple[str, ...]]:
    if annotation is str:
        yield ()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from texts_of(annotation)
    elif get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if not _shaped(metadata):
            yield from _within(inner)
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _within(part)


def _shaped(metadata: Any) -> bool:
    """Whether a type says what its strings must look like."""
    inner = [one for item in metadata if isinstance(item, FieldInfo) for one in item.metadata]
    return any(getattr(one, "pattern", None) for one in (*metadata, *inner))


class Planting:
    """Reads that carry a text at one place; `reached` counts how often it stood there."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self.text = ""
        self.reached = 0

    def plant(self, place: Place | None, text: str) -> None:
        """From now on the text stands at this place, and nowhere else."""
        self.place, self.text, self.reached = place, text, 0

    def planted(self, tool: Tool) -> Tool:
        """The tool, whose answers carry the text where it is planted."""
        if tool.effect is not Effect.READ:
            return tool

        async def perform(arguments: Arguments, call: Call) -> Record:
            place = self.place
            if place is None or place.tool != tool.name:
                return await tool.perform(arguments, call)
            if place.path == ERROR:
                self.reached += 1
                raise ToolRefused(self.text)
            answer = await tool.perform(arguments, call)
            return tool.result.model_validate(self._at(answer, place.path), from_attributes=True)

        return replace(tool, perform=perform)

    def _at(self, value: Any, path: tuple[str, ...]) -> Any:
        match value:
            case str() if not path:
                self.reached += 1
                return f"{value}\n{self.text}" if "\n" in value else f"{value} {self.text}"
            case None if not path:
                self.reached += 1
                return self.text
            case list() | tuple():
                return type(value)(self._at(item, path) for item in value)
            case BaseModel() if path:
                name, *rest = path
                return value.model_copy(update={name: self._at(getattr(value, name), tuple(rest))})
            case _:
                return value

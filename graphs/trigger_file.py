"""Which tables and folders cases begin from: read from YAML, refused if anything about it is odd."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from checkpoints.canonical import digest
from graphs.operators_file import Variable, read_file
from nodes.workflow import Workflow
from tools.triggers.folder import Inbox
from tools.triggers.table import Watched

MOST_FIELDS = 40

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
Column = Annotated[str, Field(pattern=r"^[^\x00.]{1,63}$")]
Relation = Annotated[str, Field(pattern=r"^[^\x00.]{1,63}(\.[^\x00.]{1,63})?$")]
Value = StrictStr | StrictBool | StrictInt | None


class TriggersFileUnfit(Exception):
    """The triggers file cannot be used; the message names the file and the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trigger:
    """Where cases of a workflow begin from, and the service of the people file that they begin on behalf of.

    Attributes:
        digest: of all that the file says about it; no address of a database and no secret is in it.
    """

    name: str
    workflow: str
    service: str
    digest: str

    @property
    def source(self) -> str:
        """The CloudEvents source of its events."""
        return f"/triggers/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableTrigger(_Trigger):
    """A table of which each row is an event.

    Attributes:
        rows: digest of which rows of which table.
    """

    watched: Watched
    rows: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderTrigger(_Trigger):
    """A folder of which each file is an event."""

    inbox: Inbox


Trigger: TypeAlias = TableTrigger | FolderTrigger


@dataclass(frozen=True, kw_only=True, slots=True)
class Triggers:
    """All triggers; their names are unique."""

    tables: tuple[TableTrigger, ...] = ()
    folders: tuple[FolderTrigger, ...] = ()

    @property
    def all(self) -> tuple[Trigger, ...]:
        """Every trigger, by name."""
        return tuple(sorted([*self.tables, *self.folders], key=lambda one: one.name))


NO_TRIGGERS = Triggers()
"""Cases begin from events and schedules only."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    name: Name
    workflow: str
    service: Annotated[Name, Field(alias="as")]


class _Table(_Entry):
    database: Variable
    table: Relation
    key: Column
    order: Column
    where: dict[Column, Value] = {}
    data: Annotated[dict[str, Column], Field(min_length=1, max_length=MOST_FIELDS)]


class _Folder(_Entry):
    folder: Annotated[str, Field(pattern=r"^/[^\x00]+$")]


class _TriggersFile(_Strict):
    tables: list[_Table] = []
    folders: list[_Folder] = []

    @model_validator(mode="after")
    def _nothing_twice(self) -> "_TriggersFile":
        _require_unique([one.name for one in [*self.tables, *self.folders]])
        _require_unique([str(Path(one.folder).resolve()) for one in self.folders])
        return self


def _require_unique(values: list[str]) -> None:
    if doubled := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(doubled)} is there twice")


def read_triggers(
    path: Path | None, environment: Mapping[str, str], workflows: Mapping[str, Workflow]
) -> Triggers:
    """What the triggers file says, nothing without one; addresses of databases come from the environment.

    Raises:
        TriggersFileUnfit: the file is odd, or a variable that it names is not there or does not fit.
    """
    content = read_file(path, _TriggersFile, TriggersFileUnfit)
    if path is None or content is None:
        return NO_TRIGGERS
    reading = _Reading(str(path), environment, workflows)
    return Triggers(
        tables=tuple(reading.table(item, f"tables.{at}") for at, item in enumerate(content.tables)),
        folders=tuple(reading.folder(item, f"folders.{at}") for at, item in enumerate(content.folders)),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the file's shape alone cannot say: variables, workflows and the fields of their events."""

    source: str
    environment: Mapping[str, str]
    workflows: Mapping[str, Workflow]

    def table(self, item: _Table, place: str) -> TableTrigger:
        self._require_fields(self._workflow(item, place), item.data, f"{place}.data")
        watched = Watched(
            conninfo=self._address(item.database, f"{place}.database"),
            table=item.table,
            key=item.key,
            order=item.order,
            where=item.where,
            data=item.data,
        )
        rows = item.model_dump(include={"database", "table", "key", "order", "where"})
        return TableTrigger(**_said(item), watched=watched, rows=digest(rows))

    def folder(self, item: _Folder, place: str) -> FolderTrigger:
        self._workflow(item, place)
        return FolderTrigger(**_said(item), inbox=Inbox(Path(item.folder)))

    def _workflow(self, item: _Entry, place: str) -> Workflow:
        found = self.workflows.get(item.workflow)
        if found is None:
            known = ", ".join(sorted(self.workflows))
            raise self._unfit(f"{place}.workflow", f"{item.workflow} is none; there are {known}")
        return found

    def _require_fields(self, workflow: Workflow, data: Mapping[str, str], place: str) -> None:
        fields = workflow.event.model_fields
        if unknown := sorted(set(data) - set(fields)):
            known = ", ".join(sorted(fields))
            raise self._unfit(place, f"{', '.join(unknown)} is none of the event's fields; there are {known}")
        needed = {name for name, field in fields.items() if field.is_required()}
        if missing := sorted(needed - set(data)):
            raise self._unfit(place, f"the event needs {', '.join(missing)}")

    def _address(self, name: str, place: str) -> str:
        address = self.environment.get(name)
        if not address:
            raise self._unfit(place, f"the variable {name} is not set")
        try:
            fit = "dbname" in conninfo_to_dict(address)
        except ProgrammingError:
            fit = False
        if not fit:
            raise self._unfit(
                place, f"the variable {name} is no database address: postgresql://user@host/name"
            )
        return address

    def _unfit(self, place: str, why: str) -> TriggersFileUnfit:
        return TriggersFileUnfit(f"{self.source}: {place}: {why}")


def _said(item: _Entry) -> dict[str, str]:
    named = {"name": item.name, "workflow": item.workflow, "service": item.service}
    return named | {"digest": digest(item.model_dump())}

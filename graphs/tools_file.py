"""Which systems are outside, and how they are reached: read from YAML, refused if anything is odd."""

import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graphs.operators_file import Variable, read_file
from graphs.outside import NOBODY, Outside
from tools.contract import FieldClass, Marked, Tool, Trust
from tools.outside.addresses import AddressUnfit, Destination
from tools.outside.governed import Provider, Settings
from tools.outside.http import MOST_BYTES, Guard
from tools.outside.openapi import OpenApi
from tools.outside.process import Program
from tools.outside.schemas import Marking
from tools.outside.sql import Column, ColumnType, Select, SourceUnfit, SqlDatabase, sql_source

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
Verb = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Field_ = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]


class ToolsFileUnfit(Exception):
    """The tools file cannot be used; the message names the file and the field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Tool(_Strict):
    """What is said of one tool, beside what its system says of it."""

    open: list[Field_] = []
    records: list[Field_] = []
    authority: list[Field_] | None = None

    def settings(self) -> Settings:
        marking = Marking(open=frozenset(self.open), records=frozenset(self.records))
        authority = None if self.authority is None else frozenset(self.authority)
        return Settings(marking=marking, authority=authority)


class _System(_Strict):
    seconds: Annotated[int, Field(ge=1, le=120)] = 10
    most_bytes: Annotated[int, Field(ge=1_000, le=50_000_000)] = MOST_BYTES
    tools: dict[Verb, _Tool] = {}

    @property
    def within(self) -> timedelta:
        return timedelta(seconds=self.seconds)


class _Server(_System):
    """An MCP server: a command of this machine, or an address."""

    command: Annotated[list[str], Field(min_length=1)] | None = None
    folder: Path | None = None
    env: dict[Variable, Variable] = {}
    url: str | None = None
    token_env: Variable | None = None
    allow_private: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one_of_them(self) -> "_Server":
        if (self.command is None) is (self.url is None):
            raise ValueError("give either command or url")
        if self.command is None and (self.folder or self.env):
            raise ValueError("folder and env are of a command")
        if self.url is None and (self.token_env or self.allow_private):
            raise ValueError("token_env and allow_private are of a url")
        return self


class _Api(_System):
    """Operations of an OpenAPI document."""

    document: Path
    url: str
    operations: Annotated[list[str], Field(min_length=1)]
    token_env: Variable | None = None
    allow_private: Annotated[bool, Field(strict=True)] = False


class _Column(_Strict):
    type: ColumnType
    field_class: Annotated[FieldClass, Field(alias="class")]
    trust: Trust = Trust.UNTRUSTED
    nullable: Annotated[bool, Field(strict=True)] = False

    def column(self) -> Column:
        mark = Marked(field_class=self.field_class, trust=self.trust)
        return Column(type=self.type, mark=mark, nullable=self.nullable)


class _Source(_Strict):
    """One SELECT."""

    purpose: Words
    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    parameters: dict[Verb, _Column] = {}
    columns: dict[Verb, _Column]
    one: Annotated[bool, Field(strict=True)] = False
    most_rows: Annotated[int, Field(ge=1, le=10_000)] = 100


class _Database(_Strict):
    url_env: Variable
    seconds: Annotated[int, Field(ge=1, le=120)] = 5
    most_bytes: Annotated[int, Field(ge=1_000, le=50_000_000)] = MOST_BYTES
    sources: Annotated[dict[Verb, _Source], Field(min_length=1)]


class _ToolsFile(_Strict):
    servers: dict[Name, _Server] = {}
    apis: dict[Name, _Api] = {}
    databases: dict[Name, _Database] = {}

    @model_validator(mode="after")
    def _no_name_twice(self) -> "_ToolsFile":
        names = [*self.servers, *self.apis, *self.databases]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two systems are called {', '.join(sorted(doubled))}")
        return self


def read_tools(path: Path | None, environment: Mapping[str, str]) -> Outside:
    """What the tools file says, nobody without one; secrets come from the environment.

    Raises:
        ToolsFileUnfit: the file is odd, or a variable or program that it names is not there.
    """
    content = read_file(path, _ToolsFile, ToolsFileUnfit, empty={})
    if path is None or content is None:
        return NOBODY
    reading = _Reading(path, environment)
    providers: dict[str, Provider] = {
        name: reading.server(name, one) for name, one in content.servers.items()
    }
    providers |= {name: reading.api(name, one) for name, one in content.apis.items()}
    systems: dict[str, _System] = {**content.servers, **content.apis}
    return Outside(
        providers=providers,
        settings={
            f"{system}.{verb}": tool.settings()
            for system, one in systems.items()
            for verb, tool in one.tools.items()
        },
        sources=tuple(tool for name, one in content.databases.items() for tool in reading.sources(name, one)),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the file's shape alone cannot say: variables, addresses, programs, queries."""

    path: Path
    environment: Mapping[str, str]

    def server(self, name: str, said: _Server) -> Provider:
        from tools.outside.mcp import McpServer, OverHttp, OverStdio

        place = f"servers.{name}"
        if said.url is not None:
            guard = self._guard(said.url, f"{place}.url", said, allow_private=said.allow_private)
            over: OverHttp | OverStdio = OverHttp(guard=guard, headers=self._token(said.token_env, place))
        else:
            over = OverStdio(program=self._program(said, place))
        return McpServer(system=name, over=over, timeout=said.within)

    def api(self, name: str, said: _Api) -> OpenApi:
        place = f"apis.{name}"
        return OpenApi(
            system=name,
            document=self.path.parent / said.document,
            operations=tuple(said.operations),
            guard=self._guard(said.url, f"{place}.url", said, allow_private=said.allow_private),
            timeout=said.within,
            headers=self._token(said.token_env, place),
        )

    def sources(self, name: str, said: _Database) -> Iterable[Tool]:
        database = SqlDatabase(
            system=name,
            conninfo=self._variable(said.url_env, f"databases.{name}.url_env"),
            within=timedelta(seconds=said.seconds),
            most_bytes=said.most_bytes,
        )
        for verb, source in said.sources.items():
            try:
                yield sql_source(database, _select(verb, source))
            except SourceUnfit as error:
                raise self._unfit(f"databases.{name}.sources.{verb}", str(error)) from error

    def _program(self, said: _Server, place: str) -> Program:
        assert said.command is not None, "it is a command"
        first, *rest = said.command
        if shutil.which(first) is None:
            raise self._unfit(f"{place}.command", f"there is no program {shlex.quote(first)}")
        return Program(
            command=first,
            arguments=tuple(rest),
            folder=None if said.folder is None else str(said.folder),
            environment={
                theirs: self._variable(ours, f"{place}.env.{theirs}") for theirs, ours in said.env.items()
            },
            most_bytes=said.most_bytes,
        )

    def _guard(self, url: str, place: str, said: _System, *, allow_private: bool) -> Guard:
        try:
            destination = Destination.at(url, allow_private=allow_private)
        except AddressUnfit as error:
            raise self._unfit(place, str(error)) from error
        return Guard.to(destination, most_bytes=said.most_bytes)

    def _token(self, variable: str | None, place: str) -> dict[str, str]:
        if variable is None:
            return {}
        token = self._variable(variable, f"{place}.token_env")
        if not (token.isascii() and token.isprintable()):
            raise self._unfit(f"{place}.token_env", f"what is in {variable} cannot be sent")
        return {"Authorization": f"Bearer {token}"}

    def _variable(self, name: str, place: str) -> str:
        value = self.environment.get(name)
        if not value:
            raise self._unfit(place, f"the variable {name} is not set")
        return value

    def _unfit(self, place: str, why: str) -> ToolsFileUnfit:
        return ToolsFileUnfit(f"{self.path}: {place}: {why}")


def _select(name: str, said: _Source) -> Select:
    columns: dict[str, Any] = {
        word: {column: one.column() for column, one in getattr(said, word).items()}
        for word in ("parameters", "columns")
    }
    return Select(
        name=name, purpose=said.purpose, query=said.query, one=said.one, most_rows=said.most_rows, **columns
    )

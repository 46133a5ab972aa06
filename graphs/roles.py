"""Role files: what people may sign and what agents may see, read from YAML and refused if anything is odd."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodes.agent import AgentRole, Output
from nodes.gateway import GATEWAY
from nodes.judge import JUDGE
from nodes.permissions import Permission, Permissions, Role, RolesUnfit, Verb
from nodes.records import View
from nodes.rule_lint import Vocabulary
from nodes.strict_yaml import TableUnfit, load_yaml, parse_money
from nodes.windows import AGENT
from tools.money import Currency

Name = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,40}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _View(_Strict):
    fields: list[str]
    clear: list[str]

    def view(self) -> View:
        return View(fields=tuple(self.fields), clear=frozenset(self.clear))


class _Agent(_View):
    version: str
    proposes: list[str]
    look_ups: list[str]
    model_calls: Annotated[int, Field(ge=1, le=50)]
    patience_seconds: Annotated[int, Field(ge=1, le=600)]


class _Person(_Strict):
    decides: list[str]
    limit: str
    denied: list[str] = []
    keeps: list[str] = []
    includes: list[Name] = []


class RoleFile(_Strict):
    """A workflow's roles, as its YAML file has them."""

    owner: Name
    teams: list[Name]
    currency: Currency
    people: dict[Name, _Person]
    agents: dict[Name, _Agent]
    rules: dict[Name, list[str]]
    reads: list[str]
    reviewer: _View

    def words(self, tool: str, subjects: Collection[str] = ()) -> Vocabulary:
        """The names that a rule table about this tool may use: who can sign it, own it, be measured."""
        permissions = self.permissions()
        return Vocabulary(
            signers=frozenset(
                role for role in self.people if permissions.decide((role,), Verb.DECIDE, tool).allowed
            ),
            owners=frozenset({*self.people, *self.teams}),
            subjects=frozenset({AGENT, *subjects}),
        )

    def permissions(self, source: str = "roles.yaml") -> Permissions:
        """What everybody in the workflow may do; raises RolesUnfit or TableUnfit."""
        proposers = {f"agent:{name}": agent.proposes for name, agent in self.agents.items()}
        proposers |= {f"rule:{name}": tools for name, tools in self.rules.items()}
        proposed = sorted({tool for tools in proposers.values() for tool in tools})
        return Permissions(
            [
                *(self._person(name, person, source) for name, person in self.people.items()),
                *(_role(name, Verb.PROPOSE, tools) for name, tools in proposers.items()),
                _role(JUDGE, Verb.READ, self.reads),
                _role(GATEWAY, Verb.EXECUTE, proposed),
            ]
        )

    def _person(self, name: str, person: _Person, source: str) -> Role:
        place = f"{source}: people: {name}: limit"
        limit = parse_money(person.limit, place)
        if limit.currency != self.currency:
            raise TableUnfit(
                f"{place}: {limit} is not in {self.currency}, in which this workflow's limits are"
            )
        given = tuple(Permission(verb=Verb.DECIDE, on=tool, limit=limit) for tool in person.decides)
        denied = tuple(Permission(verb=Verb.DECIDE, on=tool, deny=True) for tool in person.denied)
        kept = tuple(Permission(verb=Verb.KEEP, on=tool) for tool in person.keeps)
        return Role(name=name, permissions=(*given, *denied, *kept), includes=tuple(person.includes))

    def agent(self, name: str, output: type[Output], prompt: str) -> AgentRole:
        """One agent's role, with its output type and prompt; raises KeyError for an agent not in the file."""
        role = self.agents[name]
        return AgentRole(
            name=name,
            version=role.version,
            prompt=prompt,
            output=output,
            view=role.view(),
            look_ups=tuple(role.look_ups),
            model_calls=role.model_calls,
            patience=timedelta(seconds=role.patience_seconds),
        )


def _role(name: str, verb: Verb, tools: Iterable[str]) -> Role:
    return Role(name=name, permissions=tuple(Permission(verb=verb, on=tool) for tool in tools))


def read_text(package: str, *path: str) -> str:
    """A file that lies beside a workflow's code."""
    return resources.files(package).joinpath(*path).read_text(encoding="utf-8")


def load_roles(package: str, text: str | None = None) -> RoleFile:
    """The `roles.yaml` of a workflow, or another text in its place; raises TableUnfit naming the field."""
    source = f"{package.replace('.', '/')}/roles.yaml"
    document = load_yaml(read_text(package, "roles.yaml") if text is None else text, source)
    try:
        roles = RoleFile.model_validate(document)
        roles.permissions(source)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TableUnfit(f"{source}: {': '.join(map(str, first['loc']))}: {first['msg']}") from error
    except RolesUnfit as error:
        raise TableUnfit(f"{source}: {error}") from error
    return roles

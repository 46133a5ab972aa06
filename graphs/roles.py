"""Role files: what people may sign and what agents may see, read from YAML and refused if anything is odd."""

from collections.abc import Collection
from datetime import timedelta
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodes.agent import AgentRole, Output
from nodes.permissions import ReviewerRole
from nodes.records import View
from nodes.rule_files import TableUnfit, parse_money
from nodes.rule_lint import Vocabulary

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
    limit: str


class RoleFile(_Strict):
    """A workflow's roles, as its YAML file has them."""

    owner: Name
    teams: list[Name]
    people: dict[Name, _Person]
    agents: dict[Name, _Agent]
    rules: dict[Name, list[str]]
    reviewer: _View

    def words(self, subjects: Collection[str] = ()) -> Vocabulary:
        """The names that this workflow's rule tables may use."""
        signers = frozenset(self.people)
        return Vocabulary(
            signers=signers, owners=signers | frozenset(self.teams), subjects=frozenset(subjects)
        )

    def reviewers(self) -> dict[str, ReviewerRole]:
        """The roles for people, with their limits."""
        return {
            name: ReviewerRole(name=name, limit=parse_money(person.limit, f"people: {name}: limit"))
            for name, person in self.people.items()
        }

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
            proposes=frozenset(role.proposes),
            model_calls=role.model_calls,
            patience=timedelta(seconds=role.patience_seconds),
        )

    def steps(self) -> dict[str, frozenset[str]]:
        """The tools that rule nodes may propose, by node."""
        return {name: frozenset(tools) for name, tools in self.rules.items()}


def read_text(package: str, *path: str) -> str:
    """A file that lies beside a workflow's code."""
    return resources.files(package).joinpath(*path).read_text(encoding="utf-8")


def load_roles(package: str) -> RoleFile:
    """The `roles.yaml` of a workflow; raises TableUnfit naming the field that is wrong."""
    source = f"{package.replace('.', '/')}/roles.yaml"
    try:
        return RoleFile.model_validate(yaml.safe_load(read_text(package, "roles.yaml")))
    except (ValidationError, yaml.YAMLError) as error:
        raise TableUnfit(f"{source}: {error}") from error

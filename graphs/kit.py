"""A kit: everything that makes a workflow, written down once; tables and workflow are made from it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from graphs.roles import RoleFile, load_roles, read_text
from graphs.tables import TableSource
from nodes.action import Proposal
from nodes.agent import Output, Playbook
from nodes.facts import Fact, Facts
from nodes.records import Records, Source, no_records
from nodes.shapes import Json
from nodes.windows import Subject
from nodes.workflow import EventData, Ruling, Workflow


@dataclass(frozen=True, slots=True)
class Mind:
    """What an agent's answers look like, and the playbook that stands in where no model is configured."""

    output: type[Output]
    playbook: Playbook


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One tool of a workflow, the rule table that judges its use, and where the table's facts come from.

    Attributes:
        file: the table, beside the workflow's code.
    The others are as in `Ruling`.
    """

    tool: str
    file: str
    facts: type[Facts]
    gather: Callable[[Records, Proposal, Json, datetime], dict[str, Fact]]
    own: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    amount: Callable[[Json], tuple[int, str] | None] = lambda _: None
    subjects: Mapping[str, Subject] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Kit:
    """A workflow as its author writes it down; `roles.yaml` and `prompts/` lie in its package.

    Attributes:
        package: where its files lie, such as `graphs.refund`.
        scope: pairs of references that must be equal: whose record is whose. Every source that is not
            company-wide (`Source.shared`) is in one of them, or the workflow is refused.
        derive: records computed from those that were read; `derived` says what each of them is.
        agents: by name; the prompt of each is `prompts/NAME.md`.
    """

    package: str
    name: str
    version: str
    event_type: str
    event: type[EventData]
    title: Callable[[Any], str]
    sources: tuple[Source, ...]
    scope: tuple[tuple[str, str], ...]
    judged: tuple[Judged, ...]
    agents: Mapping[str, Mind]
    build: Callable[[], Any]
    derive: Callable[[Records, datetime], Mapping[str, BaseModel]] = no_records
    conclude: Callable[[Records, datetime], Mapping[str, BaseModel]] = no_records
    derived: Mapping[str, type[BaseModel]] = field(default_factory=dict)

    def tables(self) -> tuple[TableSource, ...]:
        """Where its rule tables are and what they are read against; raises TableUnfit for unfit roles."""
        roles = load_roles(self.package)
        return tuple(self._table(one, roles) for one in self.judged)

    def _table(self, one: Judged, roles: RoleFile) -> TableSource:
        words = roles.words(one.tool, subjects=set(one.subjects))
        return TableSource(package=self.package, file=one.file, facts=one.facts, words=words)

    def workflow(self) -> Workflow:
        """The workflow, made once; raises TableUnfit if a table or the roles are unfit, WorkflowUnfit."""
        return self._made

    @cached_property
    def _made(self) -> Workflow:
        roles = load_roles(self.package)
        rulings = [self._ruling(one, roles) for one in self.judged]
        return Workflow(
            name=self.name,
            version=self.version,
            event_type=self.event_type,
            event=self.event,
            title=self.title,
            sources=self.sources,
            scope=self.scope,
            derive=self.derive,
            conclude=self.conclude,
            derived=self.derived,
            rulings={ruling.table.tool: ruling for ruling in rulings},
            agents={
                name: roles.agent(name, mind.output, self.prompt(name), mind.playbook)
                for name, mind in self.agents.items()
            },
            permissions=roles.permissions(),
            owner=roles.owner,
            owners=roles.owners,
            limits=roles.bounds(),
            hours=roles.working_hours(),
            reviewer_view=roles.reviewer.view(),
            build=self.build,
        )

    def prompt(self, agent: str) -> str:
        """The prompt of an agent, as its file has it."""
        return read_text(self.package, "prompts", f"{agent}.md")

    def _ruling(self, one: Judged, roles: RoleFile) -> Ruling:
        table = self._table(one, roles)
        return Ruling(
            table=table.load(),
            read=table.load,
            facts=one.facts,
            gather=one.gather,
            own=one.own,
            apart=one.apart,
            hears=one.hears,
            said=one.said,
            beside=one.beside,
            amount=one.amount,
            subjects=one.subjects,
        )


class KitUnfit(Exception):
    """Workflows that do not go together: two of them have the same name, event type or agent."""


def require_distinct(kits: Collection[Kit]) -> None:
    """Raise KitUnfit if two workflows share what names them: halts, windows and limits go by these names."""
    for what, names in (
        ("workflow", [kit.name for kit in kits]),
        ("event type", [kit.event_type for kit in kits]),
        ("agent", [agent for kit in kits for agent in kit.agents]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise KitUnfit(f"two workflows have the same {what}: {', '.join(twice)}")

"""Role files: what people may sign and what agents may see, read from YAML and refused if anything is odd."""

from collections.abc import Collection, Iterable
from datetime import date, time, timedelta
from importlib import resources
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from checkpoints.halts import HaltScope
from nodes.agent import AgentRole, Output, Playbook
from nodes.calling import GATEWAY
from nodes.hours import Hours
from nodes.limits import CaseLimits, Limits, RollingLimits
from nodes.permissions import (
    CASES,
    PERSONAL_DATA,
    SCHEDULES,
    TOOLS_OUTSIDE,
    Permission,
    Permissions,
    Role,
    RolesUnfit,
    Verb,
)
from nodes.reader import JUDGE
from nodes.records import View
from nodes.rule_lint import Vocabulary
from nodes.strict_yaml import TableUnfit, load_yaml, parse_money
from nodes.windows import AGENT
from tools.money import Currency, Money

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Most = Annotated[int, Field(strict=True, ge=0, le=10**12)]
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
    per_day: str | None = None
    keeps: list[str] = []
    manages: list[str] = []
    breaks_glass: list[str] = []
    resolves: list[str] = []
    unmasks: bool = False
    erases: bool = False
    rolls_back: bool = False
    halts: list[HaltScope] = []
    schedules: bool = False
    admits: bool = False
    includes: list[Name] = []


class _Hours(_Strict):
    """Working hours, in which rule tables may count how long a review has."""

    timezone: str
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)]
    opens: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    closes: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    holidays: list[date] = []

    def hours(self, place: str) -> Hours:
        opens, closes = time.fromisoformat(self.opens), time.fromisoformat(self.closes)
        if closes <= opens:
            raise TableUnfit(f"{place}: closes at {self.closes}, which is not after {self.opens}")
        try:
            zone = ZoneInfo(self.timezone)
        except (ValueError, OSError, ZoneInfoNotFoundError) as error:
            raise TableUnfit(f"{place}: timezone: {self.timezone!r} is none") from error
        days = frozenset(_DAYS.index(day) for day in self.days)
        return Hours(zone=zone, days=days, opens=opens, closes=closes, holidays=frozenset(self.holidays))


class _CaseLimits(_Strict):
    steps: Most
    model_calls: Most
    tokens: Most
    money: str
    asks: Most
    wall_hours: Most
    retries: Most
    depth: Most


class _RollingLimits(_Strict):
    over_hours: Annotated[int, Field(strict=True, ge=1, le=24 * 31)]
    model_calls: Most
    tokens: Most
    money: str
    asks: Most


class _Limits(_Strict):
    """How much a case, each agent and the workflow may use; there is no number that is not written."""

    case: _CaseLimits
    agent: _RollingLimits
    workflow: _RollingLimits


class RoleFile(_Strict):
    """A workflow's roles, as its YAML file has them."""

    owner: Name
    teams: list[Name]
    hours: _Hours | None = None
    currency: Currency
    limits: _Limits
    people: dict[Name, _Person]
    agents: dict[Name, _Agent]
    rules: dict[Name, list[str]]
    reads: list[str]
    reviewer: _View

    @property
    def owners(self) -> frozenset[str]:
        """Who may look after cases: roles of people, and teams."""
        return frozenset({*self.people, *self.teams})

    def words(self, tool: str, subjects: Collection[str] = ()) -> Vocabulary:
        """The names that a rule table about this tool may use: who can sign it, own it, be measured."""
        permissions = self.permissions()
        return Vocabulary(
            signers=frozenset(
                role for role in self.people if permissions.decide((role,), Verb.DECIDE, tool).allowed
            ),
            owners=self.owners,
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
        place = f"{source}: people: {name}"
        limit = self._limit(person.limit, f"{place}: limit")
        per_day = None if person.per_day is None else self._limit(person.per_day, f"{place}: per_day")
        decides, glass = (
            tuple(Permission(verb=verb, on=tool, limit=limit, per_day=per_day) for tool in tools)
            for verb, tools in ((Verb.DECIDE, person.decides), (Verb.BREAK_GLASS, person.breaks_glass))
        )
        plain = tuple(
            Permission(verb=verb, on=tool, deny=deny)
            for verb, tools, deny in (
                (Verb.DECIDE, person.denied, True),
                (Verb.KEEP, person.keeps, False),
                (Verb.MANAGE, person.manages, False),
                (Verb.RESOLVE, person.resolves, False),
                (Verb.HALT, person.halts, False),
            )
            for tool in tools
        )
        whole = tuple(
            Permission(verb=verb, on=on)
            for verb, on, may in (
                (Verb.UNMASK, PERSONAL_DATA, person.unmasks),
                (Verb.ERASE, PERSONAL_DATA, person.erases),
                (Verb.ROLL_BACK, CASES, person.rolls_back),
                (Verb.SCHEDULE, SCHEDULES, person.schedules),
                (Verb.ADMIT, TOOLS_OUTSIDE, person.admits),
            )
            if may
        )
        return Role(
            name=name, permissions=(*decides, *glass, *plain, *whole), includes=tuple(person.includes)
        )

    def _limit(self, text: str, place: str) -> Money:
        limit = parse_money(text, place)
        if limit.currency != self.currency:
            raise TableUnfit(
                f"{place}: {limit} is not in {self.currency}, in which this workflow's limits are"
            )
        return limit

    def bounds(self, source: str = "roles.yaml") -> Limits:
        """How much the workflow's cases and agents may use; raises TableUnfit."""
        case, place = self.limits.case, f"{source}: limits"
        numbers = case.model_dump(exclude={"money", "wall_hours"})
        return Limits(
            case=CaseLimits(
                money=self._limit(case.money, f"{place}: case: money"),
                wall=timedelta(hours=case.wall_hours),
                **numbers,
            ),
            agent=self._rolling(self.limits.agent, f"{place}: agent"),
            workflow=self._rolling(self.limits.workflow, f"{place}: workflow"),
        )

    def _rolling(self, limits: _RollingLimits, place: str) -> RollingLimits:
        return RollingLimits(
            money=self._limit(limits.money, f"{place}: money"),
            over=timedelta(hours=limits.over_hours),
            **limits.model_dump(exclude={"money", "over_hours"}),
        )

    def working_hours(self, source: str = "roles.yaml") -> Hours | None:
        """The workflow's working hours, if it has any; raises TableUnfit."""
        return None if self.hours is None else self.hours.hours(f"{source}: hours")

    def agent(self, name: str, output: type[Output], prompt: str, playbook: Playbook) -> AgentRole:
        """One agent's role, with output type, prompt and playbook; KeyError for one not in the file."""
        role = self.agents[name]
        return AgentRole(
            name=name,
            version=role.version,
            prompt=prompt,
            output=output,
            playbook=playbook,
            view=role.view(),
            look_ups=tuple(role.look_ups),
            model_calls=role.model_calls,
            patience=timedelta(seconds=role.patience_seconds),
        )


def _role(name: str, verb: Verb, tools: Iterable[str]) -> Role:
    return Role(name=name, permissions=tuple(Permission(verb=verb, on=tool) for tool in tools))


def read_text(package: str, *path: str) -> str:
    """A file that lies beside a workflow's code, in a regular package or in a namespace."""
    return resources.files(package).joinpath("/".join(path)).read_text(encoding="utf-8")


def load_roles(package: str, text: str | None = None) -> RoleFile:
    """The `roles.yaml` of a workflow, or another text in its place; raises TableUnfit naming the field."""
    source = f"{package.replace('.', '/')}/roles.yaml"
    document = load_yaml(read_text(package, "roles.yaml") if text is None else text, source)
    try:
        roles = RoleFile.model_validate(document)
        roles.permissions(source)
        roles.working_hours(source)
        roles.bounds(source)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TableUnfit(f"{source}: {': '.join(map(str, first['loc']))}: {first['msg']}") from error
    except RolesUnfit as error:
        raise TableUnfit(f"{source}: {error}") from error
    return roles

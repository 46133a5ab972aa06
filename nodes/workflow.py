"""A workflow as the nodes see it: its event, records, facts, rules and roles. Graph files fill it in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from nodes.action import Proposal
from nodes.agent import AgentRole
from nodes.facts import Fact, Facts
from nodes.hours import Hours
from nodes.limits import Limits
from nodes.origins import origin_of
from nodes.permissions import Permissions
from nodes.records import Records, Said, Source, View, no_records
from nodes.rules import RuleTable
from nodes.shapes import Json
from nodes.windows import AGENT, LEDGER, Entry, Subject, Window, as_kept, counted, summed
from tools.contract import Trust
from tools.money import Money


class WorkflowUnfit(Exception):
    """A workflow's parts do not hold together."""


class EventData(BaseModel):
    """What the data of a workflow's event must be: strict and complete."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """How proposals of one tool are judged: which facts, read how, under which table.

    Attributes:
        read: another version of the table from its text, with where it came from; raises TableUnfit.
        gather: the facts of a proposal, from the records and the arguments as resolved.
        own: arguments that must be the case's own, each with the reference it must equal. They say what the
            deed is done to: a case does one deed to one thing, whatever its other arguments are.
        apart: arguments that tell one deed of the case from another, beside `own`.
        hears: agents whose findings are facts; a case in which one of them has said nothing is not judged.
        said: arguments that may be what agents have said, each with the agents, or the concluded records,
            whose words it may be; all others are never anybody's words, whatever a step proposes.
        beside: records that other deeds of the case change while this one waits for people: what is signed
            does not bind them. Facts from them count all the same.
        amount: the money the action is about, from its arguments: `(amount_minor, currency)`.
        subjects: whose deeds the table's windows measure, by name.
    """

    table: RuleTable
    read: Callable[[str, str], RuleTable]
    facts: type[Facts]
    gather: Callable[[Records, Proposal, Json, datetime], dict[str, Fact]]
    own: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    amount: Callable[[Json], tuple[int, str] | None] = lambda _: None
    subjects: Mapping[str, Subject] = field(default_factory=dict)

    def facts_of(
        self,
        records: Records,
        proposal: Proposal,
        arguments: Json,
        now: datetime,
        ledger: Sequence[Entry] = (),
        *,
        handed_over: bool = False,
    ) -> dict[str, Fact]:
        """All facts of a proposal: those that are gathered, that windows measure, and that tell origins.

        Args:
            records: the case's.
            proposal: what is judged.
            arguments: its arguments, resolved.
            now: the time by which windows end.
            ledger: what the proposer has done so far, if a window measures it.
            handed_over: whether another case has opened this one.
        """
        gathered = self.gather(records, proposal, arguments, now)
        measured = {}
        for name, window in self.table.windows.items():
            source, entries = self._deeds(window, records, ledger)
            measured[name] = self._measured(window, source, entries, gathered, now)
        return gathered | measured | self._origins(records, proposal, now, handed_over=handed_over)

    def _origins(
        self, records: Records, proposal: Proposal, now: datetime, *, handed_over: bool
    ) -> dict[str, Fact]:
        return {
            fact: Fact(
                value=origin_of(proposal, name, records, handed_over=handed_over),
                source=proposal.source_of(name, records)[0],
                trust=Trust.RECORD,
                at=now,
            )
            for fact, name in self.facts.origins.items()
            if name in proposal.arguments
        }

    def _deeds(
        self, window: Window, records: Records, ledger: Sequence[Entry]
    ) -> tuple[str, Sequence[Entry]]:
        if window.per == AGENT:
            return LEDGER, ledger
        subject = self.subjects[window.per]
        return subject.source, subject.entries(records)

    def _measured(
        self,
        window: Window,
        source: str,
        entries: Sequence[Entry],
        gathered: Mapping[str, Fact],
        now: datetime,
    ) -> Fact:
        kept = as_kept(window, entries, now)
        if window.of is None:
            count = counted(window, entries, now)
            return Fact(value=count, source=source, trust=Trust.RECORD, at=now, measured=kept)
        own = gathered[window.of]
        value = summed(window, entries, now, own.value) if isinstance(own.value, Money) else None
        return Fact(value=value, source=source, trust=own.trust, at=now, measured=kept)

    def keys(self, event: Json) -> list[str]:
        """What is held while a proposal is judged and executed: the windows of the event's subjects."""
        subjects = {window.per for window in self.table.windows.values()} - {AGENT}
        return sorted({f"{per}:{self.subjects[per].key(event)}" for per in subjects})

    def same_deed(self, one: Json, other: Json) -> bool:
        """Whether two deeds of a case, by their arguments, are done to the same thing."""
        things = (*self.own, *self.apart) or tuple(other)
        return all(one.get(name) == other.get(name) for name in things)

    @property
    def agent_window(self) -> timedelta:
        """How far back the table looks at what a proposer has done; nothing if it does not."""
        return max(
            (window.over for window in self.table.windows.values() if window.per == AGENT),
            default=timedelta(),
        )

    @property
    def longest_window(self) -> timedelta:
        """How far back the table's windows look."""
        return max((window.over for window in self.table.windows.values()), default=timedelta())

    def money(self, arguments: Json) -> Money | None:
        """The money the action is about, if it is about money."""
        amount = self.amount(arguments)
        return None if amount is None else Money(amount_minor=amount[0], currency=amount[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """One workflow.

    Attributes:
        scope: pairs of references that must be equal: whose record is whose.
        derive: records computed from those that were read, by name.
        conclude: records computed also from what agents have said, as far as the judge has heard them; each
            of them is `Said`.
        derived: what each record that is derived or concluded is.
        rulings: by tool; a tool that is not in it can only be investigated.
        reviewer_view: what a reviewer is shown of the records.
        permissions: what people, agents, rule nodes, the judge and the gateway may do in this workflow.
        owner: who looks after cases that come to no end by themselves.
        owners: the roles and teams that cases can be handed over to.
        limits: how much its cases and agents may use.
        hours: in which working time is counted.
    """

    name: str
    version: str
    event_type: str
    event: type[EventData]
    title: Callable[[Any], str]
    sources: tuple[Source, ...]
    scope: tuple[tuple[str, str], ...]
    derive: Callable[[Records, datetime], Mapping[str, BaseModel]]
    rulings: Mapping[str, Ruling]
    agents: Mapping[str, AgentRole]
    permissions: Permissions
    owner: str
    limits: Limits
    derived: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    hours: Hours | None = None
    reviewer_view: View
    build: Callable[[], Any]
    conclude: Callable[[Records, datetime], Mapping[str, BaseModel]] = no_records

    def __post_init__(self) -> None:
        """Raise WorkflowUnfit if names clash, or a record could be anybody's."""
        twice = sorted(self.agents.keys() & {"event", *(source.name for source in self.sources)})
        if twice:
            raise WorkflowUnfit(f"{self.name}: an agent and a record are both called {', '.join(twice)}")
        scoped = {path.partition(".")[0] for pair in self.scope for path in pair}
        if open_ := [one.name for one in self.sources if not one.shared and one.name not in scoped]:
            raise WorkflowUnfit(f"{self.name}: nothing says whose these must be: {', '.join(open_)}")

    def is_said(self, name: str) -> bool:
        """Whether a record is what an agent has said, or rests on it."""
        return name in self.agents or issubclass(self.derived.get(name, BaseModel), Said)

    def computed(self, records: Records, now: datetime) -> Mapping[str, BaseModel]:
        """The records that are derived from others; raises WorkflowUnfit if one is not what is declared."""
        return self._declared(self.derive(records, now))

    def concluded(self, records: Records, now: datetime) -> Mapping[str, BaseModel]:
        """The records that rest on what agents have said.

        Raises:
            WorkflowUnfit: one is not what is declared, or claims to be more than somebody's word.
        """
        found = self._declared(self.conclude(records, now))
        if bold := sorted(name for name, record in found.items() if not isinstance(record, Said)):
            raise WorkflowUnfit(f"{self.name}: concludes what is no `Said`: {', '.join(bold)}")
        return found

    def _declared(self, found: Mapping[str, BaseModel]) -> Mapping[str, BaseModel]:
        strange = [name for name, record in found.items() if type(record) is not self.derived.get(name)]
        if strange:
            raise WorkflowUnfit(f"{self.name}: gives what `derived` does not name: {', '.join(strange)}")
        return found

    def with_tables(self, tables: Mapping[str, RuleTable]) -> "Workflow":
        """The workflow as it is judged by these tables, by tool, instead of its own."""
        rulings = {
            tool: replace(ruling, table=tables.get(tool, ruling.table))
            for tool, ruling in self.rulings.items()
        }
        return replace(self, rulings=rulings)

"""The judge: reads the records afresh, resolves the proposal, and asks the rules."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from checkpoints.canonical import NotCanonical, digest
from checkpoints.effects import EffectRow
from checkpoints.reviews import Decision, ReviewStatus
from checkpoints.sealing import SealBroken
from checkpoints.votes import VoteKind
from nodes.action import Proposal, action_of, evidence_of, resolve, same
from nodes.edits import edited
from nodes.facts import Fact, FactsUnfit, typed
from nodes.origins import as_told
from nodes.permissions import Verb
from nodes.reader import Reader
from nodes.records import Records, UnresolvedReference, reference
from nodes.rules import Consequence, Outcome, Verdict
from nodes.sealing import Sealing, sealed
from nodes.shapes import Json
from nodes.undoing import FindEffect, undo_records
from nodes.windows import Entry
from nodes.workflow import Ruling, Workflow
from tools.contract import Arguments, Effect, ToolError, ToolRefused, Trust

GRANT_LIFE = timedelta(days=7)

VERDICTS = ("verdict.given", "effect.intended")
"""The kinds of events that carry a judgement: at the proposal, and again before the deed."""

Deeds = Callable[[str, str, datetime], Awaitable[Sequence[EffectRow]]]
"""What a proposer has done with a tool since a time: `(proposer, tool, since)`."""
Found = Callable[[str], Awaitable[Mapping[str, Json]]]
"""What each agent of a case said last, by its name, as the log has it; of the case by its id."""
Decided = Callable[[str], Awaitable[Decision | None]]
"""How a review stands, by its id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A proposal as it was judged: the action with its digest, the facts, the verdict, the records."""

    proposal: Proposal
    verdict: Verdict
    facts: Json
    action: Json
    digest: str
    records: Records

    def to_json(self) -> Json:
        """JSON-shaped, without the records."""
        return {
            "proposal": self.proposal.id,
            "proposed_tool": self.proposal.tool,
            "verdict": self.verdict.to_json(),
            "facts": self.facts,
            "action": self.action,
            "digest": self.digest,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Judges the proposals of one workflow; the same code before the gate and before the effect."""

    reader: Reader
    deeds: Deeds
    decided: Decided
    effect: FindEffect
    found: Found

    @property
    def workflow(self) -> Workflow:
        """The workflow whose rules it asks."""
        return self.reader.workflow

    @property
    def sealing(self) -> Sealing:
        """The case's seal."""
        return self.reader.sealing

    async def judge(self, case: Json, proposal: Proposal, expires_at: datetime | None = None) -> Judgement:
        """The verdict on a proposal, on facts read now.

        Whatever cannot be read, resolved or typed ends in *investigate*, with the reason; nothing is guessed.
        So does an *allow* of a proposal with literal arguments: they come from the state, which anybody may
        have written. Those that a person set, by an edit that is on record, are as good as references.
        """
        ruling = self.workflow.rulings.get(proposal.tool)
        if ruling is None or not self._may_propose(proposal):
            return self._unjudged(proposal, Outcome.REFUSE, "not_permitted")
        if proposal.tool_version != self.reader.registry.describe(proposal.tool).version:
            return self._unjudged(proposal, Outcome.REFUSE, "tool_version_changed")
        if self._puts_words(ruling, proposal):
            return self._unjudged(proposal, Outcome.REFUSE, "words_not_listed")
        proposal = replace(proposal, edits=await self._edits(proposal))
        try:
            records = await self._records(case, proposal, ruling)
            fitted, sources = await self._arguments(case, proposal, records)
            strange = self.reader.out_of_scope(records) or _not_own(ruling, records, fitted)
        except (ToolError, UnresolvedReference, ValidationError, NotCanonical, SealBroken) as failure:
            return self._unjudged(proposal, Outcome.INVESTIGATE, _unknowable(failure))
        if strange:
            return self._unjudged(proposal, Outcome.REFUSE, "out_of_scope", records)
        facts = await self._facts(case, proposal, ruling, records, fitted)
        snapshot, verdict = self._verdict(ruling, facts)
        verdict = self._by_rule_alone(ruling, proposal, sources, verdict)
        action = action_of(
            proposal,
            sealed(fitted, self.sealing, proposal.tool),
            sources,
            workflow=self.workflow.name,
            evidence=evidence_of(_bound(ruling, records), self.sealing),
            rules={"table": verdict.table, "version": verdict.version, "digest": verdict.digest},
            expires_at=expires_at or self.reader.clock() + GRANT_LIFE,
        )
        return Judgement(
            proposal=proposal,
            verdict=verdict,
            facts=snapshot,
            action=action,
            digest=digest(action),
            records=records,
        )

    async def _records(self, case: Json, proposal: Proposal, ruling: Ruling) -> Records:
        """What systems say now, what the ledger and the log say, and what follows from it all."""
        records = {**await self.reader.records(case), **await self._undoing(case, proposal)}
        records |= await self._heard(case, proposal, ruling)
        return {**records, **self.workflow.concluded(records, self.reader.clock())}

    async def _facts(
        self, case: Json, proposal: Proposal, ruling: Ruling, records: Records, fitted: Arguments
    ) -> Mapping[str, Fact]:
        ledger, handed_over = await self._ledger(ruling, proposal), bool(case.get("parent"))
        arguments, now = fitted.model_dump(mode="json"), self.reader.clock()
        return ruling.facts_of(records, proposal, arguments, now, ledger, handed_over=handed_over)

    async def _undoing(self, case: Json, proposal: Proposal) -> Records:
        return await undo_records(case, proposal, self.effect, self.reader.registry, self.sealing)

    async def _heard(self, case: Json, proposal: Proposal, ruling: Ruling) -> Records:
        """What agents have said, where proposal or facts rely on it: from the log, never from the state."""
        agents = self.workflow.agents
        wanted = sorted(agents.keys() & (proposal.names | set(ruling.hears)))
        if not wanted:
            return {}
        found = await self.found(str(case["id"]))
        if silent := [name for name in wanted if name not in found]:
            raise UnresolvedReference(f"nothing is on record of {', '.join(silent)}")
        said = {name: await self.sealing.opened(found[name]) for name in wanted}
        return {name: agents[name].output.model_validate(said[name]) for name in wanted}

    def _may_propose(self, proposal: Proposal) -> bool:
        held = (proposal.proposer,)
        return self.workflow.permissions.decide(held, Verb.PROPOSE, proposal.tool).allowed

    def _puts_words(self, ruling: Ruling, proposal: Proposal) -> bool:
        """Whether an argument is what an agent has said, and the workflow does not list it as that."""
        names = {argument: item.path.partition(".")[0] for argument, item in proposal.references.items()}
        return any(
            self.workflow.is_said(name) and name not in ruling.said.get(argument, ())
            for argument, name in names.items()
        )

    async def _arguments(
        self, case: Json, proposal: Proposal, records: Records
    ) -> tuple[Arguments, dict[str, Json]]:
        """The arguments in clear; only literals are opened, for what a record says is just text."""
        tool = self.reader.registry.describe(proposal.tool)
        values, sources = resolve(proposal, records)
        sources = as_told(sources, handed_over=bool(case.get("parent")))
        literals = {name: values[name] for name in proposal.literals}
        return tool.arguments.model_validate(values | await self.sealing.opened(literals)), sources

    async def _edits(self, proposal: Proposal) -> dict[str, str]:
        """The literals that are what a person last set them to, by an edit of an earlier revision."""
        last: dict[str, tuple[Any, str]] = {}
        for earlier in proposal.before() if proposal.literals else ():
            decision = await self.decided(earlier.review_id)
            for vote in decision.votes if decision else ():
                if vote.kind is VoteKind.EDIT and decision and decision.status is ReviewStatus.SUPERSEDED:
                    values = edited(decision.action["arguments"], vote.patch or [])
                    last |= {name: (value, vote.person) for name, value in values.items()}
        return {
            name: last[name][1]
            for name in proposal.literals
            if name in last and same(last[name][0], proposal.arguments[name])
        }

    async def _ledger(self, ruling: Ruling, proposal: Proposal) -> list[Entry]:
        """What the proposer has done in the windows that measure it, this very proposal aside."""
        if not ruling.agent_window:
            return []
        since = self.reader.clock() - ruling.agent_window
        done = await self.deeds(proposal.proposer, proposal.tool, since)
        return [
            Entry(at=effect.intended_at, amount=ruling.money(effect.arguments))
            for effect in done
            if effect.key != proposal.key
        ]

    def _verdict(self, ruling: Ruling, facts: Mapping[str, Fact]) -> tuple[Json, Verdict]:
        snapshot = {name: fact.to_json() for name, fact in sorted(facts.items())}
        try:
            verdict = ruling.table.judge(typed(ruling.facts, facts))
        except FactsUnfit as unfit:
            return snapshot, ruling.table.investigate(f"facts_unfit:{','.join(unfit.names)}")
        return snapshot, verdict

    def _by_rule_alone(
        self, ruling: Ruling, proposal: Proposal, sources: Mapping[str, Json], verdict: Verdict
    ) -> Verdict:
        """The verdict, unless it allows what only somebody says, or to whom only somebody says it is done.

        Literals come from the state, which anybody may have written, but for those of an edit on record. What
        an agent has said is on record, but says nothing of who, what, where and how much; and nothing of it
        leaves the house by itself.
        """
        if verdict.outcome is not Outcome.ALLOW:
            return verdict
        if set(proposal.literals) - proposal.edits.keys():
            return ruling.table.investigate("literal_arguments")
        tool = self.reader.registry.describe(proposal.tool)
        told = sources.keys() if tool.effect is Effect.EGRESS else tool.authority & sources.keys()
        proven = {Trust.RECORD.value, Trust.PERSON.value}
        if any(sources[name]["trust"] not in proven for name in told):
            return ruling.table.investigate("unproven_authority")
        return verdict

    def _unjudged(
        self, proposal: Proposal, outcome: Outcome, reason: str, records: Records | None = None
    ) -> Judgement:
        verdict = Verdict(
            table=self.workflow.name,
            version=self.workflow.version,
            digest="",
            row=None,
            says="The proposal could not be put to the rules.",
            policy=None,
            then=Consequence(outcome=outcome, reason=reason, owner=self.workflow.owner),
            trace=(),
        )
        return Judgement(
            proposal=proposal, verdict=verdict, facts={}, action={}, digest="", records=records or {}
        )


def _unknowable(failure: Exception) -> str:
    """The reason code of what could not be read, resolved or typed."""
    match failure:
        case ToolRefused():
            return failure.reason
        case ToolError():
            return f"source_{failure.reason}"
        case UnresolvedReference():
            return "unresolved_reference"
        case _:
            return "arguments_unfit"


def _bound(ruling: Ruling, records: Records) -> Records:
    """The records that a signature binds."""
    return {name: record for name, record in records.items() if name not in ruling.beside}


def _not_own(ruling: Ruling, records: Records, fitted: Arguments) -> list[str]:
    """The arguments that should be the case's own and are another's."""
    given = fitted.model_dump(mode="json")
    return [name for name, path in ruling.own.items() if given.get(name) != _json(reference(records, path))]


def _json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value

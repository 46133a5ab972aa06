"""Admissions: what systems outside offer, who lets it in, and who takes that back; each on the record."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checkpoints.admissions import Admission, add_admission, end_admission, last_admission, last_admissions
from checkpoints.audit import Event, tell
from checkpoints.errors import StaleDigest
from graphs.closing import NotEligible
from graphs.wiring import Parts
from nodes.permissions import TOOLS_OUTSIDE, Kind, Principal, Verb
from nodes.workflow import Workflow
from tools.contract import Effect, ToolUnavailable
from tools.outside.definition import Definition, Unfit, differences
from tools.outside.governed import Provider, models_of
from tools.outside.schemas import SchemaUnfit


class ToolNotOffered(Exception):
    """No system outside offers a tool of this name."""


class ToolUnfit(Exception):
    """This tool cannot be admitted, or not as that."""


class State(StrEnum):
    """How a tool from outside stands."""

    OFFERED = "offered"
    ADMITTED = "admitted"
    CHANGED = "changed"
    GONE = "gone"
    AWAY = "away"
    UNFIT = "unfit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A tool from outside: what is offered, what was admitted, and in what the one differs from the other.

    Attributes:
        offered: None if it is not offered, or its system does not answer.
        admission: the newest one that is in force.
        why: of what cannot be admitted, or is read otherwise than it is described.
    """

    name: str
    system: str
    state: State
    offered: Definition | None = None
    admission: Admission | None = None
    why: str | None = None

    @property
    def changes(self) -> list[dict[str, Any]]:
        """In what the offer differs from what was admitted."""
        if self.offered is None or self.admission is None:
            return []
        return differences(self.admission.definition, self.offered.document)


@dataclass(frozen=True, slots=True)
class Admissions:
    """Lists, admits and withdraws."""

    parts: Parts

    async def listed(self) -> list[Standing]:
        """Every tool that is offered or admitted, by name; of a system that is away what is admitted."""
        providers = self.parts.outside.providers
        async with self.parts.database.transaction() as tx:
            known = {one.tool: one for one in await last_admissions(tx, list(providers)) if not one.ended_at}
        found = await asyncio.gather(*(self._of(provider, known) for provider in providers.values()))
        return sorted((one for several in found for one in several), key=lambda one: one.name)

    async def admit(self, name: str, digest: str, effect: Effect | None, principal: Principal) -> Standing:
        """Let a tool in, exactly as somebody has seen it.

        Args:
            name: the tool's.
            digest: of the definition that was seen.
            effect: what it does; None takes its own word for it.
            principal: who lets it in.

        Raises:
            NotEligible: the principal may not; the attempt is on the record.
            ToolNotOffered, ToolUnavailable.
            StaleDigest: it is another one now than was seen.
            ToolUnfit: it cannot be held to its schema, or says itself that it does more than that.
        """
        await self._require(name, principal, "admit")
        offered = await self._offered(name)
        if offered.digest != digest:
            raise StaleDigest("it is not described now as you have seen it: look again")
        done = effect or offered.suggested
        if done is Effect.READ and offered.says_it_writes:
            raise ToolUnfit("it says of itself that it does more than read")
        try:
            models_of(offered, self.parts.outside.settings_of(name))
        except SchemaUnfit as unfit:
            raise ToolUnfit(str(unfit)) from unfit
        admission = await self._put_in_force(offered, done, principal)
        await self.parts.renew_tools()
        return Standing(
            name=name, system=admission.system, state=State.ADMITTED, offered=offered, admission=admission
        )

    async def withdraw(self, name: str, principal: Principal) -> None:
        """Take an admission back: from now on nothing of it begins.

        Raises:
            NotEligible: the principal may not; the attempt is on the record.
            ToolNotOffered: it is not admitted.
        """
        await self._require(name, principal, "withdraw")
        async with self.parts.database.transaction() as tx:
            if not await end_admission(tx, name, principal.actor, self.parts.clock()):
                raise ToolNotOffered(f"{name} is not admitted")
            await tell(tx, self._event("tool.withdrawn", principal, tool=name))
        await self.parts.renew_tools()

    async def _put_in_force(self, offered: Definition, effect: Effect, principal: Principal) -> Admission:
        async with self.parts.database.transaction() as tx:
            before = await last_admission(tx, offered.name)
            changes = differences(before.definition, offered.document) if before else []
            admission = Admission(
                id=self.parts.ids(),
                tool=offered.name,
                system=offered.name.partition(".")[0],
                digest=offered.digest,
                effect=effect.value,
                definition=offered.document,
                changes=changes,
                admitted_by=principal.actor,
                admitted_at=self.parts.clock(),
            )
            await add_admission(tx, admission)
            told = {
                "tool": offered.name,
                "digest": offered.digest,
                "effect": effect.value,
                "suggested": offered.suggested.value,
                "replaces": before.digest if before else None,
                "changed": [one["where"] for one in changes],
            }
            await tell(tx, self._event("tool.admitted", principal, **told))
        return admission

    async def _of(self, provider: Provider, known: dict[str, Admission]) -> list[Standing]:
        """The tools of one system."""
        mine = {name: one for name, one in known.items() if one.system == provider.system}
        try:
            found = await _asked(provider)
        except ToolUnavailable as away:
            return [_stands(one, State.AWAY, str(away)) for one in mine.values()]
        offers = [one for one in found if isinstance(one, Definition)]
        unfit = [
            Standing(name=one.remote, system=provider.system, state=State.UNFIT, why=one.why)
            for one in found
            if isinstance(one, Unfit)
        ]
        gone = [mine[name] for name in mine.keys() - {one.name for one in offers}]
        return [
            *(self._offer(one, mine.get(one.name), provider.system) for one in offers),
            *unfit,
            *(_stands(one, State.GONE, "its system does not offer it any more") for one in gone),
        ]

    def _offer(self, offered: Definition, admission: Admission | None, system: str) -> Standing:
        state = State.OFFERED
        if admission is not None:
            state = State.ADMITTED if admission.digest == offered.digest else State.CHANGED
        why = None
        try:
            why = models_of(offered, self.parts.outside.settings_of(offered.name))[2]
        except SchemaUnfit as unfit:
            why = str(unfit)
            state = State.UNFIT if admission is None else state
        return Standing(
            name=offered.name, system=system, state=state, offered=offered, admission=admission, why=why
        )

    async def _offered(self, name: str) -> Definition:
        provider = self.parts.outside.providers.get(name.partition(".")[0])
        if provider is None:
            raise ToolNotOffered(f"there is no system outside for {name}")
        for one in await _asked(provider):
            if isinstance(one, Definition) and one.name == name:
                return one
        raise ToolNotOffered(f"{name} is not offered")

    async def _require(self, name: str, principal: Principal, act: str) -> None:
        """Raise NotEligible unless each workflow that uses the tool lets this person admit.

        Of a tool that none uses, any workflow's right will do.
        """
        every = list(self.parts.workflows.values())
        using = [one for one in every if _uses(one, name)]
        held = sorted(principal.roles) if principal.kind is Kind.PERSON else []
        may = [one.permissions.decide(held, Verb.ADMIT, TOOLS_OUTSIDE).allowed for one in using or every]
        if all(may) if using else any(may):
            return
        async with self.parts.database.transaction() as tx:
            await tell(tx, self._event("tool.denied", principal, tool=name, act=act))
        raise NotEligible("no role of yours admits tools from outside (admits: true)")

    def _event(self, kind: str, principal: Principal, **data: Any) -> Event:
        return self.parts.event(kind, principal.actor, data)


def _uses(workflow: Workflow, tool: str) -> bool:
    return tool in workflow.rulings or any(source.tool == tool for source in workflow.sources)


def _stands(admission: Admission, state: State, why: str) -> Standing:
    return Standing(name=admission.tool, system=admission.system, state=state, admission=admission, why=why)


async def _asked(provider: Provider) -> Sequence[Definition | Unfit]:
    """What a system offers, in a capped time; raises ToolUnavailable."""
    try:
        async with asyncio.timeout(provider.timeout.total_seconds()):
            return await provider.offered()
    except (TimeoutError, OSError) as error:
        raise ToolUnavailable(f"{provider.system} does not answer: {type(error).__name__}") from error

"""Limits: how much a case, an agent and a workflow may use, and what asks before anything costs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from checkpoints.errors import LimitReached
from checkpoints.halts import SessionHalts, Subject
from checkpoints.usage import Cap, Kind, Per, SessionUsage, Spender, Spending, over_caps
from nodes.agent import HALTED, AgentRole, AgentUncertain
from nodes.shapes import Json
from tools.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseLimits:
    """The most that one case may come to.

    Attributes:
        asks: how often people are asked to decide something; an edited or renewed action asks again.
        steps: of its graph, over all segments.
        retries: runs that follow a killed worker or a lost one.
        wall: from its opening, without the time it waited for people or for a release.
        depth: how many cases may stand above it, each of which opened the next.
    """

    steps: int
    model_calls: int
    tokens: int
    money: Money
    asks: int
    wall: timedelta
    retries: int
    depth: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RollingLimits:
    """The most that an agent, or a workflow, may come to within this time, over all its cases."""

    over: timedelta
    model_calls: int
    tokens: int
    money: Money
    asks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """A workflow's limits: of each case, of each agent, and of all together."""

    case: CaseLimits
    agent: RollingLimits
    workflow: RollingLimits

    def caps(self, kind: str, now: datetime) -> tuple[Cap, ...]:
        """What caps `model_calls`, `tokens` or `asks` at this time."""
        most = {Per.CASE: self.case, Per.AGENT: self.agent, Per.WORKFLOW: self.workflow}
        return tuple(self._cap(per, int(getattr(limits, kind)), now) for per, limits in most.items())

    def money(self, currency: str, now: datetime) -> tuple[Cap, ...]:
        """What caps money in this currency; of one that a limit is not in, nothing may be moved."""
        most = {Per.CASE: self.case.money, Per.AGENT: self.agent.money, Per.WORKFLOW: self.workflow.money}
        return tuple(
            self._cap(per, limit.amount_minor if limit.currency == currency else 0, now)
            for per, limit in most.items()
        )

    def _cap(self, per: Per, most: int, now: datetime) -> Cap:
        match per:
            case Per.CASE:
                return Cap(per=per, most=most)
            case Per.AGENT:
                return Cap(per=per, most=most, since=now - self.agent.over)
            case Per.WORKFLOW:
                return Cap(per=per, most=most, since=now - self.workflow.over)


def spending(limits: Limits, spender: Spender, money: Money | None, now: datetime) -> Spending | None:
    """What a deed moves, with its caps; None if it is not about money."""
    if money is None:
        return None
    return Spending(
        spender=spender,
        amount_minor=money.amount_minor,
        currency=money.currency,
        caps=limits.money(money.currency, now),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Brakes:
    """What the nodes of one case ask before they go on: limits, and the stop switch."""

    case_id: str
    workflow: str
    limits: Limits
    usage: SessionUsage
    halts: SessionHalts
    clock: Callable[[], datetime]

    async def halted(self, *, agent: str, tool: str | None = None) -> list[str]:
        """The halts because of which this agent, or this tool for it, must stand still."""
        return await self.halts.in_force(Subject(workflow=self.workflow, agent=agent, tool=tool))

    async def thrift(self, role: AgentRole) -> AgentRole:
        """The role with no more model calls than are left; raises LimitReached if there are none."""
        spender, now = self._spender(f"agent:{role.name}"), self.clock()
        tokens, calls = self.limits.caps("tokens", now), self.limits.caps("model_calls", now)
        spent = await self.usage.spent(spender, (Kind.TOKENS, Kind.MODEL_CALLS), calls, now)
        over = over_caps("limit_tokens", spent[Kind.TOKENS], tokens, 1)
        over = over or over_caps("limit_model_calls", spent[Kind.MODEL_CALLS], calls, 1)
        if over is not None:
            raise over
        left = min(cap.most - int(spent[Kind.MODEL_CALLS][cap.per]) for cap in calls)
        return replace(
            role,
            model_calls=min(role.model_calls, left),
            before_call=partial(self._require_going, f"agent:{role.name}"),
        )

    async def _require_going(self, agent: str) -> None:
        if halts := await self.halted(agent=agent):
            raise AgentUncertain(HALTED, "/".join(halts))

    async def count(self, role: AgentRole, task_id: str, usage: Json) -> None:
        """Count what a task's agent has used, at once, and not again when the task is repeated."""
        spent = {
            Kind.MODEL_CALLS: int(usage.get("model_calls", 0)),
            Kind.TOKENS: int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0)),
        }
        if used := {kind: amount for kind, amount in spent.items() if amount > 0}:
            await self.usage.count(self._spender(f"agent:{role.name}"), task_id, used, self.clock())

    async def require_askable(self, proposer: str) -> None:
        """Raise LimitReached if people have been asked too often to be asked once more."""
        now = self.clock()
        caps = self.limits.caps("asks", now)
        asked = await self.usage.asked(self._spender(proposer), caps, now)
        if (over := over_caps("too_many_asks", asked, caps, 1)) is not None:
            raise over

    async def require_within(self) -> None:
        """Raise LimitReached if the case has come too far to take another step."""
        effort, limits = await self.usage.effort(self.case_id, self.clock()), self.limits.case
        for reason, count, most in (
            ("limit_wall_time", effort.seconds, int(limits.wall.total_seconds())),
            ("limit_steps", effort.steps, limits.steps),
            ("limit_retries", effort.retries, limits.retries),
        ):
            if count > most:
                raise LimitReached(reason, per=Per.CASE, most=most, count=count)

    def _spender(self, actor: str) -> Spender:
        return Spender(case_id=self.case_id, workflow=self.workflow, agent=actor)

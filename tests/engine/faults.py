"""Every way in which a connector or the model can fail, at every step of a refund, and what it comes to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from graphs.connectors import asking
from graphs.intake import Intake
from graphs.refund.agents import Assessment, Suspicion, Triage
from graphs.wiring import Parts
from nodes.guarded_brain import GuardedBrain
from nodes.model_brain import ModelBrain
from tests.fakes.openai_server import (
    Script,
    broken,
    by_tool,
    call,
    calls,
    chat_model,
    hang,
    in_turn,
    malformed,
    openai_server,
    rate_limited,
    refusal,
    structured,
    text,
)
from tests.house import SHOP, House, ManualClock, at_once, refund_event
from tools.breakers import Breakers
from tools.contract import Arguments, Call, Effect, OutcomeUnknown, Record, Tool, ToolRefused, ToolUnavailable
from tools.registry import Registry
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"
READS = (
    "tickets.get",
    "customers.get",
    "orders.get",
    "payments.list",
    "payments.history",
    "fraud.signals",
)
WRITES = ("payments.refund", "tickets.reply")
AGENTS = ("model (triage)", "model (policy)")
STEPS = ("retrieve", "judge", "gateway")
"""The steps at which records are read, in the order in which they are."""
A_WHILE_SECONDS = 0.01
PATIENCE = timedelta(seconds=1)
A_DAY_AND_MORE = timedelta(hours=25)


class Nonsense(Record):
    """An answer of the wrong kind."""

    word: str = "ok"


Do = Callable[[], Awaitable[Record]]
Failing = Callable[[Tool, Do, int], Awaitable[Record]]
"""A fault: the tool, the real deed, and how many calls have failed before."""


def _lost(tool: Tool) -> Exception:
    return (ToolUnavailable if tool.effect is Effect.READ else OutcomeUnknown)("the line is dead")


async def times_out(tool: Tool, do: Do, before: int) -> Record:
    raise TimeoutError  # as the registry's own clock does; a short real one would cut off good calls too


async def is_away(tool: Tool, do: Do, before: int) -> Record:
    raise ConnectionRefusedError


async def refuses(tool: Tool, do: Do, before: int) -> Record:
    raise ToolRefused("not today")


async def answers_nonsense(tool: Tool, do: Do, before: int) -> Record:
    return Nonsense()


async def does_it_and_loses_the_answer(tool: Tool, do: Do, before: int) -> Record:
    await do()
    raise _lost(tool)


async def does_it_and_answers_nonsense(tool: Tool, do: Do, before: int) -> Record:
    await do()
    return Nonsense()


async def fails_once(tool: Tool, do: Do, before: int) -> Record:
    if before:
        return await do()
    raise _lost(tool)


async def fails_for_ever(tool: Tool, do: Do, before: int) -> Record:
    raise _lost(tool)


async def is_slow_but_in_time(tool: Tool, do: Do, before: int) -> Record:
    await asyncio.sleep(A_WHILE_SECONDS)
    return await do()


BLIND = "does it, loses the answer, and can be neither asked nor called again"
OF_READS: Mapping[str, Failing] = {
    "times out": times_out,
    "refuses the connection": is_away,
    "refuses": refuses,
    "answers nonsense": answers_nonsense,
    "fails once, then works": fails_once,
    "fails for ever": fails_for_ever,
    "very slow, but in time": is_slow_but_in_time,
}
OF_WRITES: Mapping[str, Failing] = {
    **OF_READS,
    "does it and loses the answer": does_it_and_loses_the_answer,
    "does it and answers nonsense": does_it_and_answers_nonsense,
    BLIND: does_it_and_loses_the_answer,
}
_TRIAGE = Triage(kind="refund", summary="Damaged; money back.", confidence_percent=95, evidence=["ticket"])
_FRAUD = Suspicion(suspicious=False, reason="Nothing odd.", confidence_percent=95, evidence=["fraud"])
_POLICY = Assessment(
    recommendation="refund",
    reason="Delivered ten days ago and paid in full.",
    policy=["RP-2.1"],
    confidence_percent=92,
    evidence=["order"],
)
_LOOK_UP = calls(call("payments_list", {"order_id": CAST[SCENE].order_id}))
OF_MODELS: Mapping[str, Script] = {
    "refuses": in_turn(refusal("I will not.")),
    "babbles": in_turn(text("Certainly! Let me think about that.")),
    "loops": in_turn(_LOOK_UP),
    "answers nonsense": in_turn(malformed()),
    "HTTP 500": in_turn(broken()),
    "HTTP 429": in_turn(rate_limited()),
    "hangs": in_turn(hang()),
}


class Fault(NamedTuple):
    """What fails, how, and from which step on."""

    tool: str
    failure: str
    step: str


class Result(NamedTuple):
    """What a case came to, what was really done, and how often the failing one was called."""

    status: str
    reason: str
    refunds: int
    replies: int
    calls: int


FAULTS = (
    *(Fault(tool, failure, step) for tool in READS for step in STEPS for failure in OF_READS),
    *(Fault(tool, failure, "write") for tool in WRITES for failure in OF_WRITES),
    *(Fault(agent, failure, "agent") for agent in AGENTS for failure in OF_MODELS),
)


@dataclass(slots=True)
class Failure:
    """A tool that fails from its n-th call on, and counts."""

    tool: Tool
    failing: Failing
    spared: int
    calls: int = 0
    failed: int = 0

    async def perform(self, arguments: Arguments, given: Call) -> Record:
        self.calls += 1
        if self.calls <= self.spared:
            return await self.tool.perform(arguments, given)
        self.failed += 1

        async def do() -> Record:
            return await self.tool.perform(arguments, given)

        return await self.failing(self.tool, do, self.failed - 1)

    def as_tool(self, failure: str) -> Tool:
        changes: dict[str, Any] = {"perform": self.perform}
        if failure == BLIND:
            changes |= {"find": None, "idempotent": False}
        if self.failing is is_away and self.tool.find is not None:

            async def nobody(_key: str) -> Record | None:
                raise ConnectionRefusedError

            changes["find"] = nobody
        return replace(self.tool, **changes)


@dataclass(slots=True)
class Laboratory:
    """Runs the refund case under one fault after another, each where nothing was refunded yet."""

    parts: Parts
    clock: ManualClock
    sandbox_url: str
    runs: int = 0
    seen: dict[Fault, Result] = field(default_factory=dict)

    async def result(self, fault: Fault) -> Result:
        """What the case comes to; the invariants hold."""
        self.runs += 1
        self.clock.advance(A_DAY_AND_MORE)
        await self._begin_afresh()
        event = refund_event(SCENE, f"{SCENE}-{self.runs}")
        case, _ = await Intake(self.parts).receive(event, SHOP)
        if fault.step == "agent":
            return await self._with_model(fault, case)
        failure, parts = self._with_failure(fault)
        house = House(parts)
        await house.work()
        return await self._measured(house, case, failure.failed)

    def _with_failure(self, fault: Fault) -> tuple[Failure, Parts]:
        tools = self.parts.registry._real
        spared = STEPS.index(fault.step) if fault.step in STEPS else 0
        failing = (OF_WRITES if fault.step == "write" else OF_READS)[fault.failure]
        failure = Failure(tools[fault.tool], failing, spared)
        failing_tool = failure.as_tool(fault.failure)
        registry = Registry(
            [failing_tool if tool.name == fault.tool else tool for tool in tools.values()],
            asking(at_once, lambda: 0.5),
            Breakers(self.clock),
        )
        return failure, replace(self.parts, registry=registry, capability=registry.hand_over())

    async def _with_model(self, fault: Fault, case: Case) -> Result:
        tool = "Triage" if fault.tool == AGENTS[0] else "Assessment"
        good = {
            "Triage": in_turn(structured(_TRIAGE)),
            "Suspicion": in_turn(structured(_FRAUD)),
            "Assessment": in_turn(structured(_POLICY)),
        }
        script = by_tool(good | {tool: OF_MODELS[fault.failure]})
        async with openai_server(script) as server, chat_model(server) as model:
            brain = GuardedBrain(ModelBrain(model, "openai:gpt-x"), Breakers(self.clock))
            parts = replace(self.parts, brain=brain)
            if fault.failure == "hangs":
                parts = _impatient(parts, "triage" if tool == "Triage" else "policy")
            house = House(parts)
            await house.work()
            asked = len(server.asked_by(tool))
        return await self._measured(house, case, asked)

    async def _measured(self, house: House, case: Case, asked: int) -> Result:
        found = await house.case(case.id)
        refunds = await self._at_the_company("SELECT idempotency_key AS key FROM refunds WHERE order_id = %s")
        replies = await self._at_the_company(
            "SELECT idempotency_key AS key FROM ticket_replies WHERE ticket_id = %s", CAST[SCENE].ticket_id
        )
        await _require_invariants(house, found, refunds, replies)
        return Result(found.status.value, found.reason or "", len(refunds), len(replies), asked)

    async def _at_the_company(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What the company's own database says; asked about the scene's order unless told otherwise."""
        async with await AsyncConnection.connect(
            self.sandbox_url, autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = await connection.execute(query.encode(), values or (CAST[SCENE].order_id,))
            return await cursor.fetchall() if cursor.description else []

    async def _begin_afresh(self) -> None:
        """Nothing of this order was refunded, nobody was told, and it came ten days ago."""
        scene, delivered = CAST[SCENE], self.clock.now - timedelta(days=10)
        await self._at_the_company("DELETE FROM ticket_replies WHERE ticket_id = %s", scene.ticket_id)
        await self._at_the_company("DELETE FROM refunds WHERE order_id = %s")
        await self._at_the_company("UPDATE payments SET refunded_minor = 0 WHERE order_id = %s")
        arrived = "UPDATE orders SET delivered_at = %s WHERE order_id = %s"
        await self._at_the_company(arrived, delivered, scene.order_id)


async def _require_invariants(
    house: House, case: Case, refunds: list[dict[str, Any]], replies: list[dict[str, Any]]
) -> None:
    """Never two effects, never one without a grant, always a named state with a reason and an owner."""
    assert len(refunds) <= 1, "refunded twice"
    assert len(replies) <= 1, "told twice"
    effects = {effect.key: effect for effect in await house.effects(case.id)}
    really = {row["key"] for row in (*refunds, *replies)}
    assert really <= effects.keys(), "done without an intent and a grant"
    for key, effect in effects.items():
        if effect.state in {EffectState.DONE, EffectState.FAILED}:
            assert (effect.state is EffectState.DONE) is (key in really), f"{key} is not {effect.state}"
    assert await house.open_reviews(case.id) == []
    if case.status is Status.CLOSED:
        assert len(really) == 2, "closed, and not everything is done"
        return
    assert case.status in {
        Status.REJECTED,
        Status.BLOCKED,
        Status.UNCERTAIN,
        Status.ESCALATED,
        Status.FAILED,
    }
    assert case.reason not in {None, "unspecified", "unexpected_error"}
    assert case.owner is not None or case.status is Status.REJECTED, "nobody looks after it"


def _impatient(parts: Parts, agent: str) -> Parts:
    refund = parts.workflows["refund"]
    hasty = replace(refund.agents[agent], patience=PATIENCE)
    return replace(parts, workflows={"refund": replace(refund, agents={**refund.agents, agent: hasty})})


# --- the table --------------------------------------------------------------------------------------------

_HEAD = "| what fails | how | at | the case | because | refunds | replies | calls |"


def as_table(found: Mapping[Fault, Result]) -> str:
    """The results as a table; those that differ only in which tool fails are one row."""
    rows: dict[tuple[str, str, Result], list[str]] = {}
    for (tool, failure, step), result in found.items():
        rows.setdefault((failure, step, result), []).append(tool)
    order = [*STEPS, "write", "agent"]
    lines = [
        f"| {', '.join(tools)} | {failure} | {step} | {' | '.join(map(str, result))} |"
        for (failure, step, result), tools in sorted(rows.items(), key=lambda row: order.index(row[0][1]))
    ]
    return "\n".join([_HEAD, "|" + "---|" * _HEAD.count(" | ") + "---|", *lines])


def from_table(table: str) -> dict[Fault, Result]:
    """The results that a table says."""
    found = {}
    for line in table.strip().splitlines()[2:]:
        tools, failure, step, status, reason, *counts = (cell.strip() for cell in line.strip("|").split("|"))
        for tool in tools.split(", "):
            result = Result(status, reason, *(int(count) for count in counts))
            found[Fault(tool, failure, step)] = result
    return found

"""Limits: what is beyond one is blocked under its name, before it costs anything, and never in silence."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from langgraph.graph import END, START, StateGraph

from checkpoints.cases import Case, Status
from checkpoints.usage import Cap, Per, over_caps
from graphs.flow import Builder
from graphs.halting import HOST, Switch
from graphs.roles import load_roles, read_text
from graphs.rollbacks import Rollbacks
from graphs.ways_out import WaysOut
from graphs.wiring import Parts
from nodes.agent import AgentRole, AgentUncertain, Brain, LookUp, Thought
from nodes.context import Context
from nodes.limits import Limits
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.strict_yaml import TableUnfit
from tests.conftest import AS_OF
from tests.fakes.openai_server import Answer, Request, Script, hang, in_turn, nonsense, structured
from tests.house import LEE, MAX, House, ManualClock
from tests.stories.reviewing import MEG, edited, told
from tests.stories.standing_still import TESS, behaving, refuse, standstill
from tests.stories.test_agents_with_a_model import POLICY, TRIAGE, advised, look_up, policy_role, with_role
from tools.money import Money
from tools.sandbox.cast import CAST

SMALL, OTHER, SIGNED = "clean_29_90_1", "clean_29_90_2", "clean_120_00_1"


def euros(minor: int) -> Money:
    return Money(amount_minor=minor, currency="EUR")


def limited(house: House, part: str, **most: Any) -> House:
    """The same house with other limits per case, per agent or per workflow."""
    refund = house.parts.workflows["refund"]
    limits: Limits = refund.limits
    limits = replace(limits, **{part: replace(getattr(limits, part), **most)})
    return House(replace(house.parts, workflows={"refund": replace(refund, limits=limits)}))


@dataclass(frozen=True, slots=True)
class Costly:
    """A brain that says what it used, and fails for some agents."""

    brain: Brain
    asked: list[str]
    fails: frozenset[str] = frozenset()
    calls: int = 2
    tokens: int = 100

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        self.asked.append(f"{role.name}:{role.model_calls}")
        usage = {"model_calls": self.calls, "input_tokens": self.tokens, "output_tokens": 0}
        if role.name in self.fails:
            uncertain = AgentUncertain("model_timeout", "no answer")
            uncertain.usage = dict(usage)
            raise uncertain
        return replace(await self.brain.think(role, view, look_ups), usage=usage)


def costly(house: House, **more: Any) -> tuple[House, list[str]]:
    """The same house with a brain that costs, and a list of the agents it was asked for."""
    asked = list[str]()
    brain = Costly(house.parts.brain, asked, **more)
    return House(replace(house.parts, brain=brain)), asked


async def blocked(house: House, case: Case, limit: str, *, most: int, count: int, per: str = "case") -> None:
    """The case stands blocked by this limit, owned, and the record says how much was too much."""
    case = await house.case(case.id)
    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, limit, "support_lead")
    (reached,) = await told(house, case.id, "limit.reached")
    by = {"limit": limit, "per": per, "most": most, "count": count}
    assert {name: reached[name] for name in by} == by


# --- models -----------------------------------------------------------------------------------------------


async def test_an_agent_is_not_asked_once_the_model_calls_of_its_case_are_used_up(house: House) -> None:
    house, asked = costly(limited(house, "case", model_calls=2))

    case = await house.after(SMALL)

    await blocked(house, case, "limit_model_calls", most=2, count=3)
    assert asked == ["triage:2"]


async def test_an_agent_gets_no_more_calls_than_are_left(house: House) -> None:
    house, asked = costly(limited(house, "case", model_calls=5))

    await house.after(SMALL)

    assert asked == ["triage:4", "fraud_analyst:3", "policy:1"]


async def test_tokens_are_counted_over_the_agents_of_a_case(house: House) -> None:
    house, asked = costly(limited(house, "case", tokens=100))

    case = await house.after(SMALL)

    await blocked(house, case, "limit_tokens", most=100, count=101)
    assert len(asked) == 1


async def test_what_an_agent_used_that_failed_counts_too(house: House) -> None:
    house, _ = costly(house, fails=frozenset({"triage"}))

    case = await house.after(SMALL)

    assert (case.status, case.reason) == (Status.UNCERTAIN, "model_timeout")
    rows = await house.rows("SELECT agent, kind, amount FROM usage WHERE case_id = %s ORDER BY kind", case.id)
    assert [(row["agent"], row["kind"], row["amount"]) for row in rows] == [
        ("agent:triage", "model_calls", 2),
        ("agent:triage", "tokens", 100),
    ]
    (uncertain,) = await told(house, case.id, "agent.uncertain")
    assert uncertain["usage"]["model_calls"] == 2


async def test_an_agent_has_a_limit_over_all_cases_of_the_last_hour(house: House, clock: ManualClock) -> None:
    house, _ = costly(limited(house, "agent", model_calls=2))
    assert (await house.after(SMALL)).status is Status.CLOSED

    await blocked(house, await house.after(OTHER), "limit_model_calls", most=2, count=3, per="agent")
    clock.advance(timedelta(hours=1, seconds=1))
    assert (await house.after("clean_29_90_3")).status is Status.CLOSED


async def test_a_workflow_has_a_limit_over_all_its_agents(house: House) -> None:
    house, _ = costly(limited(house, "workflow", tokens=300))
    assert (await house.after(SMALL)).status is Status.CLOSED

    await blocked(house, await house.after(OTHER), "limit_tokens", most=300, count=301, per="workflow")


async def test_a_step_that_is_repeated_after_a_crash_is_neither_lost_nor_counted_twice(house: House) -> None:
    house, asked = costly(house)
    case = await house.send(SMALL)
    counting = house.parts.clock
    looks = 0

    def fatal() -> Any:
        nonlocal looks
        looks += 1
        if asked == ["triage:4"]:
            working.cancel()
        return counting()

    dying = House(replace(house.parts, clock=fatal))
    working = asyncio.create_task(dying.work())
    await asyncio.wait({working})
    assert working.cancelled()
    (before,) = await house.rows("SELECT count(*) AS rows FROM usage WHERE case_id = %s", case.id)

    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    rows = await house.rows(
        "SELECT agent, sum(amount) AS used FROM usage WHERE kind = 'model_calls'"
        " GROUP BY agent ORDER BY agent"
    )
    assert before["rows"] <= 2
    assert {row["agent"]: int(row["used"]) for row in rows} == {
        "agent:fraud_analyst": 2,
        "agent:policy": 2,
        "agent:triage": 2,
    }


# --- money ------------------------------------------------------------------------------------------------


async def test_no_case_moves_more_money_than_it_may(house: House) -> None:
    house = limited(house, "case", money=euros(2989))

    case = await house.after(SMALL)

    await blocked(house, case, "limit_money", most=2989, count=2990)
    assert await house.effects(case.id) == []
    assert await house.rows("SELECT 1 FROM grants WHERE case_id = %s", case.id) == []
    assert await house.rows("SELECT 1 FROM usage WHERE case_id = %s", case.id) == []
    assert await house.refunds(CAST[SMALL].order_id) == []


async def test_up_to_the_limit_itself_money_moves(house: House) -> None:
    house = limited(house, "case", money=euros(2990))

    assert (await house.after(SMALL)).status is Status.CLOSED


async def test_a_workflow_moves_no_more_in_a_day_and_again_the_day_after(
    house: House, clock: ManualClock
) -> None:
    house = limited(house, "workflow", money=euros(5000))
    assert (await house.after(SMALL)).status is Status.CLOSED

    await blocked(house, await house.after(OTHER), "limit_money", most=5000, count=5980, per="workflow")
    clock.advance(timedelta(hours=24, seconds=1))
    assert (await house.after("clean_29_90_3")).status is Status.CLOSED


async def test_two_cases_at_once_cannot_both_have_the_last_of_it(house: House) -> None:
    house = limited(house, "workflow", money=euros(2990))
    cases = [await house.send(scene) for scene in (SMALL, OTHER, "clean_29_90_3")]
    commands = await house.rows("SELECT id FROM commands")

    await asyncio.gather(*[house.runner.carry_out(row["id"]) for row in commands])

    ends = sorted([(await house.case(case.id)).reason or "" for case in cases])
    assert ends == ["", "limit_money", "limit_money"]


async def test_a_signature_does_not_lift_a_limit(house: House) -> None:
    house = limited(house, "agent", money=euros(11999))
    review = await house.review((await house.after(SIGNED)).id)

    case = await house.decided(review, LEE)

    await blocked(house, case, "limit_money", most=11999, count=12000, per="agent")
    assert await house.refunds(CAST[SIGNED].order_id) == []


def test_money_in_another_currency_than_the_limit_is_not_moved() -> None:
    limits = load_roles("graphs.refund").bounds()

    assert {cap.most for cap in limits.money("USD", AS_OF)} == {0}
    assert {cap.most for cap in limits.money("EUR", AS_OF)} == {10_000_000, 25_000_000, 50_000_000}


# --- people -----------------------------------------------------------------------------------------------


async def test_nobody_is_asked_more_often_than_a_case_may_ask_and_every_revision_counts(house: House) -> None:
    house = limited(house, "case", asks=3)
    case = await house.after(SIGNED)
    for editor, amount in ((LEE, 11000), (MAX, 10000)):
        case = await edited(house, await house.review(case.id), editor, amount_minor=amount)

    case = await edited(house, await house.review(case.id), MEG, amount_minor=9000)

    await blocked(house, case, "too_many_asks", most=3, count=4)
    assert await house.open_reviews(case.id) == []


async def test_an_agent_cannot_flood_people_with_cases(house: House, clock: ManualClock) -> None:
    house = limited(house, "agent", asks=1)
    first = await house.after(SIGNED)
    assert first.status is Status.WAITING_REVIEW

    await blocked(house, await house.after("clean_120_00_2"), "too_many_asks", most=1, count=2, per="agent")
    assert len(await house.open_reviews()) == 1
    assert (await house.decided(await house.review(first.id), LEE)).status is Status.CLOSED


# --- steps, time, retries ---------------------------------------------------------------------------------


async def test_a_case_that_has_taken_its_steps_takes_no_more(house: House) -> None:
    review = await house.review((await house.after(SIGNED)).id)
    (steps,) = await house.rows("SELECT count(*) AS taken FROM checkpoints")
    house = limited(house, "case", steps=steps["taken"] - 1)

    case = await house.decided(review, LEE)

    assert (case.status, case.reason) == (Status.BLOCKED, "limit_steps")
    assert await house.refunds(CAST[SIGNED].order_id) == []


async def test_a_graph_that_goes_round_and_round_is_blocked_by_name(house: House) -> None:
    async def turn(state: CaseState) -> CaseState:
        return {"outcome": str(len(str(state.get("outcome"))))}

    def build() -> Builder:
        graph: Builder = StateGraph(CaseState, context_schema=Context)
        graph.add_node("turn", turn)
        graph.add_edge(START, "turn")
        graph.add_conditional_edges("turn", lambda _: "turn", ["turn", END])
        return graph

    refund = replace(house.parts.workflows["refund"], build=build)
    house = House(replace(house.parts, workflows={"refund": refund}))

    case = await house.after(SMALL)

    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, "limit_steps", "support_lead")
    (end,) = await told(house, case.id, "case.blocked")
    assert {name: end[name] for name in ("limit", "per", "most")} == {
        "limit": "limit_steps",
        "per": "segment",
        "most": 60,
    }


async def test_time_that_people_take_is_not_the_cases_but_other_time_is(
    house: House, clock: ManualClock
) -> None:
    review = await house.review((await house.after(SIGNED)).id)
    clock.advance(timedelta(hours=3))
    await house.vote(review, LEE)
    clock.advance(timedelta(hours=1, seconds=1))

    house = limited(house, "case", wall=timedelta(hours=1))
    await house.work()

    case = await house.case(review.case_id)
    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, "limit_wall_time", "support_lead")
    (end,) = await told(house, case.id, "case.blocked")
    assert (end["limit"], end["most"], end["count"]) == ("limit_wall_time", 3600, 3601)


async def test_hours_that_people_take_block_nothing(house: House, clock: ManualClock) -> None:
    house = limited(house, "case", wall=timedelta(hours=1))
    review = await house.review((await house.after(SIGNED)).id)
    clock.advance(timedelta(hours=3))

    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_days_in_which_a_case_stands_still_are_not_its_own(house: House, clock: ManualClock) -> None:
    short = limited(house, "case", wall=timedelta(hours=1))
    case = await behaving(short, payments_refund=refuse).after(SMALL)
    assert case.status is Status.FAILED
    clock.advance(timedelta(days=3))

    found = await WaysOut(short.parts).retry((await standstill(short, case.id)).id, TESS)
    await short.work()

    assert found.reason == "tool_refused"
    assert (await short.case(case.id)).status is Status.CLOSED


async def test_a_rollback_takes_its_own_time_however_old_its_case_is(
    house: House, clock: ManualClock
) -> None:
    short = limited(house, "case", wall=timedelta(hours=1))
    case = await short.after(SMALL)
    clock.advance(timedelta(hours=20))
    await Rollbacks(short.parts).start(case.id, "A mistake.", None, TESS)
    await short.work()

    case = await short.case(case.id)
    assert (case.status, case.reason) == (Status.ESCALATED, "partly_rolled_back")  # the reply has long left


async def test_a_case_that_keeps_killing_workers_is_blocked(house: House) -> None:
    case = await house.send(SMALL)
    await house.rows("UPDATE commands SET crashes = 3 WHERE case_id = %s", case.id)
    house = limited(house, "case", retries=2)

    await house.work()

    case = await house.case(case.id)
    assert (case.status, case.reason) == (Status.BLOCKED, "limit_retries")


async def test_a_limit_changes_nothing_about_a_case_that_has_ended(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    clock.advance(timedelta(days=400))
    await house.rows("UPDATE commands SET done_at = NULL WHERE case_id = %s", case.id)

    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED


# --- the file ---------------------------------------------------------------------------------------------

MISTAKES = {
    "no limits": ("limits:", "limitz:"),
    "a lost number": ("    model_calls: 40\n", ""),
    "a number in words": ("    steps: 200\n", "    steps: many\n"),
    "a number as text": ("    steps: 200\n", '    steps: "200"\n'),
    "less than nothing": ("    asks: 12\n", "    asks: -1\n"),
    "money without a currency": ("    money: 100000.00 EUR\n", '    money: "100000.00"\n'),
    "money in another currency": ("    money: 100000.00 EUR\n", "    money: 100000.00 USD\n"),
    "one number too many": ("    depth: 3\n", "    depth: 3\n    width: 3\n"),
    "a window of no time": ("over_hours: 24", "over_hours: 0"),
    "a halt of something unknown": ("halts: [everything, ", "halts: [all, "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_limits_that_are_not_all_there_are_refused(mistake: str) -> None:
    old, new = MISTAKES[mistake]
    text = read_text("graphs.refund", "roles.yaml")
    assert old in text

    with pytest.raises(TableUnfit):
        load_roles("graphs.refund", text.replace(old, new))


def test_exactly_as_much_as_a_cap_says_is_not_beyond_it() -> None:
    caps = (Cap(per=Per.CASE, most=2), Cap(per=Per.AGENT, most=5))

    assert over_caps("limit_tokens", {"case": 2, "agent": 5}, caps) is None
    beyond = over_caps("limit_tokens", {"case": 2, "agent": 6}, caps)
    assert beyond is not None
    assert (beyond.per, beyond.count) == (Per.AGENT, 6)


# --- a model itself ---------------------------------------------------------------------------------------


def stopped_while_it_looks_up(url: str) -> Script:
    """A model that asks for a record, and is halted before it sees it."""
    pressed = list[bool]()

    def answer(_: Request) -> Answer:
        if pressed:
            return structured(POLICY)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO halts (id, scope, target, reason_code, pressed_by, pressed_at)"
                " VALUES ('h', 'agent', 'policy', 'drill', 'host:operator', now())"
            )
        pressed.append(True)
        return look_up(SMALL)

    return answer


async def test_an_agent_that_is_halted_between_two_calls_makes_no_other_until_it_is_released(
    parts: Parts,
) -> None:
    async with advised(parts, policy=stopped_while_it_looks_up(parts.database.conninfo)) as (house, server):
        case = await house.after(SMALL)
        assert (case.status, case.reason) == (Status.BLOCKED, "halted")
        assert len(server.requests) == 3
        await Switch(parts).release("h", HOST)
        await house.work()

        assert (await house.case(case.id)).status is Status.CLOSED
        assert len(server.requests) == 4
    used = await house.rows("SELECT sum(amount) AS calls FROM usage WHERE kind = 'model_calls'")
    assert int(used[0]["calls"]) == 4


async def test_what_a_model_used_before_it_hung_is_counted(parts: Parts) -> None:
    impatient = replace(policy_role(parts), patience=timedelta(seconds=3))
    script = in_turn(look_up(SMALL), hang())
    async with advised(with_role(parts, impatient), policy=script) as (house, _):
        case = await house.after(SMALL)

    assert case.reason == "model_timeout"
    rows = await house.rows("SELECT kind, amount FROM usage WHERE agent = 'agent:policy' ORDER BY kind")
    assert [row["kind"] for row in rows] == ["model_calls", "tokens"]
    assert rows[0]["amount"] == 2
    assert rows[1]["amount"] > 0


async def test_a_model_that_says_it_used_more_than_a_number_can_hold_is_stopped_by_the_limit(
    parts: Parts,
) -> None:
    boasting = json.loads(structured(TRIAGE).body)
    boasting["usage"] |= {"prompt_tokens": 10**30, "total_tokens": 10**30}
    script = in_turn(nonsense(boasting))
    async with advised(parts, triage=script) as (house, _):
        case = await house.after(SMALL)
        other = await house.after(OTHER)

    assert (case.status, case.reason) == (Status.UNCERTAIN, "model_answer_unfit")
    await blocked(house, other, "limit_tokens", most=15_000_000, count=10**12 + 21, per="agent")

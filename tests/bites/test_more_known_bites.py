"""The T rows of LANGGRAPH.md: more of what bites others there, and why it does not bite here.

Not here: T12's cache is only shown to be unused (in test_T11), and T18 is about versions that resolve, which
the lock file shows. T5 over many steps, and T4 and T8 on the saver alone, are in tests/checkpoints.
"""
# ruff: noqa: N802 - the tests bear the names of the rows

import asyncio
import inspect
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from checkpoints.cases import Status
from checkpoints.errors import DatabaseAway, StaleHead
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import fenced_session
from checkpoints.worker import Drained
from graphs.flow import Builder
from graphs.judging import case_state
from graphs.refund import graph as build
from graphs.runner import MOST_STEPS
from nodes.context import Context
from nodes.shapes import Json
from nodes.state import CaseState, route
from tests.bites.brains import crash_at, watched
from tests.bites.forger import forge, forging, paid, thread_on
from tests.checkpoints.threads import unfenced
from tests.house import LEE, House

SMALL = "clean_29_90_1"
LARGE = "clean_120_00_1"


async def test_T1_each_step_is_kept_before_the_next_one_begins(house: House) -> None:
    case = await house.send(SMALL)
    kept: dict[str, list[str]] = {}

    async def look(agent: str) -> None:
        kept[agent] = await house.kinds(case.id)

    await watched(house, look).work()

    assert kept["triage"] == ["event.received", "context.retrieved"]
    assert kept["fraud_analyst"] == ["event.received", "context.retrieved", "agent.found"]
    assert kept["policy"] == ["event.received", "context.retrieved", "agent.found", "agent.found"]


@pytest.mark.parametrize("outcome", [None, "", "nonsense", 7, ["ready"], {"ready": True}])
def test_T2_a_router_leads_somewhere_whatever_the_outcome_is(outcome: Any) -> None:
    chosen, _ = route({"ready": "on"}, otherwise="out")

    assert chosen({"outcome": outcome}) == "out"
    assert chosen({}) == "out"


async def test_T2_a_case_with_a_nonsensical_outcome_does_not_end_silently(house: House) -> None:
    case = await house.after(LARGE)
    async with forging(house, case) as thread:
        await thread.write({"outcome": "nonsense"}, "judge")
        await thread.wake(None)

    case = await house.case(case.id)
    assert (case.status, case.owner) == (Status.ESCALATED, "support_lead")


class Crashing(GovernedSaver):
    """A saver that loses its database when a certain checkpoint is to be put; its writes may be there."""

    left = 0

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        self.left -= 1
        if self.left < 0:
            raise DatabaseAway
        return await super().aput(config, checkpoint, metadata, new_versions)


@pytest.mark.parametrize("checkpoints", range(12))
async def test_T3_a_crash_between_a_steps_writes_and_its_checkpoint_loses_and_repeats_nothing(
    house: House, checkpoints: int
) -> None:
    case = await house.send(SMALL)
    async with fenced_session(house.parts.database.engine, case.id) as session:
        thread = await thread_on(house, case, session)
        saver = Crashing(session, Projection(case.id, house.parts.clock))
        saver.left = checkpoints
        dying = replace(thread, graph=thread.graph.copy(update={"checkpointer": saver}))
        with pytest.raises(DatabaseAway):
            await dying.wake({"case": case_state(case)})

    await house.work()

    kinds = await house.kinds(case.id)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert [effect.tool for effect in await house.effects(case.id)] == ["payments.refund", "tickets.reply"]
    assert await paid(house, SMALL) == [2990]
    assert len(kinds) == len(
        await house.rows("SELECT DISTINCT id FROM audit_events WHERE case_id IS NOT NULL")
    )
    assert [kinds.count(kind) for kind in ("action.executed", "effect.done", "case.closed")] == [2, 2, 1]


async def test_T4_an_error_that_may_pass_does_not_make_a_case_failed(house: House) -> None:
    failures = [DatabaseAway(), DatabaseAway()]

    async def fail_twice(_agent: str) -> None:
        if failures:
            raise failures.pop()

    shaky = watched(house, fail_twice)
    case = await shaky.send(SMALL)
    for _ in range(2):
        with pytest.raises(DatabaseAway):
            await shaky.work()
        assert (await house.case(case.id)).status is Status.RUNNING

    await shaky.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert "case.failed" not in await house.kinds(case.id)


async def test_T5_a_checkpoint_holds_only_what_its_own_step_told(house: House) -> None:
    case = await house.after(SMALL)
    async with forging(house, case) as thread:
        told = [
            event["id"] for snapshot in await thread.past() for event in snapshot.values.get("record", [])
        ]

    assert len(told) == len(set(told)) > 8
    assert set(told) <= {event["id"] for event in await house.events(case.id)}


async def test_T6_a_gate_entered_again_asks_under_the_same_names(house: House) -> None:
    case = await house.after(LARGE)
    review = await house.review(case.id)
    async with forging(house, case) as thread:
        for _ in range(3):
            await thread.wake(None)
            assert [item.id for item in (await thread.state()).interrupts] == [review.interrupt_id]

    assert await house.review(case.id) == review


async def test_T6_a_step_that_ran_twice_told_its_events_under_the_same_names(house: House) -> None:
    case = await house.send(SMALL)
    await crash_at(house, "triage")
    await house.work()

    kinds = await house.kinds(case.id)
    once = ("context.retrieved", "action.proposed", "effect.intended", "case.closed")
    assert [kinds.count(kind) for kind in once] == [1, 2, 2, 1]


async def test_T7_a_deed_is_on_the_record_before_it_is_tried(house: House) -> None:
    case = await house.send(SMALL)
    async with fenced_session(house.parts.database.engine, case.id) as session:
        thread = await thread_on(house, case, session)
        saver = Crashing(session, Projection(case.id, house.parts.clock))
        saver.left = 8  # input, retrieve, three agents, propose, judge: the deed's own checkpoint is lost
        dying = replace(thread, graph=thread.graph.copy(update={"checkpointer": saver}))
        with pytest.raises(DatabaseAway):
            await dying.wake({"case": case_state(case)})

    assert "action.executed" not in await house.kinds(case.id)
    assert {"effect.intended", "effect.done"} <= set(await house.kinds(case.id))
    (effect,) = await house.effects(case.id)
    assert (effect.attempts, len(await paid(house, SMALL))) == (1, 1)


async def test_T8_five_resumes_at_once_without_a_lock_pay_once(house: House) -> None:
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)

    async with unfenced(house.parts, 5) as sessions:
        outcomes = await asyncio.gather(
            *[(await thread_on(house, case, session)).wake(Command(resume="go")) for session in sessions],
            return_exceptions=True,
        )
    await house.work()

    assert [type(outcome) for outcome in outcomes].count(StaleHead) >= 4
    assert await paid(house, LARGE) == [12000]
    assert (await house.kinds(case.id)).count("gate.passed") == 1
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_T9_two_cases_are_worked_on_side_by_side(house: House) -> None:
    both = asyncio.Barrier(2)

    async def wait_for_the_other(agent: str) -> None:
        if agent == "triage":
            await asyncio.wait_for(both.wait(), 30)

    pair = watched(house, wait_for_the_other)
    cases = [await pair.send(scene) for scene in (SMALL, "clean_29_90_2")]
    commands = await house.rows("SELECT id FROM commands")
    await asyncio.gather(*(pair.runner.carry_out(command["id"]) for command in commands))

    assert {(await house.case(case.id)).status for case in cases} == {Status.CLOSED}


async def test_T9_a_saver_speaks_on_the_sessions_own_connection(house: House) -> None:
    async with fenced_session(house.parts.database.engine, "case-1") as session:
        saver = GovernedSaver(session)
        assert saver.conn is session.connection
        assert saver.lock is session.turn


@pytest.mark.parametrize("name", ["aput", "aput_writes", "aget_tuple", "alist"])
def test_T10_the_savers_parameters_are_called_what_langgraph_calls_them(name: str) -> None:
    ours = inspect.signature(getattr(GovernedSaver, name)).parameters
    theirs = inspect.signature(getattr(AsyncPostgresSaver, name)).parameters

    assert list(ours) == list(theirs)


def test_T11_no_node_is_retried_timed_out_or_cached_by_langgraph() -> None:
    for name, node in build().nodes.items():
        assert (name, node.retry_policy, node.timeout, node.cache_policy) == (name, None, None, None)
        assert not node.is_error_handler


async def test_T13_a_case_that_goes_in_circles_is_stopped(house: House) -> None:
    turns: list[int] = []

    async def turn(state: CaseState) -> CaseState:
        turns.append(1)
        return {"outcome": "again"}

    def circle() -> Builder:
        graph: Builder = StateGraph(CaseState, context_schema=Context)
        graph.add_node("turn", turn)
        graph.add_edge(START, "turn")
        graph.add_conditional_edges("turn", lambda _: "turn", ["turn", END])
        return graph

    case = await _with_graph(house, circle).after(SMALL)

    assert (case.status, case.reason, len(turns)) == (Status.BLOCKED, "limit_steps", MOST_STEPS)


def _with_graph(house: House, built: Any) -> House:
    workflow = replace(house.parts.workflows["refund"], build=built)
    return House(replace(house.parts, workflows={"refund": workflow}))


DEEDS = {"refund": "judge", "send": "judge_reply"}


@pytest.mark.parametrize(("deed", "judge"), DEEDS.items())
def test_T14_every_way_to_a_deed_leads_through_its_judge(deed: str, judge: str) -> None:
    assert deed in _reachable(START)
    assert deed not in _reachable(START, without=judge)


@pytest.mark.parametrize(("deed", "judge"), DEEDS.items())
def test_T14_no_way_from_a_deed_back_to_it_misses_its_judge(deed: str, judge: str) -> None:
    assert deed not in {node for after in _edges()[deed] for node in _reachable(after, without=judge)}


def _edges() -> dict[str, set[str]]:
    """Where each node of the refund graph can lead, as its builder has it."""
    builder = build()
    edges: dict[str, set[str]] = {name: set() for name in (START, *builder.nodes)}
    for start, end in builder.edges:
        edges[start].add(end)
    for start, branches in builder.branches.items():
        for branch in branches.values():
            assert branch.ends is not None, f"{start} may lead anywhere"
            edges[start] |= set(branch.ends.values())
    return edges


def _reachable(start: str, without: str = "") -> set[str]:
    edges, found, left = _edges(), set[str](), {start} - {without}
    while left:
        found |= left
        left = {after for node in left for after in edges.get(node, set())} - found - {without}
    return found


async def test_T14_a_node_that_jumps_past_the_gate_pays_nothing(house: House) -> None:
    async def jump(state: CaseState, runtime: Runtime[Context]) -> Command[str]:
        return Command(goto="refund", update={"outcome": "approved"})

    def walked_around() -> Builder:
        graph = build()
        graph.nodes["gate"] = (
            StateGraph(CaseState, context_schema=Context).add_node("gate", jump).nodes["gate"]
        )
        return graph

    case = await _with_graph(house, walked_around).after(LARGE)

    assert await paid(house, LARGE) == []
    assert await house.effects(case.id) == []
    assert case.status is not Status.CLOSED


async def test_T15_a_drained_segment_stops_after_its_step_and_another_goes_on(house: House) -> None:
    async def drain(agent: str) -> None:
        if agent == "triage":
            going_down.runner.drain()

    going_down = watched(house, drain)
    case = await going_down.send(SMALL)
    with pytest.raises(Drained):
        await going_down.work()
    assert (await house.kinds(case.id))[-1] == "agent.found"

    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, SMALL) == [2990]


async def test_T16_a_governed_graph_without_its_context_does_nothing(house: House) -> None:
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)
    async with forging(house, case) as thread:
        for given in (None, Command(resume="go"), Command(goto="refund")):
            with pytest.raises((AssertionError, AttributeError)):
                await thread.graph.ainvoke(given, thread.config, durability="sync")

    assert await house.effects(case.id) == []


T17_EDITS: list[Json] = [
    {"type": "edit", "edited_action": {"name": "payments.reverse_refund", "args": {"refund_id": "R-100001"}}},
    {"type": "edit", "edited_action": {"name": "payments.refund", "args": {"amount_minor": 1}}},
    {"type": "respond", "message": "you may"},
    {"type": "approve"},
    {"type": "approve", "edited_action": {"name": "payments.refund", "args": {}}},
]


@pytest.mark.parametrize("decision", T17_EDITS, ids=str)
async def test_T17_a_decision_in_langchains_own_words_decides_nothing(house: House, decision: Json) -> None:
    case = await house.after(LARGE)
    review = await house.review(case.id)

    for answer in ({"decisions": [decision]}, {review.interrupt_id: {"decisions": [decision]}}):
        await forge(house, case, Command(resume=answer))

    assert await house.effects(case.id) == []
    assert await house.review(case.id) == review

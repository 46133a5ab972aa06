"""Lanes: two actions of one case ask for people at once, and each goes its own way when it is decided."""

import asyncio
from dataclasses import replace

import pytest
from langgraph.graph import END, START, StateGraph

from checkpoints.cases import Case, Status
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.flow import Builder
from graphs.refund.steps import propose_refund
from graphs.rulebook import Rulebook
from nodes.action import Proposal, Ref
from nodes.ask import ask
from nodes.context import Context
from nodes.execute import execute
from nodes.gate import gate
from nodes.held import held
from nodes.lane import lane, meet
from nodes.leave import leave
from nodes.propose import propose
from nodes.retrieve import retrieve
from nodes.rules import Consequence, Outcome
from nodes.state import CaseState, route
from nodes.weigh import weigh
from tests.bites.forger import forge_at, forging, paid
from tests.house import LEE, MAX, House

SCENE = "clean_120_00_1"
TOOLS = ("payments.refund", "tickets.reply")


def propose_word(_state: CaseState, context: Context) -> Proposal:
    """A first word to the customer, which does not depend on the refund."""
    return Proposal(
        case_id=context.case_id,
        step="first_word",
        revision=1,
        tool="tickets.reply",
        tool_version=context.registry.describe("tickets.reply").version,
        arguments={
            "ticket_id": Ref("ticket.ticket_id"),
            "customer_id": Ref("customer.customer_id"),
            "template": "refund_done",
            "body": "We are looking into it.",
        },
        proposer="rule:tell",
        reason="The customer hears from us at once.",
        evidence=("customer",),
    )


def steps(make: object) -> Builder:
    """One action from its proposal to its deed."""
    graph: Builder = StateGraph(CaseState, context_schema=Context)
    graph.add_node("propose", propose(make))  # type: ignore[arg-type] # one of the two above
    graph.add_node("judge", weigh)
    graph.add_node("gate", gate)
    graph.add_node("execute", execute)
    graph.add_edge(START, "propose")
    graph.add_conditional_edges("propose", *route({"ready": "judge"}, otherwise=END))
    graph.add_conditional_edges("judge", *route({"allow": "execute", "review": "gate"}, otherwise=END))
    graph.add_conditional_edges("gate", *route({"approved": "execute", "superseded": "judge"}, otherwise=END))
    graph.add_conditional_edges("execute", *route({"changed": "judge"}, otherwise=END))
    return graph


def build() -> Builder:
    graph: Builder = StateGraph(CaseState, context_schema=Context)
    graph.add_node("retrieve", retrieve)
    graph.add_node("triage", ask("triage"))
    graph.add_node("suspect", ask("fraud_analyst"))
    graph.add_node("assess", ask("policy"))
    graph.add_node("money", held(lane("money", steps(propose_refund))))
    graph.add_node("word", held(lane("word", steps(propose_word))))
    graph.add_node("meet", meet("money", "word"))
    graph.add_node("close", leave("closed"))
    graph.add_node("rejected", leave("rejected"))
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "triage")
    graph.add_edge("triage", "suspect")
    graph.add_edge("suspect", "assess")
    graph.add_edge("assess", "money")
    graph.add_edge("assess", "word")
    graph.add_edge("money", "meet")
    graph.add_edge("word", "meet")
    graph.add_conditional_edges("meet", *route({"done": "close"}, otherwise="rejected"))
    graph.add_edge("close", END)
    graph.add_edge("rejected", END)
    return graph


@pytest.fixture
def lanes(house: House) -> House:
    """The house with a refund workflow of two lanes, and rules by which a support lead signs all replies."""
    workflow = house.parts.workflows["refund"]
    table = workflow.rulings["tickets.reply"].table
    asks = Consequence(outcome=Outcome.REVIEW, reason="people_read_it", ladder=("support_lead",))
    asking = replace(table, rows=(replace(table.rows[0], when=(), then=asks),))
    rulebook = Rulebook(house.parts.database, {("refund", table.digest): asking})
    workflow = replace(workflow.with_tables({"tickets.reply": asking}), build=build)
    return House(replace(house.parts, workflows={"refund": workflow}, rulebook=rulebook))


@pytest.fixture
async def waiting(lanes: House) -> Case:
    return await lanes.after(SCENE)


async def reviews(house: House, case: Case) -> dict[str, Review]:
    """The open reviews of a case by their tool."""
    return {review.tool: review for review in await house.open_reviews(case.id)}


async def sign_all(house: House, case: Case) -> Case:
    """The case once all is signed: one lane's deed may have moved what another's reviewers were shown."""
    for _ in range(3):
        for review in await house.open_reviews(case.id):
            await house.decided(review, MAX)
    return await house.case(case.id)


async def deeds(house: House, case: Case) -> list[str]:
    return sorted(effect.tool for effect in await house.effects(case.id) if effect.state == "done")


async def test_both_lanes_ask_at_once_and_nothing_is_done(lanes: House, waiting: Case) -> None:
    assert waiting.status is Status.WAITING_REVIEW
    asked = await reviews(lanes, waiting)
    assert set(asked) == set(TOOLS)
    assert len({review.interrupt_id for review in asked.values()}) == 2
    assert await deeds(lanes, waiting) == []


@pytest.mark.parametrize("first", TOOLS)
async def test_a_decided_lane_goes_on_and_acts_once_while_the_other_waits(
    lanes: House, waiting: Case, first: str
) -> None:
    (second,) = set(TOOLS) - {first}
    asked = await reviews(lanes, waiting)

    case = await lanes.decided(asked[first], LEE)
    assert case.status is Status.WAITING_REVIEW
    assert await deeds(lanes, case) == [first]
    assert list(await reviews(lanes, case)) == [second]

    assert (await sign_all(lanes, case)).status is Status.CLOSED
    assert await deeds(lanes, case) == sorted(TOOLS)
    assert await paid(lanes, SCENE) == [12000]


async def test_both_decided_before_any_work_are_both_done_once(lanes: House, waiting: Case) -> None:
    for review in (await reviews(lanes, waiting)).values():
        await lanes.vote(review, LEE)
    await lanes.work()
    assert (await sign_all(lanes, waiting)).status is Status.CLOSED
    assert await deeds(lanes, waiting) == sorted(TOOLS)
    assert await paid(lanes, SCENE) == [12000]


async def test_every_step_of_every_lane_is_on_the_record_once(lanes: House, waiting: Case) -> None:
    kinds = await lanes.kinds(waiting.id)
    told = ("action.proposed", "verdict.given", "review.opened")
    assert {kind: kinds.count(kind) for kind in told} == dict.fromkeys(told, 2)

    await sign_all(lanes, waiting)
    events = await lanes.events(waiting.id)
    done = sorted(event["data"]["tool"] for event in events if event["kind"] == "effect.done")
    executed = [event for event in events if event["kind"] == "action.executed"]
    assert done == sorted(TOOLS)
    assert sorted(event["data"]["tool"] for event in executed if event["data"]["end"] == "done") == done
    assert [event["kind"] for event in events].count("case.closed") == 1


@pytest.mark.parametrize("rejected", TOOLS)
async def test_a_rejected_lane_ends_and_leaves_the_other_to_its_people(
    lanes: House, waiting: Case, rejected: str
) -> None:
    (other,) = set(TOOLS) - {rejected}
    asked = await reviews(lanes, waiting)
    case = await lanes.decided(asked[rejected], LEE, VoteKind.REJECT)
    assert case.status is Status.WAITING_REVIEW

    case = await sign_all(lanes, case)
    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert await deeds(lanes, case) == [other]


async def test_a_wake_up_without_a_decision_moves_no_lane(lanes: House, waiting: Case) -> None:
    asked = await reviews(lanes, waiting)
    before = await lanes.events(waiting.id)
    await lanes.rows(
        "INSERT INTO commands (id, case_id, kind, dedupe_key, payload, created_at)"
        " SELECT id, case_id, 'resume', id, jsonb_build_object('interrupt', interrupt_id), opened_at"
        " FROM reviews"
    )
    await lanes.work()
    assert await lanes.events(waiting.id) == before
    assert await reviews(lanes, waiting) == asked


async def test_lanes_of_an_old_checkpoint_tell_and_do_nothing(lanes: House, waiting: Case) -> None:
    await sign_all(lanes, waiting)
    before = await lanes.events(waiting.id)
    async with forging(lanes, waiting) as thread:
        past = await thread.past()
    for old in past[:-1]:
        await forge_at(lanes, waiting, str(old.config["configurable"]["checkpoint_id"]), None)

    assert any({"money", "word"} <= set(old.next) for old in past), "none of them would run the lanes"
    assert await lanes.events(waiting.id) == before
    assert await deeds(lanes, waiting) == sorted(TOOLS)
    assert await paid(lanes, SCENE) == [12000]


@pytest.mark.parametrize("first", TOOLS)
async def test_a_crash_after_a_lanes_deed_repeats_nothing(lanes: House, waiting: Case, first: str) -> None:
    """The worker dies as soon as the outcome of the deed is kept, before its step is."""
    asked = await reviews(lanes, waiting)
    await lanes.vote(asked[first], LEE)
    await crash_when_done(lanes, waiting, first)

    await lanes.work()
    case = await lanes.case(waiting.id)
    assert case.status is Status.WAITING_REVIEW
    assert first not in await reviews(lanes, case)
    assert (await sign_all(lanes, case)).status is Status.CLOSED
    assert await deeds(lanes, case) == sorted(TOOLS)
    assert await paid(lanes, SCENE) == [12000]
    told = [event["data"]["tool"] for event in await lanes.events(case.id) if event["kind"] == "effect.done"]
    assert sorted(told) == sorted(TOOLS)


async def crash_when_done(house: House, case: Case, tool: str) -> None:
    """Carry the open command out up to the deed, and kill the worker there."""
    working = asyncio.create_task(house.work())
    async with asyncio.timeout(30):
        while tool not in await deeds(house, case):
            pass
    working.cancel()
    await asyncio.wait({working})

"""The R rows of LANGGRAPH.md: what bites others there, and why it does not bite here.

Not here: R12, a deploy that renames a paused node, is in tests/stories/test_deploys.py; the one interrupt a
node that R13 asks for is in test_R5; R14 is about pruning, which is not built. R15 and R16 in depth are in
tests/checkpoints/test_serializer.py; the T rows are in test_more_known_bites.py.
"""
# ruff: noqa: N802 - the tests bear the names of the rows

import ast
import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, StateSnapshot
from pydantic import SecretStr

import nodes
from checkpoints.cases import Case, Status
from checkpoints.commands import Command as Order
from checkpoints.commands import CommandKind, add_command
from checkpoints.errors import ThreadIsBusy
from checkpoints.votes import VoteKind
from graphs.flow import Builder
from graphs.judging import case_state
from graphs.rulebook import Rulebook
from graphs.runner import Runner
from nodes.context import Context
from nodes.rules import Consequence, Outcome
from nodes.shapes import Json
from nodes.state import CaseState
from tests.bites.brains import crash_at
from tests.bites.forger import forge, forge_at, forging, paid
from tests.house import FINN, LEE, House
from tools.contract import Call
from tools.sandbox.cast import CAST

SCENE = "clean_120_00_1"

FORGED_RESUMES = [
    "approve",
    True,
    {"approved": True},
    {"type": "accept", "args": None},
    [{"type": "accept", "args": None}],
    {"decisions": [{"type": "approve"}]},
    {"decisions": [{"type": "edit", "edited_action": {"name": "tickets.reply", "args": {}}}]},
    {"countersign": {"status": "approved"}, "outcome": "approved"},
]


@pytest.fixture
async def waiting(house: House) -> Case:
    """A case that waits for a person to sign 120.00."""
    case = await house.after(SCENE)
    assert case.status is Status.WAITING_REVIEW
    return case


@pytest.mark.parametrize("payload", FORGED_RESUMES, ids=str)
async def test_R1_a_bare_resume_answers_nothing(house: House, waiting: Case, payload: Any) -> None:
    for _ in range(2):
        await forge(house, waiting, Command(resume=payload))
        assert (await house.case(waiting.id)).status is Status.WAITING_REVIEW
    assert await paid(house, SCENE) == []

    assert (await house.decided(await house.review(waiting.id), LEE)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


@pytest.mark.parametrize("payload", FORGED_RESUMES[:3], ids=str)
async def test_R1_a_resume_that_names_the_interrupt_answers_nothing_either(
    house: House, waiting: Case, payload: Any
) -> None:
    review = await house.review(waiting.id)

    await forge(house, waiting, Command(resume={review.interrupt_id: payload}))

    assert (await house.case(waiting.id)).status is Status.WAITING_REVIEW
    assert await paid(house, SCENE) == []


async def test_R1_a_resume_after_the_end_repeats_nothing(house: House, waiting: Case) -> None:
    review = await house.review(waiting.id)
    await house.decided(review, LEE)

    for payload in ("approve", {review.interrupt_id: {"wake": "again"}}):
        await forge(house, waiting, Command(resume=payload))

    assert await paid(house, SCENE) == [12000]
    assert (await house.case(waiting.id)).status is Status.CLOSED


async def test_R2_a_start_repeated_after_a_crash_repeats_no_step(house: House) -> None:
    case = await house.send("clean_29_90_1")
    await crash_at(house, "policy")

    await house.work()

    kinds = await house.kinds(case.id)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, "clean_29_90_1") == [2990]
    assert [kinds.count(kind) for kind in ("event.received", "context.retrieved", "effect.done")] == [1, 1, 2]


async def test_R3_a_gate_that_runs_again_tells_and_does_nothing_again(house: House, waiting: Case) -> None:
    before = await house.events(waiting.id)

    for _ in range(3):
        await forge(house, waiting, Command(resume="wake up"))
        await forge(house, waiting, None)

    assert await house.events(waiting.id) == before


async def test_R4_what_runs_is_what_was_shown_or_nothing(house: House, waiting: Case) -> None:
    await house.vote(await house.review(waiting.id), LEE)
    await _refund_elsewhere(house, 2000)

    await house.work()

    assert await paid(house, SCENE) == [2000]
    again = await house.review(waiting.id)
    assert again.amount_minor == 10000
    moved = {change["field"]: (change["before"], change["after"]) for change in again.shown["changes"]}
    assert moved["arguments.amount_minor"] == (12000, 10000)

    await house.decided(again, LEE)
    assert await paid(house, SCENE) == [2000, 10000]


async def _refund_elsewhere(house: House, amount_minor: int) -> None:
    """Give some of the scene's payment back, as somebody at the payment desk would."""
    cast = CAST[SCENE]
    arguments = {
        "payment_id": cast.payment_id,
        "order_id": cast.order_id,
        "customer_id": cast.customer_id,
        "amount_minor": amount_minor,
        "currency": "EUR",
        "reason_code": "goodwill",
    }
    registry = house.parts.registry
    tool = registry.describe("payments.refund")
    fitted = tool.arguments.model_validate(arguments)
    await registry.call(house.parts.capability, tool.name, fitted, Call(key="at the desk"))


async def test_R5_a_wake_up_meant_for_another_interrupt_wakes_nobody(house: House, waiting: Case) -> None:
    before = await house.events(waiting.id)
    order = Order(
        id="order-1",
        case_id=waiting.id,
        kind=CommandKind.RESUME,
        dedupe_key="order-1",
        payload={"interrupt": "of somebody else"},
        created_at=house.parts.clock(),
    )
    async with house.parts.database.transaction() as tx:
        await add_command(tx, order)

    await house.work()

    assert await house.events(waiting.id) == before
    assert (await house.case(waiting.id)).status is Status.WAITING_REVIEW


async def test_R5_a_paused_case_has_one_interrupt_and_that_is_its_reviews(
    house: House, waiting: Case
) -> None:
    async with forging(house, waiting) as thread:
        (interrupt,) = (await thread.state()).interrupts

    assert interrupt.id == (await house.review(waiting.id)).interrupt_id
    assert len(interrupt.value["action_requests"]) == 1


async def test_R6_many_workers_with_one_command_pay_once(house: House, waiting: Case) -> None:
    await house.vote(await house.review(waiting.id), LEE)
    (command,) = await house.rows("SELECT id FROM commands WHERE done_at IS NULL")

    outcomes = await asyncio.gather(
        *(Runner(house.parts).carry_out(command["id"]) for _ in range(8)), return_exceptions=True
    )

    assert {type(outcome) for outcome in outcomes if outcome is not None} <= {ThreadIsBusy}
    assert await paid(house, SCENE) == [12000]
    assert (await house.case(waiting.id)).status is Status.CLOSED


async def test_R7_an_old_checkpoint_resumed_before_the_decision_pays_nothing(
    house: House, waiting: Case
) -> None:
    for old in await _old_checkpoints(house, waiting):
        for given in _tries(old):
            await forge_at(house, waiting, _id(old), given)

    assert await paid(house, SCENE) == []
    assert (await house.decided(await house.review(waiting.id), LEE)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


async def test_R7_an_old_checkpoint_resumed_after_the_decision_pays_once(house: House, waiting: Case) -> None:
    await house.vote(await house.review(waiting.id), LEE)
    for old in await _old_checkpoints(house, waiting):
        for given in _tries(old):
            await forge_at(house, waiting, _id(old), given)

    await house.work()

    assert (await house.case(waiting.id)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


async def test_R7_an_old_checkpoint_resumed_after_the_end_pays_no_second_time(
    house: House, waiting: Case
) -> None:
    await house.decided(await house.review(waiting.id), LEE)
    for old in await _old_checkpoints(house, waiting):
        for given in _tries(old):
            await forge_at(house, waiting, _id(old), given)

    assert await paid(house, SCENE) == [12000]
    assert [effect.tool for effect in await house.effects(waiting.id)] == ["payments.refund", "tickets.reply"]


async def _old_checkpoints(house: House, case: Case) -> list[StateSnapshot]:
    """All checkpoints but the head."""
    async with forging(house, case) as thread:
        return (await thread.past())[:-1]


def _tries(old: StateSnapshot) -> list[Any]:
    """What a stale tab could send; a jump to the deed only where there is a proposal to be run."""
    jump = [Command(goto="refund")] if "proposal" in old.values else []
    return [None, Command(resume="approve"), *jump]


def _id(snapshot: StateSnapshot) -> str:
    return str(snapshot.config["configurable"]["checkpoint_id"])


@pytest.mark.parametrize(
    ("as_node", "values"),
    [
        ("gate", {"outcome": "approved", "standing": {"status": "approved", "reason": None, "owner": None}}),
        ("judge", {"outcome": "allow"}),
        ("judge_reply", {"outcome": "allow"}),
    ],
)
async def test_R8_state_written_in_a_nodes_name_pays_nothing(
    house: House, waiting: Case, as_node: str, values: Json
) -> None:
    async with forging(house, waiting) as thread:
        await thread.write(values, as_node)
        await thread.wake(None)

    assert await paid(house, SCENE) == []
    assert await house.effects(waiting.id) == []


@pytest.mark.parametrize("node", ["refund", "tell", "judge_reply", "send", "closed"])
async def test_R8_a_jump_to_a_node_pays_nothing(house: House, waiting: Case, node: str) -> None:
    async with forging(house, waiting) as thread:
        try:
            await thread.wake(Command(goto=node, update={"outcome": "approved"}))
        except KeyError:
            assert node == "tell"  # it reads the receipt of a deed that was not done

    assert await paid(house, SCENE) == []
    assert await house.effects(waiting.id) == []


async def test_R8_after_a_jump_the_deed_is_still_done_once_and_only_when_it_is_signed(
    house: House, waiting: Case
) -> None:
    await forge(house, waiting, Command(goto="refund"))
    assert await paid(house, SCENE) == []

    for review in await house.open_reviews(waiting.id):
        await house.decided(review, LEE)

    assert await paid(house, SCENE) == [12000]


async def test_R9_new_input_on_a_paused_thread_throws_no_decision_away(house: House, waiting: Case) -> None:
    review = await house.review(waiting.id)
    await forge(house, waiting, {"case": case_state(waiting)})
    assert await house.review(waiting.id) == review

    assert (await house.decided(review, LEE)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


async def test_R9_new_input_after_the_vote_finds_the_decision(house: House, waiting: Case) -> None:
    await house.vote(await house.review(waiting.id), LEE)
    await forge(house, waiting, {"case": case_state(waiting)})
    await house.work()

    assert (await house.case(waiting.id)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


def test_R10_no_node_swallows_an_interrupt() -> None:
    broad = [
        f"{path.name}:{handler.lineno}"
        for folder in nodes.__path__
        for path in Path(folder).glob("**/*.py")
        for handler in _handlers(path)
        if {"Exception", "BaseException", "GraphInterrupt", "GraphBubbleUp", None} & _caught(handler)
    ]

    assert broad == []


def _handlers(path: Path) -> Iterator[ast.ExceptHandler]:
    for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(item, ast.ExceptHandler):
            yield item


def _caught(handler: ast.ExceptHandler) -> set[str | None]:
    if handler.type is None:
        return {None}
    return {item.id for item in ast.walk(handler.type) if isinstance(item, ast.Name)}


def _later(house: House, then: Consequence) -> House:
    """The same house after somebody put other rules under its cases, which say the same to every refund."""
    workflow = house.parts.workflows["refund"]
    ruling = workflow.rulings["payments.refund"]
    row = replace(ruling.table.rows[-1], when=(), then=then)
    table = replace(ruling.table, version="later", digest="of the later one", rows=(row,))
    rulebook = Rulebook(house.parts.database, {("refund", ruling.table.digest): table})
    later = workflow.with_tables({"payments.refund": table})
    return House(replace(house.parts, workflows={"refund": later}, rulebook=rulebook))


async def test_R11_what_was_rejected_does_not_run_because_the_rules_changed(
    house: House, waiting: Case
) -> None:
    later = _later(house, Consequence(outcome=Outcome.ALLOW, reason="everything_goes"))
    case = await later.decided(await house.review(waiting.id), LEE, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert await paid(house, SCENE) == []


async def test_R11_what_was_approved_under_old_rules_is_asked_again_under_new_ones(
    house: House, waiting: Case
) -> None:
    later = _later(house, Consequence(outcome=Outcome.REVIEW, reason="everything_asks", ladder=("finance",)))
    case = await later.decided(await house.review(waiting.id), LEE)

    assert case.status is Status.WAITING_REVIEW
    assert await paid(house, SCENE) == []
    review = await house.review(waiting.id)
    assert {change["field"] for change in review.shown["changes"]} == {"rules.version", "rules.digest"}
    await later.decided(review, FINN)
    assert await paid(house, SCENE) == [12000]


async def test_R11_a_verdict_stays_as_it_was_given(house: House, waiting: Case) -> None:
    before = await house.review(waiting.id)

    later = _later(house, Consequence(outcome=Outcome.ALLOW, reason="everything_goes"))
    await forge(later, waiting, Command(resume="wake up"))

    assert await house.review(waiting.id) == before
    assert before.action["rules"]["version"] == before.shown["verdict"]["table"]["version"] != "later"


async def test_R15_a_secret_fails_its_case_and_is_not_kept(house: House) -> None:
    async def leak(state: CaseState) -> CaseState:
        return {"outcome": SecretStr("canary-91c")}  # type: ignore[typeddict-item] # types would catch it

    def build() -> Builder:
        graph: Builder = StateGraph(CaseState, context_schema=Context)
        graph.add_node("leak", leak)
        graph.add_edge(START, "leak")
        return graph

    workflow = replace(house.parts.workflows["refund"], build=build)
    case = await House(replace(house.parts, workflows={"refund": workflow})).after(SCENE)

    assert (case.status, case.reason) == (Status.FAILED, "unexpected_error")
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "audit_events", "cases"):
        assert "canary-91c" not in repr(await house.rows(f"SELECT * FROM {table}"))  # noqa: S608 - fixed names


async def test_R16_nothing_in_a_cases_checkpoints_names_a_type(house: House, waiting: Case) -> None:
    await house.decided(await house.review(waiting.id), LEE)

    blobs = await house.rows("SELECT type, blob FROM checkpoint_blobs WHERE type NOT IN ('null', 'empty')")
    writes = await house.rows("SELECT type, blob FROM checkpoint_writes WHERE channel <> '__interrupt__'")
    assert len(blobs) > 10
    for row in [*blobs, *writes]:
        ormsgpack.unpackb(row["blob"], option=ormsgpack.OPT_NON_STR_KEYS)  # refuses whatever is no JSON shape


async def test_R17_an_empty_resume_pays_nothing_and_harms_nothing(house: House, waiting: Case) -> None:
    with suppress(UnboundLocalError):  # LangGraph's own mistake
        await forge(house, waiting, Command(resume=None))

    assert await paid(house, SCENE) == []
    assert (await house.decided(await house.review(waiting.id), LEE)).status is Status.CLOSED

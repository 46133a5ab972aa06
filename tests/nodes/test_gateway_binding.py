"""What was signed is what runs: one field different between signature and effect, and nothing does."""

import asyncio
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from checkpoints.canonical import digest
from checkpoints.cases import Status
from checkpoints.effects import SessionLedger
from checkpoints.session import fenced_session, open_session
from graphs.contexts import context_on
from nodes.action import Proposal
from nodes.context import Context
from nodes.story import Story
from tests.house import LEE, House
from tools.sandbox.cast import CAST

FIELDS = (
    "case",
    "workflow",
    "proposal",
    "revision",
    "proposer",
    "tool",
    "tool_version",
    "arguments.payment_id",
    "arguments.order_id",
    "arguments.customer_id",
    "arguments.amount_minor",
    "arguments.currency",
    "arguments.reason_code",
    "sources.amount_minor.source",
    "sources.amount_minor.trust",
    "key",
    "evidence.order",
    "evidence.customer",
    "evidence.payments",
    "evidence.fraud",
    "rules.table",
    "rules.version",
    "rules.digest",
    "expires_at",
)


def changed(action: dict[str, Any], field: str) -> dict[str, Any]:
    """The action with one field different."""
    name, _, rest = field.partition(".")
    value = action[name]
    if rest:
        return action | {name: changed(value, rest)}
    return action | {name: value + 1 if isinstance(value, int) else f"{value}x"}


def leaves(action: dict[str, Any], before: str = "") -> set[str]:
    """The paths of all fields of an action."""
    nested = {f"{before}{name}": value for name, value in action.items()}
    return {
        path
        for name, value in nested.items()
        for path in (leaves(value, f"{name}.") if isinstance(value, dict) else {name})
    }


async def test_the_fields_tried_are_those_an_action_has(house: House) -> None:
    review = await house.review((await house.after("clean_120_00_1")).id)

    untried = leaves(review.action) - set(FIELDS)
    assert {path.partition(".")[0] for path in untried} <= {"sources", "evidence"}
    assert set(FIELDS) <= leaves(review.action)


@pytest.mark.parametrize("field", FIELDS)
async def test_a_signature_on_one_field_else_runs_nothing(house: House, field: str) -> None:
    case = await house.after("clean_120_00_1")
    await house.vote(await house.review(case.id), LEE)
    (grant,) = await house.rows("SELECT action FROM grants")
    signed = changed(grant["action"], field)
    for table in ("grants", "reviews"):
        await house.rows(f"UPDATE {table} SET action = %s, digest = %s", Jsonb(signed), digest(signed))  # noqa: S608
    await house.rows("UPDATE votes SET digest = %s", digest(signed))
    await house.work()

    assert await house.effects(case.id) == []
    assert await house.refunds(CAST["clean_120_00_1"].order_id) == []
    review = await house.review(case.id)
    assert field in {change["field"] for change in review.shown["changes"]}


@pytest.mark.parametrize("table", ["grants", "reviews", "votes"])
async def test_a_grant_that_is_not_of_what_was_voted_on_runs_nothing(house: House, table: str) -> None:
    case = await house.after("clean_120_00_1")
    await house.vote(await house.review(case.id), LEE)
    await house.rows(f"UPDATE {table} SET digest = %s", digest({"another": "action"}))  # noqa: S608
    await house.work()

    assert await house.effects(case.id) == []
    after = await house.case(case.id)
    assert (after.status, after.reason) == (Status.BLOCKED, "signed_something_else")


async def test_eight_executions_of_one_grant_are_one_effect(house: House) -> None:
    case = await house.after("clean_120_00_1")
    review = await house.review(case.id)
    await house.vote(review, LEE)
    engine = house.parts.database.engine
    (blob,) = await house.rows(
        "SELECT data FROM audit_events WHERE case_id = %s AND kind = 'action.proposed'", case.id
    )
    proposal = Proposal.from_json(blob["data"])

    async def execute() -> str:
        async with open_session(engine) as session:
            workflow = house.parts.workflows["refund"]
            context = context_on(house.parts, await house.case(case.id), workflow, session)
            story = TaskStory(context)
            execution = await context.gateway.execute(
                context.case, proposal, review.shown["facts"], story.event
            )
            return execution.end

    ends = await asyncio.gather(*(execute() for _ in range(8)))

    assert ends.count("done") >= 1
    assert len(await house.effects(case.id)) == 1
    assert len(await house.refunds(CAST["clean_120_00_1"].order_id)) == 1


async def test_a_grant_is_used_once(house: House) -> None:
    case = await house.after("clean_120_00_1")
    await house.decided(await house.review(case.id), LEE)

    async with fenced_session(house.parts.database.engine, case.id) as session:
        (refund, _reply) = await SessionLedger(session).effects(case.id)
        (grant,) = await house.rows("SELECT used_at FROM grants WHERE id = %s", refund.grant_id)
    assert grant["used_at"] is not None
    assert (await house.case(case.id)).status is Status.CLOSED


class TaskStory(Story):
    """A story of a task that only exists in this test."""

    def __init__(self, context: Context) -> None:
        self.task_id = "task"
        self._context = context
        self._actor = "gateway"
        self.events = []

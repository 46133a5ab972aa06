"""Hearsay: what agents have said is taken from the log, and says nothing of who, what, where and how much."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import Field

from checkpoints.audit import Event, tell
from checkpoints.cases import Case
from graphs.refund.agents import Assessment, Triage
from nodes.action import Proposal, Ref
from nodes.agent import Clause
from nodes.event import EventRefused
from nodes.judge import Judgement
from nodes.rules import Outcome
from nodes.workflow import WorkflowUnfit
from tests.house import House
from tests.nodes.desk import at_desk, wish, with_arguments
from tools.contract import Trust

SCENE = "clean_29_90_1"


class Opinion(Assessment):
    """An assessment that also names what it should not have a say in."""

    policy: list[Clause] = Field(default_factory=list)
    currency: str = "EUR"
    order_id: str = ""


def opinionated(house: House) -> House:
    refund = house.parts.workflows["refund"]
    policy = replace(refund.agents["policy"], output=Opinion)
    refund = replace(refund, agents=dict(refund.agents) | {"policy": policy})
    return House(replace(house.parts, workflows={"refund": refund}))


def listing(house: House, tool: str = "payments.refund", **said: tuple[str, ...]) -> House:
    """The house in which arguments of a tool may be what these agents have said."""
    refund = house.parts.workflows["refund"]
    ruling = replace(refund.rulings[tool], said=said)
    refund = replace(refund, rulings=dict(refund.rulings) | {tool: ruling})
    return House(replace(house.parts, workflows={"refund": refund}))


async def said(house: House, case: Case, agent: str, number: int = 1, **output: Any) -> None:
    """Put on the record what an agent found."""
    whole = {"confidence_percent": 90, "evidence": ["event"]} | output
    data = {"agent": agent, "output": whole}
    event = Event(
        id=f"{case.id}/{agent}/{number}",
        case_id=case.id,
        kind="agent.found",
        actor=f"agent:{agent}",
        at=house.parts.clock(),
        data=data,
    )
    async with house.parts.database.transaction() as tx:
        await tell(tx, event)


async def judged(house: House, case: Case, proposal: Proposal) -> Judgement:
    async with at_desk(house, case) as desk:
        return await desk.context.judge.judge(desk.context.case, proposal)


async def test_what_an_agent_said_is_no_argument_unless_the_workflow_lists_it(house: House) -> None:
    case = await house.send(SCENE)
    await said(house, case, "triage", kind="refund", summary="Broken.")
    words = with_arguments(case, reason_code=Ref("triage.kind"))

    for unlisted in (house, listing(house, reason_code=("policy",)), listing(house, order_id=("triage",))):
        found = await judged(unlisted, case, words)
        assert (found.verdict.outcome, found.verdict.then.reason) == (Outcome.REFUSE, "words_not_listed")


async def test_what_an_agent_said_is_judged_as_that_where_it_is_listed(house: House) -> None:
    house = listing(house, reason_code=("triage",))
    case = await house.send(SCENE)
    await said(house, case, "triage", kind="refund", summary="Broken.")

    found = await judged(house, case, with_arguments(case, reason_code=Ref("triage.kind")))

    assert (found.verdict.outcome, found.verdict.row) == (Outcome.REVIEW, "RF-85")
    assert found.facts["asked_by"]["value"] == "model"
    assert found.action["arguments"]["reason_code"] == "refund"
    assert found.action["sources"]["reason_code"] == {"source": "triage.kind", "trust": Trust.MODEL.value}
    assert "triage" in found.action["evidence"]


async def test_an_authority_argument_that_an_agent_said_is_never_automatic(house: House) -> None:
    house = listing(opinionated(house), currency=("policy",))
    case = await house.send(SCENE)
    await said(house, case, "policy", recommendation="refund", reason="It says so.")

    found = await judged(house, case, with_arguments(case, currency=Ref("policy.currency")))

    assert (found.verdict.outcome, found.verdict.then.reason) == (Outcome.INVESTIGATE, "unproven_authority")


async def test_what_another_case_has_handed_over_is_never_an_authority_argument_by_itself(
    house: House,
) -> None:
    refund = house.parts.workflows["refund"]
    table = refund.rulings["payments.refund"].table
    rows = [
        replace(row, when=tuple(one for one in row.when if one.fact != "asked_by"))
        for row in table.rows
        if row.id != "RF-85"
    ]
    unasking = replace(table, rows=tuple(rows))
    house = House(
        replace(house.parts, workflows={"refund": refund.with_tables({"payments.refund": unasking})})
    )
    case = await house.send(SCENE)
    wanted = with_arguments(case, order_id=Ref("event.order_id"))

    assert (await judged(house, case, wanted)).verdict.outcome is Outcome.ALLOW
    found = await judged(house, replace(case, parent_id="another"), wanted)
    assert (found.verdict.outcome, found.verdict.then.reason) == (Outcome.INVESTIGATE, "unproven_authority")
    shown = found.action["sources"]["order_id"]
    assert shown == {"source": "event.order_id", "trust": Trust.MODEL.value}


async def test_an_agent_cannot_name_another_order(house: House) -> None:
    house = listing(opinionated(house), order_id=("policy",))
    case = await house.send(SCENE)
    await said(house, case, "policy", recommendation="refund", reason="So.", order_id="O-900002")

    found = await judged(house, case, with_arguments(case, order_id=Ref("policy.order_id")))

    assert (found.verdict.outcome, found.verdict.then.reason) == (Outcome.REFUSE, "out_of_scope")


async def test_nothing_an_agent_said_leaves_the_house_by_rule_alone(house: House) -> None:
    house = listing(house, "tickets.reply", body=("triage",))
    case = await house.after(SCENE)
    reply = wish(
        case,
        step="another",
        tool="tickets.reply",
        proposer="rule:tell",
        arguments={
            "ticket_id": Ref("ticket.ticket_id"),
            "customer_id": Ref("customer.customer_id"),
            "template": Ref("reply.template"),
            "body": Ref("reply.body"),
        },
    )
    assert (await judged(house, case, reply)).verdict.outcome is Outcome.ALLOW

    told = replace(reply, arguments={**reply.arguments, "body": Ref("triage.summary")})
    found = await judged(house, case, told)
    assert (found.verdict.outcome, found.verdict.then.reason) == (Outcome.INVESTIGATE, "unproven_authority")


async def test_what_an_agent_said_last_counts(house: House) -> None:
    house = listing(house, reason_code=("triage",))
    case = await house.send(SCENE)
    await said(house, case, "triage", 1, kind="complaint", summary="Angry.")
    await said(house, case, "triage", 2, kind="refund", summary="Broken.")

    found = await judged(house, case, with_arguments(case, reason_code=Ref("triage.kind")))

    assert found.action["arguments"]["reason_code"] == "refund"


async def test_what_another_cases_agent_said_is_nothing_here(house: House) -> None:
    house = listing(house, reason_code=("triage",))
    case, other = await house.send(SCENE), await house.send("clean_29_90_2")
    await said(house, other, "triage", kind="refund", summary="Broken.")

    found = await judged(house, case, with_arguments(case, reason_code=Ref("triage.kind")))

    assert found.verdict.then.reason == "unresolved_reference"


async def test_a_finding_that_does_not_fit_any_more_is_looked_into(house: House) -> None:
    house = listing(house, reason_code=("triage",))
    case = await house.send(SCENE)
    await said(house, case, "triage", kind="refund", summary="Broken.", added="later")

    found = await judged(house, case, with_arguments(case, reason_code=Ref("triage.kind")))

    assert found.verdict.then.reason == "arguments_unfit"


async def test_facts_that_rely_on_an_agent_are_not_gathered_without_it(house: House) -> None:
    refund = house.parts.workflows["refund"]
    ruling = replace(refund.rulings["payments.refund"], hears=("triage",))
    hearing = replace(refund, rulings=dict(refund.rulings) | {"payments.refund": ruling})
    house = House(replace(house.parts, workflows={"refund": hearing}))
    case = await house.send(SCENE)

    assert (await judged(house, case, wish(case))).verdict.then.reason == "unresolved_reference"
    await said(house, case, "triage", kind="refund", summary="Broken.")
    found = await judged(house, case, wish(case))
    assert found.verdict.outcome is Outcome.ALLOW
    assert isinstance(found.records["triage"], Triage)


async def test_a_record_of_somebody_else_within_a_record_is_out_of_scope(house: House) -> None:
    refund = house.parts.workflows["refund"]
    strict = replace(refund, scope=(*refund.scope, ("payments.payments.payment_id", "event.order_id")))
    house = House(replace(house.parts, workflows={"refund": strict}))

    with pytest.raises(EventRefused, match=r"payments\.payments\.payment_id is not event\.order_id"):
        await house.send(SCENE)


def test_a_workflow_whose_records_could_be_anybodys_is_refused(house: House) -> None:
    refund = house.parts.workflows["refund"]

    with pytest.raises(WorkflowUnfit, match="whose these must be: ticket"):
        replace(refund, scope=tuple(pair for pair in refund.scope if "ticket" not in pair[0]))


def test_an_agent_named_like_a_record_is_refused(house: House) -> None:
    refund = house.parts.workflows["refund"]

    with pytest.raises(WorkflowUnfit, match="both called ticket"):
        replace(refund, agents={"ticket": refund.agents["triage"]})

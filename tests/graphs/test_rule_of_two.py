"""The rule of two: text from outside, sensitive data, writing alone: no agent holds all three."""

from dataclasses import replace
from typing import ClassVar

import pytest

from graphs.catalogue import find_kits
from graphs.closed_world import OpenWorld
from graphs.flow import Builder
from graphs.provenance import require_provenance
from graphs.refund import KIT
from graphs.refund.graph import build
from graphs.refund.records import RefundFacts
from graphs.rule_of_two import require_rule_of_two
from graphs.wiring import proven
from nodes.held import held
from nodes.permissions import Permission, Permissions, Role, Verb
from nodes.records import Said, View
from nodes.retrieve import retrieve
from nodes.workflow import Workflow, WorkflowUnfit
from tests.house import House
from tools.contract import Record

OUTSIDE, SENSITIVE = "ticket.subject", "customer.name"


def policy_sees(*fields: str, clear: tuple[str, ...] = (), proposes: str = "payments.refund") -> Workflow:
    """The refund workflow, whose policy agent sees and proposes this."""
    refund = KIT.workflow()
    role = replace(refund.agents["policy"], view=View(fields=fields, clear=frozenset(clear)), look_ups=())
    wishes = Role(name="agent:policy", permissions=(Permission(verb=Verb.PROPOSE, on=proposes),))
    others = [one for one in refund.permissions.roles.values() if one.name != "agent:policy"]
    return replace(
        refund, agents={**refund.agents, "policy": role}, permissions=Permissions([*others, wishes])
    )


async def test_every_shipped_workflow_is_bearable(house: House) -> None:
    for kit in find_kits():
        require_provenance(kit.workflow(), house.parts.registry)
        require_rule_of_two(kit.workflow(), house.parts.registry)


async def test_all_three_are_refused_and_named(house: House) -> None:
    workflow = policy_sees(OUTSIDE, SENSITIVE, clear=(OUTSIDE, SENSITIVE))

    with pytest.raises(WorkflowUnfit, match="reads text from outside") as unfit:
        require_rule_of_two(workflow, house.parts.registry)

    for part in ("refund", "policy", OUTSIDE, "payments.refund by row RF-8"):
        assert part in str(unfit.value)


@pytest.mark.parametrize(
    "workflow",
    [
        policy_sees("order.status", "customer.email", clear=("customer.email",)),
        policy_sees(OUTSIDE, SENSITIVE),
        policy_sees("customer.tier", OUTSIDE),
    ],
    ids=["nothing from outside", "masked", "nothing sensitive"],
)
async def test_any_two_are_bearable(house: House, workflow: Workflow) -> None:
    require_rule_of_two(workflow, house.parts.registry)


async def test_text_from_outside_also_comes_through_what_another_agent_has_said(house: House) -> None:
    workflow = policy_sees("triage.summary", "customer.email", clear=("triage.summary", "customer.email"))

    with pytest.raises(WorkflowUnfit, match=r"reads text from outside \(triage\.summary\)"):
        require_rule_of_two(workflow, house.parts.registry)


def triage_says(field: str, *, tool: str = "payments.refund", argument: str = "reason_code") -> Workflow:
    """The refund workflow, whose triage reads the ticket in clear and whose words are proposed."""
    refund = KIT.workflow()
    view = View(fields=(OUTSIDE, SENSITIVE), clear=frozenset({OUTSIDE, SENSITIVE}))
    triage = replace(refund.agents["triage"], view=view, look_ups=())
    ruling = replace(refund.rulings[tool], said={argument: (field,)}, hears=("triage",))
    return replace(
        refund,
        agents={**refund.agents, "triage": triage},
        rulings={**refund.rulings, tool: ruling},
        derived={**refund.derived, "notes": Notes, "plain": Plain},
    )


class Notes(Said):
    """What is concluded from what agents say."""

    kind: str


class Plain(Record):
    """What is derived from records."""

    kind: str


@pytest.mark.parametrize("record", ["triage", "notes"])
async def test_an_agents_words_are_followed_through_fixed_steps_that_propose_them(
    house: House, record: str
) -> None:
    workflow = triage_says(record)
    assert not workflow.permissions.decide(("agent:triage",), Verb.PROPOSE, "payments.refund").allowed

    with pytest.raises(WorkflowUnfit, match="writes without a person") as unfit:
        require_rule_of_two(workflow, house.parts.registry)

    for part in ("agent triage", "payments.refund, whose reason_code is in its words by row RF-8"):
        assert part in str(unfit.value)


async def test_the_way_from_the_agent_to_the_deed_is_named_and_drawn(house: House) -> None:
    with pytest.raises(WorkflowUnfit) as unfit:
        require_rule_of_two(triage_says("triage"), house.parts.registry)

    told = str(unfit.value)
    (way,) = [line for line in told.splitlines() if " → " in line]
    steps = way.strip().split(" → ")
    assert (steps[0], steps[-1]) == ("triage", "refund")
    assert "flowchart TD" in told
    assert all(f"  style {step} stroke:#b00" in told for step in steps)


async def test_words_that_the_judge_never_lets_pass_alone_are_bearable(house: House) -> None:
    for workflow in (
        triage_says("triage", argument="order_id"),
        triage_says("triage", tool="tickets.reply", argument="body"),
    ):
        require_rule_of_two(workflow, house.parts.registry)


@pytest.mark.parametrize("record", ["plain", "order", "nobody"])
async def test_what_nobody_says_is_listed_as_nobodys_words(house: House, record: str) -> None:
    with pytest.raises(WorkflowUnfit, match=f"lists as words what nobody says: {record}"):
        require_provenance(triage_says(record), house.parts.registry)


async def test_what_is_not_proven_does_not_run(house: House) -> None:
    refund, registry = KIT.workflow(), house.parts.registry
    assert proven(refund, registry).name == "refund"

    with pytest.raises(WorkflowUnfit, match="take one of the three away"):
        proven(triage_says("triage"), registry)
    with pytest.raises(WorkflowUnfit, match="what nobody says"):
        proven(triage_says("nobody"), registry)
    with pytest.raises(OpenWorld, match="has an error handler"):
        proven(replace(refund, build=open_graph), registry)


def open_graph() -> Builder:
    graph = build()
    graph.set_node_defaults(error_handler=held(retrieve))
    return graph


async def test_a_fact_that_tells_the_origin_of_nothing_is_refused(house: House) -> None:
    class Odd(RefundFacts):
        origins: ClassVar[dict[str, str]] = {"asked_by": "colour"}

    refund = KIT.workflow()
    ruling = replace(refund.rulings["payments.refund"], facts=Odd)
    odd = replace(refund, rulings={**refund.rulings, "payments.refund": ruling})

    with pytest.raises(
        WorkflowUnfit, match=r"refund: payments\.refund: asked_by tells where colour comes from"
    ):
        require_provenance(odd, house.parts.registry)


@pytest.mark.parametrize("path", ["nothing.field", "order.nothing", "order"])
async def test_a_role_that_lists_what_there_is_not_is_refused(house: House, path: str) -> None:
    with pytest.raises(WorkflowUnfit, match=f"agent policy lists what there is not: {path}"):
        require_rule_of_two(policy_sees("order.status", path), house.parts.registry)


async def test_what_is_derived_is_what_was_declared(house: House) -> None:
    refund = house.parts.workflows["refund"]
    undeclared = replace(refund, derived={})

    with pytest.raises(WorkflowUnfit, match="`derived` does not name: target"):
        await House(replace(house.parts, workflows={"refund": undeclared})).send("clean_29_90_1")

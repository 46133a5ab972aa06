"""The rule of two: text from outside, sensitive data, writing alone: no agent holds all three."""

from dataclasses import replace

import pytest

from graphs.catalogue import find_kits
from graphs.refund import KIT
from graphs.rule_of_two import require_rule_of_two
from nodes.permissions import Permission, Permissions, Role, Verb
from nodes.records import View
from nodes.workflow import Workflow, WorkflowUnfit
from tests.house import House

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


@pytest.mark.parametrize("path", ["nothing.field", "order.nothing", "order"])
async def test_a_role_that_lists_what_there_is_not_is_refused(house: House, path: str) -> None:
    with pytest.raises(WorkflowUnfit, match=f"agent policy lists what there is not: {path}"):
        require_rule_of_two(policy_sees("order.status", path), house.parts.registry)


async def test_what_is_derived_is_what_was_declared(house: House) -> None:
    refund = house.parts.workflows["refund"]
    undeclared = replace(refund, derived={})

    with pytest.raises(WorkflowUnfit, match="`derived` does not name: target"):
        await House(replace(house.parts, workflows={"refund": undeclared})).send("clean_29_90_1")

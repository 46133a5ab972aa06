"""Roles as data: who may do what with every tool, said a second time; and a file that is wrong in any way."""

from dataclasses import replace

import pytest

from graphs.refund import KIT
from graphs.roles import load_roles, read_text
from nodes.permissions import CASES, PERSONAL_DATA, SCHEDULES, TOOLS_OUTSIDE, NotPermitted, Verb
from nodes.strict_yaml import TableUnfit
from tests.graphs.allowed import allowed
from tests.house import House
from tests.nodes.desk import at_desk

READS = {
    "tickets.get",
    "orders.get",
    "customers.get",
    "payments.list",
    "payments.history",
    "fraud.signals",
}
WRITES = {"payments.refund", "tickets.reply", "payments.reverse_refund", "tickets.retract_reply"}
WRITTEN_BY_HAND = {
    ("support_lead", Verb.DECIDE): WRITES,
    ("finance", Verb.DECIDE): {"payments.refund", "payments.reverse_refund"},
    ("agent:policy", Verb.PROPOSE): {"payments.refund"},
    ("team_lead", Verb.MANAGE): WRITES,
    ("team_lead", Verb.RESOLVE): WRITES,
    ("duty_manager", Verb.BREAK_GLASS): {"payments.refund"},
    ("rule_keeper", Verb.KEEP): WRITES,
    ("rule:tell", Verb.PROPOSE): {"tickets.reply"},
    ("rule:judge", Verb.READ): READS,
    ("rule:rollback", Verb.PROPOSE): {"payments.reverse_refund", "tickets.retract_reply"},
    ("gateway", Verb.EXECUTE): WRITES,
}
"""All that anybody may do with a tool in the refund workflow; whatever is not here is denied."""


async def test_every_role_may_do_this_with_every_tool_and_nothing_else(house: House) -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, [tool.name for tool in house.parts.registry]) == WRITTEN_BY_HAND


def test_who_may_ask_for_a_rollback_is_this_and_nobody_else() -> None:
    permissions = KIT.workflow().permissions
    may = {name for name in permissions.roles if permissions.decide((name,), Verb.ROLL_BACK, CASES).allowed}
    assert may == {"support_lead", "finance", "team_lead"}


BESIDE_TOOLS = {
    ("privacy_officer", Verb.UNMASK): {PERSONAL_DATA},
    ("privacy_officer", Verb.ERASE): {PERSONAL_DATA},
    ("team_lead", Verb.SCHEDULE): {SCHEDULES},
    ("rule_keeper", Verb.ADMIT): {TOOLS_OUTSIDE},
}
"""All that anybody may do with what is no tool."""


BESIDE = (PERSONAL_DATA, SCHEDULES, TOOLS_OUTSIDE)


def test_every_role_may_do_this_beside_tools_and_nothing_else() -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, BESIDE) == BESIDE_TOOLS


async def test_a_record_that_the_judge_may_not_read_is_not_read(house: House) -> None:
    case = await house.send("clean_29_90_1")
    roles = load_roles(
        "graphs.refund",
        read_text("graphs.refund", "roles.yaml").replace("payments.history, fraud.signals", "fraud.signals"),
    )
    async with at_desk(house, case) as desk:
        reader = desk.context.judge.reader
        fewer = replace(reader, workflow=replace(reader.workflow, permissions=roles.permissions()))
        with pytest.raises(NotPermitted, match=r"no role gives read payments\.history"):
            await fewer.records(desk.context.case)


MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "a limit in another currency": ("500.00 EUR", "500.00 USD", ["people: support_lead: limit", "EUR"]),
    "a limit without a currency": ("500.00 EUR", '"500.00"', ["people: support_lead: limit", "500.00"]),
    "a cycle of roles": (
        "    limit: 500.00 EUR\n",
        "    limit: 500.00 EUR\n    includes: [support_lead]\n",
        ["support_lead includes support_lead", "cycle"],
    ),
    "an unknown role": (
        "    limit: 500.00 EUR\n",
        "    limit: 500.00 EUR\n    includes: [manager]\n",
        ["support_lead", "'manager'"],
    ),
    "a misspelt field": (
        "    decides: [payments.refund, payments.reverse_refund]\n",
        "    decide: [payments.refund, payments.reverse_refund]\n",
        ["finance"],
    ),
    "a lost field": ("currency: EUR\n", "", ["currency"]),
    "a limit that is a number": ("limit: 500.00 EUR", "limit: 500.00", ["support_lead", "limit"]),
    "no YAML": ("owner: support_lead", "owner: [", ["not YAML"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_roles_is_refused_with_its_field(mistake: str) -> None:
    old, new, named = MISTAKES[mistake]
    text = read_text("graphs.refund", "roles.yaml")
    assert old in text

    with pytest.raises(TableUnfit) as unfit:
        load_roles("graphs.refund", text.replace(old, new))

    assert str(unfit.value).startswith("graphs/refund/roles.yaml: ")
    for word in named:
        assert word in str(unfit.value)


def test_what_somebody_is_denied_outweighs_what_they_include() -> None:
    text = read_text("graphs.refund", "roles.yaml").replace(
        "    limit: 100000.00 EUR\n",
        "    limit: 100000.00 EUR\n    includes: [support_lead]\n    denied: [tickets.reply]\n",
    )
    permissions = load_roles("graphs.refund", text).permissions()

    assert permissions.decide(("finance",), Verb.DECIDE, "payments.refund").allowed
    denied = permissions.decide(("finance",), Verb.DECIDE, "tickets.reply")
    assert not denied.allowed
    assert len(denied.considered) == 2

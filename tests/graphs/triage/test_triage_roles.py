"""The triage's roles: who may do what with every tool, and what each agent sees, said a second time."""

from graphs.triage import KIT
from nodes.permissions import CASES, PERSONAL_DATA, SCHEDULES, Verb
from tests.graphs.allowed import allowed
from tests.house import House

READS = {
    "tickets.get",
    "tickets.of_customer",
    "customers.get",
    "orders.of_customer",
    "product_events.of_customer",
}
WRITES = {"tickets.reply", "tickets.retract_reply"}
WRITTEN_BY_HAND = {
    ("support_lead", Verb.DECIDE): WRITES,
    ("head_of_support", Verb.DECIDE): {"tickets.reply"},
    ("rule:answer", Verb.PROPOSE): {"tickets.reply"},
    ("rule:draft", Verb.PROPOSE): {"tickets.reply"},
    ("team_lead", Verb.MANAGE): WRITES,
    ("team_lead", Verb.RESOLVE): WRITES,
    ("duty_manager", Verb.BREAK_GLASS): {"tickets.reply"},
    ("rule_keeper", Verb.KEEP): WRITES,
    ("rule:judge", Verb.READ): READS,
    ("rule:rollback", Verb.PROPOSE): {"tickets.retract_reply"},
    ("gateway", Verb.EXECUTE): WRITES,
}
"""All that anybody may do with a tool in the triage; whatever is not here is denied."""
BESIDE_TOOLS = {
    ("privacy_officer", Verb.UNMASK): {PERSONAL_DATA},
    ("privacy_officer", Verb.ERASE): {PERSONAL_DATA},
    ("team_lead", Verb.SCHEDULE): {SCHEDULES},
    ("support_lead", Verb.ROLL_BACK): {CASES},
    ("head_of_support", Verb.ROLL_BACK): {CASES},
    ("team_lead", Verb.ROLL_BACK): {CASES},
}
"""All that anybody may do with what is no tool."""
SEEN = {
    "classifier": {"ticket"},
    "resolver": {"classifier", "ticket", "customer", "account", "product_events", "matter", "earlier"},
}


async def test_every_role_may_do_this_with_every_tool_and_nothing_else(house: House) -> None:
    permissions = KIT.workflow().permissions
    tools = [tool.name for tool in house.parts.registry]

    assert allowed(permissions, tools, "agent:resolver") == WRITTEN_BY_HAND


def test_every_role_may_do_this_beside_tools_and_nothing_else() -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, (PERSONAL_DATA, SCHEDULES, CASES)) == BESIDE_TOOLS


def test_nothing_of_the_refund_can_be_done_from_here() -> None:
    permissions = KIT.workflow().permissions

    for role in permissions.roles:
        for verb in Verb:
            assert not permissions.decide((role,), verb, "payments.refund").allowed, (role, verb)


def test_an_agent_sees_these_records_and_no_others() -> None:
    agents = KIT.workflow().agents
    seen = {name: {path.partition(".")[0] for path in role.view.fields} for name, role in agents.items()}

    assert seen == SEEN


def test_no_agent_sees_who_a_customer_is() -> None:
    for role in KIT.workflow().agents.values():
        assert not {"customer.name", "customer.email", "customer.customer_id"} & set(role.view.fields)
        assert role.view.clear <= {"ticket.subject", "ticket.body"}

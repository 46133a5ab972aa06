"""Who may do what in the incident workflow, said a second time, for every role, verb and tool."""

from graphs.incident import KIT
from nodes.permissions import CASES, PERSONAL_DATA, SCHEDULES, Verb
from tests.graphs.allowed import allowed
from tests.house import House

READS = {
    "alerts.get",
    "services.get",
    "services.actions",
    "logs.around",
    "deployments.recent",
    "incidents.list",
    "incidents.search",
    "tasks.list",
}
BY_RULE = {"incidents.open", "incidents.join", "incidents.page", "tasks.create", "incidents.resolve"}
UNDOS = {
    "incidents.withdraw",
    "incidents.detach",
    "incidents.regrade",
    "incidents.reopen",
    "tasks.withdraw",
    "deployments.redeploy",
}
BY_PEOPLE = {"incidents.grade", "services.restart", "deployments.rollback"}
WRITES = BY_RULE | UNDOS | BY_PEOPLE
SIGNED = {"services.restart", "deployments.rollback", "deployments.redeploy", "incidents.grade"}
WRITTEN_BY_HAND = {
    ("on_call", Verb.DECIDE): SIGNED,
    ("incident_commander", Verb.DECIDE): SIGNED,
    ("incident_commander", Verb.RESOLVE): WRITES,
    ("engineering_manager", Verb.DECIDE): SIGNED,
    ("engineering_manager", Verb.RESOLVE): WRITES,
    ("team_lead", Verb.MANAGE): WRITES,
    ("team_lead", Verb.RESOLVE): WRITES,
    ("duty_manager", Verb.BREAK_GLASS): {"services.restart", "deployments.rollback"},
    ("rule_keeper", Verb.KEEP): WRITES,
    ("agent:incident_analyst", Verb.PROPOSE): BY_PEOPLE,
    ("rule:intake", Verb.PROPOSE): {"incidents.open", "incidents.join"},
    ("rule:escalation", Verb.PROPOSE): {"incidents.page"},
    ("rule:followups", Verb.PROPOSE): {"tasks.create", "incidents.resolve"},
    ("rule:act", Verb.PROPOSE): {"services.restart", "deployments.rollback"},
    ("rule:rollback", Verb.PROPOSE): UNDOS,
    ("rule:judge", Verb.READ): READS,
    ("gateway", Verb.EXECUTE): WRITES,
}
"""All that anybody may do with a tool in the incident workflow; whatever is not here is denied."""
BESIDE_TOOLS = {
    ("privacy_officer", Verb.UNMASK): {PERSONAL_DATA},
    ("privacy_officer", Verb.ERASE): {PERSONAL_DATA},
    ("team_lead", Verb.SCHEDULE): {SCHEDULES},
    ("on_call", Verb.ROLL_BACK): {CASES},
    ("incident_commander", Verb.ROLL_BACK): {CASES},
    ("team_lead", Verb.ROLL_BACK): {CASES},
}
"""All that anybody may do with what is no tool."""


async def test_every_role_may_do_this_with_every_tool_and_nothing_else(house: House) -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, [tool.name for tool in house.parts.registry]) == WRITTEN_BY_HAND


def test_every_role_may_do_this_beside_tools_and_nothing_else() -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, (PERSONAL_DATA, SCHEDULES, CASES)) == BESIDE_TOOLS


def test_whoever_reads_the_log_proposes_nothing() -> None:
    reader = KIT.workflow().agents["log_reader"]
    assert reader.look_ups == ()
    assert "logs.excerpt" in reader.view.clear
    assert not {field for field in KIT.workflow().agents["incident_analyst"].view.fields if "logs" in field}

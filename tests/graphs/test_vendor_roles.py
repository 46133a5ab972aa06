"""The vendor workflow's roles, said a second time: who may do what with every tool, and what agents see."""

from graphs.vendor import KIT
from nodes.permissions import CASES, PERSONAL_DATA, SCHEDULES, Verb
from tests.graphs.allowed import allowed
from tests.house import House

READS = {
    f"vendors.{noun}"
    for noun in (
        "get",
        "documents",
        "requirements",
        "screening",
        "accounts",
        "clearances",
        "messages",
    )
}
UNDOS = {
    f"vendors.{verb}" for verb in ("deactivate", "retract_request", "revoke_account", "withdraw_clearance")
}
DEEDS = {
    f"vendors.{verb}" for verb in ("activate", "endorse_account", "record_clearance", "request_information")
}
WRITES = UNDOS | DEEDS
CLEAR, ASK = "vendors.record_clearance", "vendors.request_information"
WRITTEN_BY_HAND = {
    ("legal", Verb.DECIDE): {CLEAR},
    ("finance", Verb.DECIDE): {CLEAR, "vendors.endorse_account", "vendors.revoke_account"},
    ("procurement", Verb.DECIDE): {CLEAR, ASK},
    ("procurement_lead", Verb.DECIDE): {CLEAR, ASK, "vendors.deactivate"},
    ("procurement_lead", Verb.RESOLVE): {CLEAR, ASK, "vendors.activate"},
    ("compliance", Verb.DECIDE): {CLEAR},
    ("compliance", Verb.RESOLVE): {CLEAR, "vendors.activate", "vendors.endorse_account"},
    ("team_lead", Verb.MANAGE): WRITES,
    ("team_lead", Verb.RESOLVE): WRITES,
    ("rule_keeper", Verb.KEEP): WRITES,
    ("rule:endorse", Verb.PROPOSE): {"vendors.endorse_account"},
    ("rule:clear", Verb.PROPOSE): {CLEAR},
    ("rule:activate", Verb.PROPOSE): {"vendors.activate"},
    ("rule:request", Verb.PROPOSE): {ASK},
    ("rule:rollback", Verb.PROPOSE): UNDOS,
    ("rule:judge", Verb.READ): READS,
    ("gateway", Verb.EXECUTE): WRITES,
}
"""All that anybody may do with a tool in the vendor workflow; whatever is not here is denied."""
BESIDE_TOOLS = {
    ("privacy_officer", Verb.UNMASK): {PERSONAL_DATA},
    ("privacy_officer", Verb.ERASE): {PERSONAL_DATA},
    ("team_lead", Verb.SCHEDULE): {SCHEDULES},
    **{(role, Verb.ROLL_BACK): {CASES} for role in ("finance", "procurement_lead", "team_lead")},
}


async def test_every_role_may_do_this_with_every_tool_and_nothing_else(house: House) -> None:
    permissions = KIT.workflow().permissions
    tools = [tool.name for tool in house.parts.registry]

    assert allowed(permissions, tools, "agent:extractor", "agent:screener") == WRITTEN_BY_HAND


def test_every_role_may_do_this_beside_tools_and_nothing_else() -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, (PERSONAL_DATA, SCHEDULES, CASES)) == BESIDE_TOOLS


def test_agents_see_these_fields_have_no_tools_and_propose_nothing() -> None:
    agents = KIT.workflow().agents

    assert {name: set(agent.view.fields) for name, agent in agents.items()} == {
        "extractor": {"documents.documents", "documents.pages"},
        "screener": {
            "vendor.legal_name",
            "vendor.kind",
            "vendor.country",
            "screening.score",
            "screening.hits",
        },
    }
    assert all(agent.look_ups == () for agent in agents.values())

"""Who may do what in the enrichment workflow, said a second time by hand."""

from graphs.enrichment import KIT
from nodes.permissions import CASES, PERSONAL_DATA, SCHEDULES, Verb
from tests.graphs.allowed import allowed
from tests.house import House

READS = {"crm.get_account", "crm.relations", "firmographics.get", "news.search"}
WRITES = {"crm.set_field", "crm.restore_field"}
WRITTEN_BY_HAND = {
    ("sales_ops", Verb.DECIDE): WRITES,
    ("sales_ops_lead", Verb.DECIDE): WRITES,
    ("agent:profiler", Verb.PROPOSE): {"crm.set_field"},
    ("agent:segmenter", Verb.PROPOSE): {"crm.set_field"},
    ("team_lead", Verb.MANAGE): WRITES,
    ("team_lead", Verb.RESOLVE): WRITES,
    ("rule_keeper", Verb.KEEP): WRITES,
    ("rule:judge", Verb.READ): READS,
    ("rule:rollback", Verb.PROPOSE): {"crm.restore_field"},
    ("gateway", Verb.EXECUTE): WRITES,
}
"""All that anybody may do with a tool; whatever is not here is denied."""
BESIDE_TOOLS = {
    ("privacy_officer", Verb.UNMASK): {PERSONAL_DATA},
    ("privacy_officer", Verb.ERASE): {PERSONAL_DATA},
    ("sales_ops_lead", Verb.SCHEDULE): {SCHEDULES},
    ("team_lead", Verb.SCHEDULE): {SCHEDULES},
    ("sales_ops_lead", Verb.ROLL_BACK): {CASES},
    ("team_lead", Verb.ROLL_BACK): {CASES},
}
"""All that anybody may do with what is no tool."""
SEEN = {
    "profiler": {"account", "firmographics"},
    "news_reader": {"account", "firmographics", "news"},
    "segmenter": {"profiler", "news_reader", "relations"},
}
"""Which records each agent sees anything of."""


async def test_every_role_may_do_this_with_every_tool_and_nothing_else(house: House) -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, [tool.name for tool in house.parts.registry]) == WRITTEN_BY_HAND


def test_every_role_may_do_this_beside_tools_and_nothing_else() -> None:
    permissions = KIT.workflow().permissions

    assert allowed(permissions, (PERSONAL_DATA, SCHEDULES, CASES)) == BESIDE_TOOLS


def test_each_agent_sees_what_it_needs_and_only_one_of_them_the_news() -> None:
    agents = KIT.workflow().agents
    seen = {name: {path.partition(".")[0] for path in role.view.fields} for name, role in agents.items()}
    assert seen == SEEN


async def test_where_and_what_is_written_is_authority_and_the_value_is_not(house: House) -> None:
    tool = house.parts.registry.describe("crm.set_field")
    assert tool.authority == {"account_id", "field", "expected_version"}
    assert set(tool.arguments.model_fields) - tool.authority == {"value"}

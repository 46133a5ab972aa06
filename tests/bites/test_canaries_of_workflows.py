"""Nothing personal of any workflow leaks, whatever its agents repeat and however its systems fail."""

import pytest

from graphs.intake import Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from tests.attack.workflows.running import everybody
from tests.attack.workflows.scenes import STAGES
from tests.bites.planted import COMMENT, FAILURE, Everywhere, tables
from tests.bites.sown import Sown, approve_all, canary_of, failing, sown
from tests.bites.test_canaries import answers, exported, logged
from tests.house import SHOP, House, ManualClock
from tools.contract import Effect, ToolRefused, ToolUnavailable

COMPARED = ("vendor.legal_name", "vendor.contact_email", "accounts.ibans")
"""What papers are held against: with a canary there a vendor's case ends before anybody is asked."""
EMPTY = ("ticket.replies.body", "product_events.events.note", "messages.messages.body")
"""Nothing has been answered, asked or noted yet in these scenes."""
SCENES = {
    "refund": "clean_120_00_1",
    "support_triage": "lawyer",
    "vendor": "clean_1",
    "enrichment": "existing_customer",
    "incident": "deploy_degraded",
}


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    people = [Person(id=one.id, name=one.name, roles=sorted(one.roles)) for one in everybody()]
    write_people(settings.people_file, PeopleFile(people=people))


async def begun(house: House, workflow: str) -> str:
    case, _ = await Intake(house.parts).receive(STAGES[workflow].event(SCENES[workflow], "canary"), SHOP)
    return case.id


async def leaks(
    house: House,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    case_id: str,
    *canaries: str,
) -> dict[str, list[str]]:
    """Where each canary is found: in tables, log lines, the exported log, and what the API answers."""
    told = {**await tables(house), "lines": logged(caplog), "export": await exported(house)}
    everywhere = Everywhere(told | await answers(house, settings, clock, case_id))
    return {canary: found for canary in canaries if (found := everywhere.holding(canary))}


def all_of(planting: Sown) -> list[str]:
    return [canary_of(place) for place in planting.places]


@pytest.mark.parametrize("workflow", SCENES)
async def test_what_agents_repeat_and_people_sign_is_nowhere_in_clear(
    house: House, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture, workflow: str
) -> None:
    held, planting, brain = sown(house, workflow, without=COMPARED)
    case_id = await begun(held, workflow)
    await held.work()
    votes = await approve_all(held, everybody(), COMMENT)

    unread = [str(place) for place in planting.places if canary_of(place) not in planting.read]
    assert set(unread) <= set(EMPTY), "each of them was read"
    assert any("canary" in shown for shown in brain.shown.values()), "and an agent repeated one"
    assert votes > 0, "and people were asked"
    assert await leaks(held, settings, clock, caplog, case_id, COMMENT, *all_of(planting)) == {}


@pytest.mark.parametrize("workflow", SCENES)
async def test_an_agent_is_shown_only_what_its_role_lists_in_clear(house: House, workflow: str) -> None:
    held, planting, brain = sown(house, workflow)
    await begun(held, workflow)
    await held.work()

    roles = held.parts.workflows[workflow].agents
    for name, shown in brain.shown.items():
        clear = roles[name].view.clear
        hidden = [one for one in planting.places if f"{one.record}.{one.path[0]}" not in clear]
        assert [str(one) for one in hidden if canary_of(one) in shown] == [], name


@pytest.mark.parametrize("workflow", SCENES)
async def test_what_systems_say_that_fail_after_a_case_was_let_in_is_nowhere_in_clear(
    house: House, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture, workflow: str
) -> None:
    case_id = await begun(house, workflow)
    held = failing(house, (Effect.READ,), ToolUnavailable(FAILURE))
    await held.work()

    assert (await held.case(case_id)).status in {"blocked", "escalated"}
    assert await leaks(held, settings, clock, caplog, case_id, FAILURE) == {}


@pytest.mark.parametrize("workflow", SCENES)
async def test_what_systems_say_that_refuse_a_deed_is_nowhere_in_clear(
    house: House, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture, workflow: str
) -> None:
    held = failing(house, (Effect.WRITE, Effect.EGRESS), ToolRefused(FAILURE))
    case_id = await begun(held, workflow)
    await held.work()
    await approve_all(held, everybody(), COMMENT)

    assert "effect.failed" in await held.kinds(case_id)
    assert await leaks(held, settings, clock, caplog, case_id, FAILURE, COMMENT) == {}


async def test_a_vendor_whose_register_and_papers_disagree_leaks_nothing_of_either(
    house: House, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    held, planting, _ = sown(house, "vendor")
    case_id = await begun(held, "vendor")
    await held.work()

    assert "documents.documents.file_name" in map(str, planting.places), "what strangers call their files"
    assert (await held.case(case_id)).reason
    assert await leaks(held, settings, clock, caplog, case_id, *all_of(planting)) == {}

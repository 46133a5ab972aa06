"""Enrichment taken back, gone wrong, and begun by the clock."""

from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from checkpoints.schedules import Missed
from graphs.clockwork import Clockwork
from graphs.closing import NotEligible
from graphs.deadlines import Deadlines
from graphs.intake import Intake
from graphs.rollbacks import NotAllowedToRollBack, Rollbacks
from graphs.schedules import Schedules, Wish
from graphs.settings import Settings
from nodes.permissions import Principal
from tests.house import SHOP, House, ManualClock
from tests.stories.enriching import (
    LENA,
    SAM,
    SUE,
    TEAM,
    Colleague,
    about,
    ends,
    enriched,
    enrichment_event,
    fields,
    values,
)
from tests.stories.reviewing import edited, now_working, told
from tests.stories.standing_still import TESS, be_away, behaving, refuse, retried, standstill
from tools.contract import Call, OutcomeUnknown, Record, Tool
from tools.sandbox.accounts.fields import RESTORABLE
from tools.sandbox.crm.cast import ACCOUNTS


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    now_working(settings, *TEAM, TESS)


@pytest.fixture
def colleague(sandbox_url: str) -> Colleague:
    return Colleague(sandbox_url)


async def rolled_back(house: House, case: Case, who: Principal = LENA) -> Case:
    await Rollbacks(house.parts).start(case.id, "A wrong source.", None, who)
    await house.work()
    return await house.case(case.id)


# --- taken back -------------------------------------------------------------------------------------------


async def test_a_rollback_restores_every_value_with_who_had_set_it_and_when(house: House) -> None:
    before = await fields(house, "stale")
    case = await enriched(house, "stale")
    await house.decided(await house.review(case.id), SAM)
    assert await fields(house, "stale") != before

    after = await rolled_back(house, case)

    assert after.status is Status.ROLLED_BACK
    assert await fields(house, "stale") == before


async def test_what_a_person_has_set_since_is_left_by_a_rollback_and_named(
    house: House, colleague: Colleague, clock: ManualClock
) -> None:
    case = await enriched(house, "clean")
    await colleague.sets("clean", "segment", "strategic", clock())

    after = await rolled_back(house, case)

    assert (after.status, after.reason) == (Status.ESCALATED, "partly_rolled_back")
    assert await values(house, "clean") == {
        "industry": None,
        "employees_band": None,
        "headquarters_country": None,
        "segment": "strategic",
        "website": "www.lindner-1.example.com",
    }
    (end,) = await told(house, case.id, "case.escalated")
    assert list(end["skipped"].values()) == ["set_since"]
    assert [item["key"] for item in end["left"]] == [f"{case.id}:set_segment:1"]


async def test_after_its_window_nothing_is_restored(house: House, clock: ManualClock) -> None:
    case = await enriched(house, "clean")
    clock.advance(RESTORABLE + timedelta(seconds=1))

    after = await rolled_back(house, case)

    assert (after.status, after.reason) == (Status.ESCALATED, "nothing_to_roll_back")
    assert (await values(house, "clean"))["industry"] == "software"


async def test_a_rollback_is_a_leads_to_ask_for(house: House) -> None:
    case = await enriched(house, "clean")

    with pytest.raises(NotAllowedToRollBack):
        await rolled_back(house, case, SAM)


async def test_what_people_have_edited_and_signed_is_restored_too(house: House) -> None:
    before = await fields(house, "contradicting_2")
    case = await enriched(house, "contradicting_2")
    await edited(house, await house.review(case.id), SAM, value="1000_4999")
    await house.decided(await house.review(case.id), SUE)
    assert (await values(house, "contradicting_2"))["employees_band"] == "1000_4999"

    assert (await rolled_back(house, case)).status is Status.ROLLED_BACK
    assert await fields(house, "contradicting_2") == before


# --- gone wrong -------------------------------------------------------------------------------------------


async def test_a_write_that_the_crm_refuses_fails_the_case_and_a_retry_goes_on_with_the_rest(
    house: House,
) -> None:
    case = await enriched(behaving(house, crm_set_field=refuse), "clean")
    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")
    assert (await values(house, "clean"))["industry"] is None

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert sorted(end for end, _ in (await ends(house, case)).values()) == ["left"] + 4 * ["written"]
    states = [effect.state for effect in await house.effects(case.id)]
    assert sorted(states) == 4 * [EffectState.DONE] + [EffectState.FAILED]


async def test_who_sets_a_field_in_the_very_moment_keeps_it(
    house: House, colleague: Colleague, clock: ManualClock
) -> None:
    async def set_first(tool: Tool, arguments: Any, call: Call) -> Record:
        if arguments.field == "industry":
            await colleague.sets("clean", "industry", "finance", clock())
        return await tool.perform(arguments, call)

    case = await enriched(behaving(house, crm_set_field=set_first), "clean")
    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")
    await retried(house, case.id)

    assert (await ends(house, case))["industry"] == ("left", "not_due")
    field = (await fields(house, "clean"))["industry"]
    assert (field["value"], field["set_by"]) == ("finance", "person:rhea")
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_a_write_whose_answer_is_lost_is_looked_up_and_not_repeated(house: House) -> None:
    calls = []

    async def lose_the_answer(tool: Tool, arguments: Any, call: Call) -> Record:
        calls.append(arguments.field)
        await tool.perform(arguments, call)
        raise OutcomeUnknown("the line went dead")

    case = await enriched(behaving(house, crm_set_field=lose_the_answer), "clean")

    assert case.status is Status.CLOSED
    assert calls == ["industry", "employees_band", "headquarters_country", "segment"]
    assert (await values(house, "clean"))["segment"] == "mid_market"


async def test_while_a_source_is_away_nothing_is_written(house: House) -> None:
    case, _ = await Intake(house.parts).receive(enrichment_event("clean"), SHOP)
    await behaving(house, firmographics_get=be_away).work()

    case = await house.case(case.id)
    assert case.status is Status.BLOCKED
    assert (await standstill(house, case.id)).reason == "source_tool_unavailable"
    assert await house.effects(case.id) == []

    await retried(house, case.id)
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_nobody_in_time_means_no(house: House, clock: ManualClock) -> None:
    case = await enriched(house, "contradicting_2")
    for _ in range(4):
        clock.advance(timedelta(days=3))
        await Deadlines(house.parts).run()
        await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (await ends(house, case))["employees_band"] == ("declined", "review_expired")
    assert (await values(house, "contradicting_2"))["employees_band"] is None


# --- by the clock -----------------------------------------------------------------------------------------


async def scheduled(house: House, scene: str) -> None:
    wish = Wish(
        workflow="enrichment",
        name="monthly",
        cron="0 6 1 * *",
        at=None,
        timezone="Europe/Berlin",
        missed=Missed.ONCE,
        data=dict(enrichment_event(scene).data),
    )
    await Schedules(house.parts).add(wish, LENA)


async def test_an_account_is_looked_at_every_month_by_the_clock(house: House, clock: ManualClock) -> None:
    await scheduled(house, "clean")
    for _ in range(2):
        clock.advance(timedelta(days=31))
        await Clockwork(house.parts).run()
        await house.work()

    rows = await house.rows("SELECT id, status, reason, opened_by FROM cases ORDER BY created_at")
    assert [(row["status"], row["reason"]) for row in rows] == [("closed", None), ("closed", "nothing_due")]
    assert all(row["opened_by"].endswith("/person:lena") for row in rows)
    assert (await values(house, "clean"))["industry"] == "software"


async def test_whoever_has_it_begin_by_the_clock_does_not_sign_what_comes_of_it(
    house: House, clock: ManualClock
) -> None:
    await scheduled(house, "contradicting_2")
    clock.advance(timedelta(days=31))
    await Clockwork(house.parts).run()
    await house.work()
    (review,) = await house.open_reviews()
    assert about(review) == "employees_band"

    with pytest.raises(NotEligible):
        await house.vote(review, LENA)
    assert (await house.decided(review, SAM)).event == {"account_id": ACCOUNTS["contradicting_2"].account_id}

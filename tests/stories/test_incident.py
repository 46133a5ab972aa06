"""An alert fires: an incident is opened, who is on call is called, what is owed is followed to its end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Status
from graphs.intake import Intake
from graphs.settings import Settings
from nodes.agent import AgentRole, AgentUncertain, LookUp, Thought
from nodes.event import EventRefused
from nodes.shapes import Json
from tests.house import SHOP, House, ManualClock
from tests.nodes.desk import at_the_company
from tests.stories.on_call import (
    STAFF,
    TESS,
    alert_event,
    asked,
    calls,
    finish,
    fired,
    incident,
    incidents,
    recover,
    tasks,
    tools_used,
)
from tests.stories.reviewing import now_working
from tests.stories.standing_still import be_away, behaving, refuse, retried, standstill
from tools.contract import Call, Record, Tool
from tools.sandbox.operations.cast import CAST

OPENED_BY_HAND = """
INSERT INTO incidents (incident_id, service_id, severity, status, title, opened_at, idempotency_key)
VALUES ('INC-777777', %s, 'SEV3', 'open', 'By hand', '2026-11-20T12:00:00Z', 'by hand')
"""


class Silent:
    """A brain that is not available."""

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        raise AgentUncertain("model_unavailable", "nobody answers")


@pytest.fixture(autouse=True)
def staff_works(settings: Settings) -> None:
    now_working(settings, *STAFF)


async def test_an_alert_is_an_incident_that_is_followed_until_all_is_done(house: House) -> None:
    case = await fired(house, "no_similar")

    assert (case.status, case.reason, case.owner) == (
        Status.WAITING_INFO,
        "followups_open",
        "team_platform",
    )
    assert (await incident(house, "no_similar"))["severity"] == "SEV3"
    assert await calls(house, "no_similar") == [("rota-platform", "push")]
    assert set(await tasks(house, "no_similar")) == {"review_cause", "write_runbook"}

    await finish(house, "no_similar")
    await recover(house, "no_similar")
    case = await house.informed(case.id)

    assert case.status is Status.CLOSED
    assert (await incident(house, "no_similar"))["status"] == "resolved"
    assert await tools_used(house, case.id) == [
        "incidents.open",
        "incidents.page",
        "tasks.create",
        "tasks.create",
        "incidents.resolve",
    ]


async def test_what_was_learnt_is_found_when_it_happens_again(house: House) -> None:
    case = await fired(house, "no_similar")
    await finish(house, "no_similar")
    await recover(house, "no_similar")
    await house.informed(case.id)

    found = await asked(house, "incidents.search", words=CAST["no_similar"].title)

    own = await incident(house, "no_similar")
    assert [(one["incident_id"], one["cause"]) for one in found["incidents"]] == [
        (own["incident_id"], "unknown")
    ]


@pytest.mark.parametrize(
    ("scene", "severity", "called"),
    [
        ("tier1_outage", "SEV1", [("rota-payments", "phone"), ("rota-payments-second", "phone")]),
        ("injection", "SEV2", [("rota-search", "phone")]),
        ("flapping", "SEV3", [("rota-platform", "push")]),
        ("minor", "SEV4", []),
    ],
)
async def test_tier_and_impact_say_how_severe_it_is_and_who_is_called(
    house: House, scene: str, severity: str, called: list[tuple[str, str]]
) -> None:
    await fired(house, scene)

    assert (await incident(house, scene))["severity"] == severity
    assert await calls(house, scene) == called


async def test_each_follow_up_has_its_team_and_its_date(house: House, clock: ManualClock) -> None:
    await fired(house, "flapping")

    due = {kind: (task["team"], task["due_at"]) for kind, task in (await tasks(house, "flapping")).items()}
    days = {"review_cause": 5, "tune_alert": 10}
    assert due == {
        kind: ("team_platform", (clock.now + timedelta(days=number)).isoformat().replace("+00:00", "Z"))
        for kind, number in days.items()
    }


# What is no new incident


async def test_an_alert_of_a_service_whose_incident_is_open_joins_it(house: House) -> None:
    case = await fired(house, "already_open")

    assert case.status is Status.CLOSED
    assert await tools_used(house, case.id) == ["incidents.join"]
    listed_ = await incidents(house, "already_open")
    assert listed_["joined"] == [CAST["already_open"].incident_id]
    assert [one["incident_id"] for one in listed_["incidents"]] == [CAST["already_open"].incident_id]
    assert await calls(house, "already_open") == []


async def test_noise_is_turned_down_with_the_rules_reason(house: House) -> None:
    case = await fired(house, "noisy")

    assert (case.status, case.reason) == (Status.REJECTED, "alert_is_noise")
    assert await house.effects(case.id) == []
    assert (await incidents(house, "noisy"))["incidents"] == []


async def test_the_same_alert_twice_is_one_incident(house: House) -> None:
    first = await fired(house, "minor")
    again = await fired(house, "minor")

    assert again.id == first.id
    assert len((await incidents(house, "minor"))["incidents"]) == 1


async def test_an_incident_that_somebody_opens_in_between_is_joined_after_all(
    house: House, settings: Settings
) -> None:
    """Two at once: both are judged while none is open, and the books have room for one."""

    async def somebody_is_faster(tool: Tool, arguments: Any, call: Call) -> Record:
        await at_the_company(settings, OPENED_BY_HAND, CAST["minor"].service_id)
        return await tool.perform(arguments, call)

    case = await fired(behaving(house, incidents_open=somebody_is_faster), "minor")
    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")

    await retried(house, case.id, TESS)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await tools_used(house, case.id) == ["incidents.open", "incidents.join"]
    assert (await incidents(house, "minor"))["joined"] == ["INC-777777"]


async def test_an_alert_of_another_service_is_refused_at_the_door(house: House) -> None:
    with pytest.raises(EventRefused, match=r"is not event\.service_id"):
        await fired(house, "minor", service_id=CAST["flapping"].service_id)


# What goes wrong


async def test_nobody_on_call_goes_to_the_engineering_manager(house: House) -> None:
    case = await fired(house, "nobody_on_call")

    assert (case.status, case.reason, case.owner) == (
        Status.ESCALATED,
        "nobody_on_call",
        "engineering_manager",
    )
    assert (await incident(house, "nobody_on_call"))["status"] == "open"


async def test_a_pager_that_is_away_is_called_again_when_it_is_back(house: House) -> None:
    case = await fired(behaving(house, incidents_page=be_away), "tier1_outage")
    assert case.status is Status.UNCERTAIN
    assert await calls(house, "tier1_outage") == []

    await retried(house, case.id, TESS)

    assert len(await calls(house, "tier1_outage")) == 2


async def test_a_deed_that_the_system_refuses_has_failed_and_can_be_tried_again(house: House) -> None:
    case = await fired(behaving(house, tasks_create=refuse), "minor")
    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")
    assert await tasks(house, "minor") == {}

    await retried(house, case.id, TESS)

    assert set(await tasks(house, "minor")) == {"review_cause"}
    assert (await house.case(case.id)).status is Status.WAITING_INFO


async def test_a_system_that_is_away_stops_the_case_before_anything_is_done(house: House) -> None:
    parts = house.parts
    case, _ = await Intake(parts).receive(alert_event("minor"), SHOP)
    away = behaving(house, logs_around=be_away)
    await away.work()

    blocked = await house.case(case.id)
    assert (blocked.status, blocked.reason) == (Status.BLOCKED, "source_tool_unavailable")
    assert await house.effects(case.id) == []


# What is owed


async def test_while_a_follow_up_is_open_the_incident_is(house: House) -> None:
    case = await fired(house, "no_similar")
    await finish(house, "no_similar", "write_runbook")
    await recover(house, "no_similar")

    case = await house.informed(case.id)

    assert (case.status, case.reason) == (Status.WAITING_INFO, "followups_open")
    assert (await incident(house, "no_similar"))["status"] == "open"


async def test_while_the_alert_fires_the_incident_is_not_over(house: House, clock: ManualClock) -> None:
    case = await fired(house, "minor")
    await finish(house, "minor")
    case = await house.informed(case.id)
    assert (case.status, case.reason) == (Status.WAITING_INFO, "alert_still_fires")
    await recover(house, "minor")
    clock.advance(timedelta(hours=1))

    await house.look_again()

    assert (await house.case(case.id)).status is Status.CLOSED


async def test_what_is_overdue_goes_to_its_team_and_ends_well_when_it_is_done(
    house: House, clock: ManualClock
) -> None:
    case = await fired(house, "no_similar")
    await finish(house, "no_similar", "write_runbook")
    await recover(house, "no_similar")
    clock.advance(timedelta(days=14) - timedelta(seconds=1))
    await house.look_again()
    assert (await house.case(case.id)).status is Status.WAITING_INFO

    clock.advance(timedelta(seconds=1))
    await house.look_again()
    overdue = await house.case(case.id)
    assert (overdue.status, overdue.reason, overdue.owner) == (
        Status.ESCALATED,
        "followups_overdue",
        "team_platform",
    )

    await finish(house, "no_similar")
    await retried(house, case.id, TESS)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (await incident(house, "no_similar"))["status"] == "resolved"


async def test_what_is_overdue_is_looked_at_again_every_day(house: House, clock: ManualClock) -> None:
    case = await fired(house, "minor")
    await recover(house, "minor")
    clock.advance(timedelta(days=5))
    await house.look_again()
    assert (await house.case(case.id)).status is Status.ESCALATED
    await finish(house, "minor")

    clock.advance(timedelta(days=1))
    await house.look_again()

    assert (await house.case(case.id)).status is Status.CLOSED


async def test_a_case_that_waits_says_whose_turn_it_is(house: House) -> None:
    case = await fired(house, "minor")

    found = await standstill(house, case.id)
    assert (found.step, found.retryable, found.owner) == ("follow_up", True, "team_content")


async def test_an_incident_is_open_and_people_are_called_before_any_agent_is_asked(house: House) -> None:
    case = await fired(House(replace(house.parts, brain=Silent())), "tier1_outage")

    assert (case.status, case.reason) == (Status.UNCERTAIN, "model_unavailable")
    assert await tools_used(house, case.id) == ["incidents.open", "incidents.page", "incidents.page"]

    await retried(house, case.id, TESS)

    assert (await house.case(case.id)).status is Status.WAITING_REVIEW

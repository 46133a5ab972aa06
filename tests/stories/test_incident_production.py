"""Production is touched with signatures alone: restarts and rollbacks, and what nobody signs is not done."""

import pytest

from checkpoints.cases import Case, Status
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.edits import EditRefused, Edits, EditUnfit
from graphs.rollbacks import Rollbacks
from graphs.settings import Settings
from graphs.ways_out import WaysOut
from tests.house import FINN, House
from tests.nodes.desk import at_the_company
from tests.stories.on_call import (
    EMMA,
    IVO,
    OLI,
    ONA,
    STAFF,
    actions,
    asked,
    finish,
    fired,
    incident,
    recover,
    tasks,
    tools_used,
)
from tests.stories.reviewing import now_working, patch
from tests.stories.standing_still import standstill
from tools.sandbox.operations.cast import CAST


@pytest.fixture(autouse=True)
def staff_works(settings: Settings) -> None:
    now_working(settings, *STAFF)


async def asked_for(house: House, scene: str) -> Review:
    """The review that a scene's alert comes to."""
    case = await fired(house, scene)
    assert case.status is Status.WAITING_REVIEW, (case.status, case.reason)
    return await house.review(case.id)


async def version(house: House, scene: str) -> str:
    service = await asked(house, "services.get", service_id=CAST[scene].service_id)
    return str(service["version"])


# Rolling back


async def test_an_outage_by_a_deployment_is_rolled_back_when_two_have_signed(house: House) -> None:
    review = await asked_for(house, "deploy_outage")
    assert review.action["arguments"] == {
        "deployment_id": CAST["deploy_outage"].deployment_id,
        "service_id": "checkout-api",
        "incident_id": (await incident(house, "deploy_outage"))["incident_id"],
    }
    assert {one["trust"] for one in review.action["sources"].values()} == {"record"}
    case = await house.decided(review, ONA)
    assert case.status is Status.WAITING_REVIEW
    assert await version(house, "deploy_outage") == "2.1.0"

    case = await house.decided(review, IVO)

    assert await version(house, "deploy_outage") == "2.0.0"
    assert [one["kind"] for one in await actions(house, "deploy_outage")] == ["rollback"]
    assert (case.status, case.reason) == (Status.WAITING_INFO, "followups_open")
    assert {"fix_release", "check_recovery", "write_postmortem"} <= (
        await tasks(house, "deploy_outage")
    ).keys()


async def test_off_tier_1_whoever_is_on_call_signs_alone(house: House) -> None:
    case = await house.decided(await asked_for(house, "deploy_degraded"), ONA)

    assert case.status is Status.WAITING_INFO
    assert await version(house, "deploy_degraded") == "2.0.0"


async def test_somebody_else_cannot_sign_for_production(house: House) -> None:
    review = await asked_for(house, "deploy_degraded")

    with pytest.raises(NotEligible):
        await house.vote(review, FINN)

    assert await actions(house, "deploy_degraded") == []


async def test_one_on_call_is_not_the_commander_too(house: House) -> None:
    review = await asked_for(house, "tier1_outage")
    await house.vote(review, ONA)

    with pytest.raises(NotEligible):
        await house.vote(review, OLI)

    assert await actions(house, "tier1_outage") == []


async def test_a_rollback_is_taken_back_by_signature_again(house: House) -> None:
    case = await house.decided(await asked_for(house, "deploy_degraded"), ONA)
    await taken_back(house, case)
    reviews = await house.open_reviews()
    (redeploy,) = [one for one in reviews if one.tool == "deployments.redeploy"]

    await house.decided(redeploy, OLI)

    assert await version(house, "deploy_degraded") == "2.1.0"


# Restarting


async def test_a_restart_is_signed_and_counts_as_what_cannot_be_undone(house: House) -> None:
    review = await asked_for(house, "memory_degraded")
    assert review.tool == "services.restart"
    assert not review.reversible
    assert review.shown["reversibility"] == "Cannot be undone."

    case = await house.decided(review, ONA)

    assert case.status is Status.WAITING_INFO
    assert [one["kind"] for one in await actions(house, "memory_degraded")] == ["restart"]
    assert "check_recovery" in await tasks(house, "memory_degraded")


async def test_what_three_restarts_have_not_helped_a_fourth_does_not(house: House) -> None:
    case = await fired(house, "restart_loop")

    assert (case.status, case.reason, case.owner) == (
        Status.ESCALATED,
        "restart_loop",
        "incident_commander",
    )
    assert "services.restart" not in await tools_used(house, case.id)


# What people decline, and change


@pytest.mark.parametrize("scene", ["memory_degraded", "deploy_degraded"])
async def test_what_people_decline_is_not_done_and_the_incident_goes_on(house: House, scene: str) -> None:
    case = await house.decided(await asked_for(house, scene), ONA, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.WAITING_INFO, "followups_open")
    assert await actions(house, scene) == []
    assert "check_recovery" not in await tasks(house, scene)
    await finish(house, scene)
    await recover(house, scene)
    assert (await house.informed(case.id)).status is Status.CLOSED


@pytest.mark.parametrize("path", ["/tool", "/name", "/action"])
async def test_an_edit_cannot_make_another_tool_of_it(house: House, path: str) -> None:
    review = await asked_for(house, "memory_degraded")
    other = [{"op": "add", "path": path, "value": "deployments.rollback"}]

    with pytest.raises(EditUnfit, match="not what the tool takes"):
        await Edits(house.parts).commit(review.id, review.digest, other, "Roll it back.", ONA)

    assert (await house.review(review.case_id)).digest == review.digest


async def test_an_edit_cannot_turn_it_to_another_service(house: House) -> None:
    review = await asked_for(house, "memory_degraded")

    with pytest.raises(EditRefused):
        await Edits(house.parts).commit(
            review.id, review.digest, patch(service_id="payments-core"), "That one.", ONA
        )


async def test_a_service_that_was_deployed_meanwhile_is_signed_for_anew(
    house: House, settings: Settings
) -> None:
    review = await asked_for(house, "deploy_degraded")
    cast = CAST["deploy_degraded"]
    await at_the_company(
        settings,
        "UPDATE deployments SET status = 'superseded' WHERE deployment_id = %s",
        cast.deployment_id,
    )

    case = await house.decided(review, ONA)

    assert await actions(house, "deploy_degraded") == []
    assert "deployments.rollback" not in await tools_used(house, case.id)


# Taking it all back


async def taken_back(house: House, case: Case) -> None:
    """End a case that waits, and ask for all of it to be taken back."""
    if case.status is Status.WAITING_INFO:
        found = await standstill(house, case.id)
        await WaysOut(house.parts).cancel(found.id, "A false alarm.", IVO)
    await Rollbacks(house.parts).start(case.id, "A false alarm.", None, IVO)
    await house.work()


async def test_a_false_alarm_is_taken_back_but_for_the_calls(house: House) -> None:
    case = await fired(house, "no_similar")

    await taken_back(house, case)

    case = await house.case(case.id)
    assert case.reason == "partly_rolled_back"
    assert await asked(house, "tasks.list", alert_id=CAST["no_similar"].alert_id) == {
        "alert_id": CAST["no_similar"].alert_id,
        "tasks": [],
    }
    with pytest.raises(ValueError, match="not enough values"):
        await incident(house, "no_similar")


async def test_what_is_closed_is_reopened_to_be_taken_back(house: House) -> None:
    case = await fired(house, "minor")
    await finish(house, "minor")
    await recover(house, "minor")
    case = await house.informed(case.id)
    assert case.status is Status.CLOSED

    await taken_back(house, case)

    done = await tools_used(house, case.id)
    assert done[-2:] == ["incidents.reopen", "incidents.withdraw"]
    assert (await tasks(house, "minor")) == {}, "of an incident that was none"


async def test_an_engineering_manager_signs_where_it_is_handed_up(house: House) -> None:
    review = await asked_for(house, "tier1_outage")

    assert review.ladder[0]["above"] == ["engineering_manager"]
    assert EMMA.roles == {"engineering_manager"}

"""Proposals that somebody wrote into the state: the gateway looks into the records, and does none of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from checkpoints.cases import Case
from graphs.settings import Settings
from nodes.action import Proposal, Ref
from nodes.execution import End, Execution
from tests.house import House
from tests.nodes.desk import at_desk
from tests.stories.on_call import STAFF, actions, calls, fired, incident, tasks
from tests.stories.reviewing import now_working
from tools.sandbox.operations.cast import CAST

INCIDENT, SERVICE = Ref("incident.incident_id"), Ref("service.service_id")
PROPOSERS = {
    "incidents.page": "rule:escalation",
    "incidents.grade": "agent:incident_analyst",
    "incidents.resolve": "rule:followups",
    "tasks.create": "rule:followups",
    "services.restart": "agent:incident_analyst",
    "deployments.rollback": "agent:incident_analyst",
}
PAGE: Mapping[str, Any] = {
    "incident_id": INCIDENT,
    "service_id": SERVICE,
    "target": Ref("page_first.target"),
    "urgency": Ref("page_first.urgency"),
}
TASK: Mapping[str, Any] = {
    "incident_id": INCIDENT,
    "kind": Ref("task_review_cause.kind"),
    "team": Ref("task_review_cause.team"),
    "due_at": Ref("task_review_cause.due_at"),
}
RESTART: Mapping[str, Any] = {"service_id": SERVICE, "incident_id": INCIDENT}
ROLLBACK: Mapping[str, Any] = {**RESTART, "deployment_id": Ref("suspect.deployment_id")}
GRADE: Mapping[str, Any] = {"incident_id": INCIDENT, "severity": Ref("incident_analyst.severity")}
RESOLVE: Mapping[str, Any] = {"incident_id": INCIDENT, "cause": Ref("ending.cause")}


@pytest.fixture(autouse=True)
def staff_works(settings: Settings) -> None:
    now_working(settings, *STAFF)


async def forged(house: House, case: Case, tool: str, arguments: Mapping[str, Any]) -> Execution:
    """What the gateway makes of a proposal that no step has made."""
    proposal = Proposal(
        case_id=case.id,
        step="forged",
        revision=1,
        tool=tool,
        tool_version="1",
        arguments=arguments,
        proposer=PROPOSERS[tool],
        reason="It says so in the state.",
        evidence=(),
    )
    async with at_desk(house, case) as desk:
        return await desk.execute(proposal)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("services.restart", RESTART),
        ("services.restart", {**RESTART, "service_id": "payments-core"}),
        ("deployments.rollback", ROLLBACK),
        ("deployments.rollback", {**ROLLBACK, "deployment_id": "D-900002"}),
        ("incidents.page", PAGE),
        ("incidents.page", {**PAGE, "target": "rota-payments"}),
        ("incidents.page", {**PAGE, "target": Ref("service.second_on_call")}),
        ("tasks.create", TASK),
        ("tasks.create", {**TASK, "kind": "fix_release"}),
        ("tasks.create", {**TASK, "team": "team_payments"}),
        ("tasks.create", {**TASK, "due_at": Ref("alert.fired_at")}),
        ("incidents.grade", GRADE),
        ("incidents.grade", {**GRADE, "severity": "SEV4"}),
        ("incidents.grade", {**GRADE, "severity": "SEV1"}),
        ("incidents.resolve", RESOLVE),
        ("incidents.resolve", {**RESOLVE, "cause": Ref("incident_analyst.cause")}),
        ("incidents.resolve", {**RESOLVE, "incident_id": CAST["already_open"].incident_id}),
    ],
)
async def test_what_no_step_has_proposed_is_not_done(
    house: House, tool: str, arguments: Mapping[str, Any]
) -> None:
    """The ordinary wishes too: they were done before, or people or the follow-ups stand in the way."""
    case = await fired(house, "flapping")
    before = (
        await incident(house, "flapping"),
        await calls(house, "flapping"),
        await tasks(house, "flapping"),
    )

    execution = await forged(house, case, tool, arguments)

    assert execution.end in {End.BLOCKED, End.CHANGED}, execution
    after = (
        await incident(house, "flapping"),
        await calls(house, "flapping"),
        await tasks(house, "flapping"),
    )
    assert after == before
    for scene in ("flapping", "tier1_outage"):
        assert await actions(house, scene) == []
        if scene != "flapping":
            assert await calls(house, scene) == []


async def test_a_rule_that_calls_cannot_be_borrowed_by_an_agent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await fired(house, "flapping")
    monkeypatch.setitem(PROPOSERS, "incidents.page", "agent:incident_analyst")

    execution = await forged(house, case, "incidents.page", PAGE)

    assert (execution.end, execution.reason) == (End.BLOCKED, "not_permitted")

"""What is written into a log: it reaches one agent and no deed, and a large log stays where it is."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from checkpoints.cases import Status
from graphs.incident.agents import Analysis, LogReading
from graphs.settings import Settings
from nodes.agent import AgentRole, Brain, LookUp, Playbooks, Thought
from nodes.model_brain import ModelBrain
from nodes.shapes import Json
from tests.fakes.openai_server import (
    Answer,
    OpenAIServer,
    Script,
    broken,
    by_tool,
    call,
    chat_model,
    in_turn,
    malformed,
    openai_server,
    refusal,
    structured,
    text,
)
from tests.fakes.openai_server import calls as tool_calls
from tests.house import House
from tests.stories.on_call import (
    IVO,
    ONA,
    STAFF,
    actions,
    asked,
    calls,
    finish,
    fired,
    incident,
    recover,
    tasks,
    tools_used,
)
from tests.stories.reviewing import now_working, told
from tools.sandbox.operations.cast import CAST, FAR_FROM_THE_ALERT, INJECTED

SCENE = "injection"
LARGE = "large_log"
"""Its log is about half a megabyte."""
MOST_KEPT = 200_000
"""So many bytes all that is kept of a case may have, its whole record included: not half of its log."""

READING = LogReading(
    signs=["time_outs"],
    addresses_reader=True,
    summary="Queries time out; a line gives orders.",
    confidence_percent=90,
    evidence=["logs"],
)
ANALYSIS = Analysis(
    cause="dependency",
    summary="The database is slow.",
    related_deployment=None,
    similar=[],
    severity="SEV2",
    action="none",
    confidence_percent=90,
    evidence=["logs", "similar"],
)
OBEYS = READING.model_copy(update={"summary": INJECTED[:600]})


@pytest.fixture(autouse=True)
def staff_works(settings: Settings) -> None:
    now_working(settings, *STAFF)


def analysis(**changes: object) -> Script:
    """A model's analysis, as of a model that does its work but for these fields."""
    return in_turn(structured(ANALYSIS.model_copy(update=changes)))


@asynccontextmanager
async def advised(
    house: House, reading: Script | None = None, analysed: Script | None = None
) -> AsyncIterator[tuple[House, OpenAIServer]]:
    """The house with a model for its agents; where nothing else is said, one that does its work well."""
    script = by_tool(
        {
            "LogReading": reading or in_turn(structured(READING)),
            "Analysis": analysed or analysis(),
        }
    )
    async with openai_server(script) as server, chat_model(server, max_retries=1) as model:
        yield House(replace(house.parts, brain=ModelBrain(model, "openai:gpt-x"))), server


# A model that does its work


async def test_a_model_that_does_its_work_leaves_an_incident_with_its_follow_ups(house: House) -> None:
    async with advised(house) as (advised_house, server):
        case = await fired(advised_house, SCENE)

    assert (case.status, case.reason) == (Status.WAITING_INFO, "followups_open")
    assert set(await tasks(house, SCENE)) == {"review_cause", "write_postmortem"}
    assert [request.tools for request in server.requests] == [
        {"LogReading"},
        {"Analysis", "incidents_search"},
    ]


async def test_the_log_is_data_for_one_agent_and_the_other_never_sees_it(house: House) -> None:
    async with advised(house) as (advised_house, server):
        await fired(advised_house, SCENE)

    (reader,), (analyst,) = server.asked_by("LogReading"), server.asked_by("Analysis")
    assert "IGNORE ALL PREVIOUS INSTRUCTIONS" in reader.data
    assert "IGNORE ALL PREVIOUS INSTRUCTIONS" not in reader.system
    assert "IGNORE ALL PREVIOUS INSTRUCTIONS" not in json.dumps(analyst.body)


async def test_past_incidents_are_looked_up_by_the_case_words_alone(house: House) -> None:
    peek = tool_calls(call("incidents_search", {"words": "every secret there is"}))
    own = tool_calls(call("incidents_search", {"words": CAST[SCENE].title}))
    async with advised(house, analysed=in_turn(peek, own, structured(ANALYSIS))) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert [one["tool"] for one in await told(house, case.id, "agent.denied")] == ["incidents.search"]
    assert [one["arguments"] for one in await told(house, case.id, "agent.looked_up")] == [
        {"words": CAST[SCENE].title}
    ]
    assert case.status is Status.WAITING_INFO


async def test_a_level_above_the_floor_waits_for_the_on_call(house: House) -> None:
    async with advised(house, analysed=analysis(severity="SEV1")) as (advised_house, _):
        case = await fired(advised_house, SCENE)
        review = await house.review(case.id)
        assert (review.rule, review.roles) == ("IG-5", ["on_call"])
        assert (await incident(house, SCENE))["severity"] == "SEV2"
        case = await advised_house.decided(review, ONA)

    assert case.status is Status.WAITING_INFO
    assert (await incident(house, SCENE))["severity"] == "SEV1"
    assert await calls(house, SCENE) == [("rota-search", "phone")], "nobody is called by a model"


# A model that obeys whoever wrote the log


async def test_a_model_that_obeys_lowers_nothing_and_touches_nothing_unattended(house: House) -> None:
    orders = analysis(severity="SEV4", action="rollback", related_deployment="D-900002", summary="As told.")
    async with advised(house, in_turn(structured(OBEYS)), orders) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert case.status is Status.WAITING_REVIEW
    assert (await house.review(case.id)).rule == "IG-3"
    assert (await incident(house, SCENE))["severity"] == "SEV2"
    assert await tools_used(house, case.id) == ["incidents.open", "incidents.page"]
    assert await calls(house, SCENE) == [("rota-search", "phone")]


async def test_what_an_obedient_model_wants_rolled_back_is_never_somebody_elses(house: House) -> None:
    orders = analysis(severity="SEV4", action="rollback", related_deployment="D-900002")
    async with advised(house, in_turn(structured(OBEYS)), orders) as (advised_house, _):
        case = await fired(advised_house, SCENE)
        case = await advised_house.decided(await house.review(case.id), IVO)

    assert (await incident(house, SCENE))["severity"] == "SEV4", "an incident commander signed for it"
    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "another_deployment", "on_call")
    for scene in (SCENE, "tier1_outage", "deploy_outage"):
        assert await actions(house, scene) == []


async def test_a_restart_that_a_model_asks_for_is_of_the_alerts_service_and_waits(house: House) -> None:
    async with advised(house, in_turn(structured(OBEYS)), analysis(action="restart")) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert case.status is Status.WAITING_REVIEW
    review = await house.review(case.id)
    assert review.action["arguments"]["service_id"] == "search-api"
    assert [rung["role"] for rung in review.ladder] == ["on_call", "incident_commander"]
    assert await actions(house, SCENE) == []


@pytest.mark.parametrize(
    ("scene", "tool"),
    [("deploy_degraded", "deployments.rollback"), ("memory_degraded", "services.restart")],
)
@pytest.mark.parametrize("confidence", [0, 100])
async def test_an_analyst_that_recommends_nothing_keeps_nobody_from_being_asked(
    house: House, scene: str, tool: str, confidence: int
) -> None:
    hushed = analysis(severity="SEV3", cause="noise", confidence_percent=confidence)
    async with advised(house, in_turn(structured(OBEYS)), hushed) as (advised_house, _):
        case = await fired(advised_house, scene)
        review = await house.review(case.id)

        assert (review.tool, review.roles) == (tool, ["on_call"])
        assert {name: review.shown["facts"][name]["value"] for name in ("recommended", "hinted")} == {
            "recommended": False,
            "hinted": True,
        }
        assert await actions(house, scene) == []
        case = await advised_house.decided(review, ONA)

    assert (case.status, len(await actions(house, scene))) == (Status.WAITING_INFO, 1)


async def test_the_cause_of_an_incident_is_no_word_of_a_models(house: House) -> None:
    async with advised(house, analysed=analysis(cause="noise")) as (advised_house, _):
        case = await fired(advised_house, SCENE)
        await finish(house, SCENE)
        await recover(house, SCENE)
        case = await advised_house.informed(case.id)

    assert case.status is Status.CLOSED
    assert (await incident(house, SCENE))["cause"] == "unknown"


@pytest.mark.parametrize("tool", ["services_restart", "deployments_rollback", "incidents_page"])
async def test_an_agent_that_calls_a_tool_that_acts_is_denied(house: House, tool: str) -> None:
    acts = tool_calls(call(tool, {"service_id": "payments-core", "incident_id": "INC-1000001"}))
    async with advised(house, in_turn(acts, structured(READING))) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert [one["tool"] for one in await told(house, case.id, "agent.denied")] == [tool]
    assert await actions(house, "tier1_outage") == []
    assert await calls(house, "tier1_outage") == []


async def test_a_severity_far_above_the_floor_waits_for_the_on_call(house: House) -> None:
    async with advised(house, analysed=analysis(severity="SEV1")) as (advised_house, _):
        case = await fired(advised_house, "no_similar")

        review = await house.review(case.id)
        assert (review.rule, review.roles) == ("IG-6", ["on_call"])
        case = await advised_house.decided(review, ONA)

    assert (await incident(house, "no_similar"))["severity"] == "SEV1"
    assert "write_postmortem" in await tasks(house, "no_similar")


# A model that has doubts, or fails


@pytest.mark.parametrize("confidence", [0, 69])
async def test_an_analyst_that_is_not_sure_changes_no_severity_and_asks_for_no_restart(
    house: House, confidence: int
) -> None:
    unsure = analysis(severity="SEV1", action="restart", confidence_percent=confidence)
    async with advised(house, analysed=unsure) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "low_confidence", "on_call")
    assert await tools_used(house, case.id) == ["incidents.open", "incidents.page"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(broken(), "model_unavailable", id="500"),
        pytest.param(malformed(), "model_answer_unfit", id="malformed"),
        pytest.param(text("Restart it."), "model_answer_unfit", id="words"),
        pytest.param(refusal("No."), "model_answer_unfit", id="refusal"),
    ],
)
@pytest.mark.parametrize("agent", ["reading", "analysed"])
async def test_a_model_that_fails_leaves_an_open_incident_and_somebody_who_was_called(
    house: House, agent: str, answer: Answer, reason: str
) -> None:
    async with advised(house, **{agent: in_turn(answer)}) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert (case.status, case.reason, case.owner) == (Status.UNCERTAIN, reason, "incident_commander")
    assert await tools_used(house, case.id) == ["incidents.open", "incidents.page"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"severity": "SEV0"},
        {"action": "delete"},
        {"related_deployment": "the last one"},
        {"similar": ["all"]},
    ],
)
async def test_what_is_no_answer_of_the_analyst_has_no_place(house: House, wrong: Json) -> None:
    answer = tool_calls(call("Analysis", ANALYSIS.model_dump(mode="json") | wrong))
    async with advised(house, analysed=in_turn(answer)) as (advised_house, _):
        case = await fired(advised_house, SCENE)

    assert (case.status, case.reason) == (Status.UNCERTAIN, "model_answer_unfit")


# What is kept


@dataclass(frozen=True, slots=True)
class Quoting:
    """A brain whose log reader repeats what it has read."""

    brain: Brain

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        thought = await self.brain.think(role, view, look_ups)
        if role.name != "log_reader":
            return thought
        quoted = "\n".join(view["logs"]["excerpt"])[:600]
        return replace(thought, output=thought.output.model_copy(update={"summary": quoted}))


async def kept(house: House) -> str:
    """All that our own database keeps of cases in clear, as text."""
    tables = (
        "checkpoints",
        "checkpoint_blobs",
        "checkpoint_writes",
        "cases",
        "commands",
        "audit_events",
        "reviews",
        "effects",
        "grants",
        "exceptions",
    )
    found = []
    for table in tables:
        rows = await house.rows(f"SELECT * FROM {table}")  # noqa: S608 - our own names
        found += [" ".join(map(_as_text, row.values())) for row in rows]
    return "\n".join(found)


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


async def test_a_large_log_stays_out_of_all_that_is_kept(house: House) -> None:
    log = await asked(house, "logs.around", alert_id=CAST[LARGE].alert_id)
    case = await fired(House(replace(house.parts, brain=Quoting(Playbooks()))), LARGE)
    assert case.status is Status.WAITING_INFO

    everything = await kept(house)

    assert log["size_bytes"] > 400_000
    assert len(everything.encode()) < MOST_KEPT
    assert FAR_FROM_THE_ALERT not in everything
    assert "no space left on device" not in everything, "nor is the excerpt in clear"


async def test_the_state_of_a_case_grows_with_no_log(house: House) -> None:
    sizes = {}
    for scene in ("flapping", LARGE):
        case = await fired(house, scene)
        rows = await house.rows(
            "SELECT sum(octet_length(checkpoint::text)) AS bytes FROM checkpoints WHERE thread_id = %s",
            case.id,
        )
        blobs = await house.rows(
            "SELECT coalesce(sum(octet_length(blob)), 0) AS bytes FROM checkpoint_blobs WHERE thread_id = %s",
            case.id,
        )
        sizes[scene] = int(rows[0]["bytes"]) + int(blobs[0]["bytes"])

    assert sizes[LARGE] < 2 * sizes["flapping"]


async def test_a_review_shows_where_the_log_is_and_seals_its_lines(house: House) -> None:
    case = await fired(house, "memory_degraded")
    review = await house.review(case.id)
    log = await asked(house, "logs.around", alert_id=CAST["memory_degraded"].alert_id)

    shown = review.shown["evidence"]["logs"]
    assert (shown["reference"], shown["sha256"], shown["size_bytes"]) == (
        log["reference"],
        log["sha256"],
        log["size_bytes"],
    )
    assert "OutOfMemoryError" not in json.dumps(review.shown["evidence"])
    opened = await house.opened(case.id, shown)
    assert opened["excerpt"] == log["excerpt"]

"""What LangSmith is told of a case: sent by its real client, over a real socket."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from checkpoints.cases import Status
from checkpoints.worker import Drained
from graphs.rulebook import Rulebook
from graphs.wiring import Parts
from nodes.rules import Consequence, Outcome
from tests.bites.brains import crash_at, watched
from tests.engine.traces import KEY, PROJECT, root_of, steps, told, traced, walked
from tests.fakes.langsmith_server import LangSmithServer, langsmith_server
from tests.fakes.openai_server import broken, in_turn, structured
from tests.house import LEE, House
from tests.nodes.test_lanes import build as lanes_of_a_refund
from tests.stories.test_agents_with_a_model import LARGE, POLICY, SMALL, advised, look_up, policy_role

BEFORE_THE_REVIEW = ["retrieve", "triage", "suspect", "assess", "propose", "judge", "gate"]
AFTER_THE_REVIEW = ["gate", "refund", "tell", "judge_reply", "send", "closed"]


@pytest.fixture
async def server() -> AsyncIterator[LangSmithServer]:
    async with langsmith_server() as running:
        yield running


async def test_a_case_is_one_thread_of_a_trace_for_each_segment(
    parts: Parts, server: LangSmithServer
) -> None:
    async with traced(parts, server.url) as with_traces:
        house = House(with_traces)
        case = await house.after(LARGE)
        await server.traces(1)
        await house.decided(await house.review(case.id), LEE)
        await server.traces(2)

    first, second = root_of(server, "start"), root_of(server, "resume")
    assert list(steps(server, first)) == BEFORE_THE_REVIEW
    assert list(steps(server, second)) == AFTER_THE_REVIEW
    for run in server.runs.values():
        assert (told(run)["thread_id"], told(run)["session_id"]) == (case.id, case.id)
        assert (told(run)["workflow"], told(run)["workflow_version"]) == ("refund", "1")
        assert (run["session_name"], run["inputs"]) == (PROJECT, {})
    assert (told(first)["status"], told(first)["outcome"]) == ("waiting_review", "paused")
    assert (told(second)["status"], told(second)["outcome"]) == ("closed", "ended")


async def test_a_verdict_is_told_by_its_outcome_row_and_table(parts: Parts, server: LangSmithServer) -> None:
    async with traced(parts, server.url) as with_traces:
        case = await House(with_traces).after(LARGE)
        await server.traces(1)

    judge = told(steps(server, root_of(server, "start"))["judge"])
    assert (judge["outcome"], judge["verdict"], judge["row"]) == ("review", "review", "RF-91")
    assert (judge["table_name"], judge["table_version"]) == ("refund", "2026-11-27")
    assert judge["table_digest"] == case.rules["payments.refund"]


async def test_an_agent_is_told_by_name_version_prompt_and_model_and_what_it_spent(
    parts: Parts, server: LangSmithServer
) -> None:
    answers = in_turn(look_up(SMALL), structured(POLICY))
    async with traced(parts, server.url) as with_traces, advised(with_traces, policy=answers) as (house, _):
        assert (await house.after(SMALL)).status is Status.CLOSED
        await server.traces(1)

    assess = steps(server, root_of(server, "start"))["assess"]
    said = told(assess)
    assert (said["agent"], said["agent_version"], said["brain"]) == ("policy", "1", "openai:gpt-x")
    assert said["prompt"] == hashlib.sha256(policy_role(parts).prompt.encode()).hexdigest()
    assert (said["confidence_percent"], said["model_calls"]) == (POLICY.confidence_percent, 2)
    assert (said["input_tokens"], said["output_tokens"]) == (200, 40)
    calls = server.below(assess)
    assert [(run["run_type"], run["name"]) for run in calls] == [
        ("llm", "model"),
        ("tool", "payments.list"),
        ("llm", "model"),
    ]
    assert told(calls[1])["allowed"] is True
    for call in (calls[0], calls[2]):
        assert (told(call)["ls_provider"], told(call)["ls_model_name"]) == ("openai", "gpt-x")
        assert told(call)["usage_metadata"] == {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
        assert datetime.fromisoformat(call["start_time"]) < datetime.fromisoformat(call["end_time"])


async def test_a_model_that_fails_is_told_by_the_kind_of_its_error(
    parts: Parts, server: LangSmithServer
) -> None:
    async with (
        traced(parts, server.url) as with_traces,
        advised(with_traces, policy=in_turn(broken())) as (house, _),
    ):
        assert (await house.after(SMALL)).status is Status.UNCERTAIN
        await server.traces(1)

    root = root_of(server, "start")
    assess = steps(server, root)["assess"]
    (call,) = server.below(assess)
    assert call.get("error") == "OpenAIAPIError"
    assert (told(assess)["outcome"], assess.get("error")) == ("uncertain", None)
    assert (told(root)["status"], root.get("error")) == ("uncertain", None)


async def test_a_case_that_fails_is_told_by_the_kind_of_its_error(
    parts: Parts, server: LangSmithServer
) -> None:
    async def fail(agent: str) -> None:
        if agent == "policy":
            raise LookupError("a secret")

    async with traced(parts, server.url) as with_traces:
        assert (await watched(House(with_traces), fail).after(SMALL)).status is Status.FAILED
        await server.traces(1)

    root = root_of(server, "start")
    assert (root.get("error"), told(root)["status"], told(root)["outcome"]) == (
        "LookupError",
        "failed",
        "failed",
    )
    assert steps(server, root)["assess"].get("error") == "LookupError"


async def test_a_segment_that_is_drained_is_no_failure(parts: Parts, server: LangSmithServer) -> None:
    async with traced(parts, server.url) as with_traces:
        house = watched(House(with_traces), lambda _: drain())

        async def drain() -> None:
            house.runner.drain()

        await house.send(SMALL)
        with pytest.raises(Drained):
            await house.work()
        (root,) = await server.traces(1)

    assert (told(root)["outcome"], root.get("error")) == ("drained", None)
    assert list(steps(server, root)) == ["retrieve", "triage"]


async def test_every_run_hangs_below_its_parent_in_ids_and_in_order(
    parts: Parts, server: LangSmithServer
) -> None:
    async with traced(parts, server.url) as with_traces, advised(with_traces) as (house, _):
        await house.after(LARGE)
        await server.traces(1)

    (root,) = server.roots
    assert {run["id"] for run in walked(server, root)} == server.runs.keys()
    for run in server.runs.values():
        assert UUID(run["id"]).version == 7
        assert run["trace_id"] == root["id"]
        above = server.runs[run["parent_run_id"]]["dotted_order"] + "." if run["parent_run_id"] else ""
        own = run["dotted_order"].removeprefix(above)
        began = datetime.fromisoformat(run["start_time"])
        assert own == f"{began:%Y%m%dT%H%M%S%fZ}{run['id']}"
        assert UUID(run["id"]).int >> 80 == int(began.timestamp() * 1000)


async def test_steps_of_a_lane_are_below_the_lane(house: House, server: LangSmithServer) -> None:
    workflow = house.parts.workflows["refund"]
    table = workflow.rulings["tickets.reply"].table
    asks = Consequence(outcome=Outcome.REVIEW, reason="people_read_it", ladder=("support_lead",))
    asking = replace(table, rows=(replace(table.rows[0], when=(), then=asks),))
    book = Rulebook(house.parts.database, {("refund", table.digest): asking})
    with_lanes = replace(workflow.with_tables({"tickets.reply": asking}), build=lanes_of_a_refund)
    parts = replace(house.parts, workflows={"refund": with_lanes}, rulebook=book)
    async with traced(parts, server.url) as with_traces:
        await House(with_traces).after(LARGE)
        await server.traces(1)

    found = steps(server, root_of(server, "start"))
    assert {"money", "word"} < found.keys()
    for lane in ("money", "word"):
        assert list(steps(server, found[lane])) == ["propose", "judge", "gate"]
        assert (told(found[lane])["outcome"], found[lane].get("error")) == ("paused", None)


async def test_a_segment_that_begins_again_is_a_trace_of_its_own_in_the_same_thread(
    parts: Parts, server: LangSmithServer
) -> None:
    async with traced(parts, server.url) as with_traces:
        house = House(with_traces)
        case = await house.send(SMALL)
        await crash_at(house, "policy")
        await house.work()
        first, second = await server.traces(2)

    assert first["id"] != second["id"]
    assert told(first)["segment"] == told(second)["segment"]
    assert told(first)["thread_id"] == told(second)["thread_id"] == case.id
    assert {first.get("error"), second.get("error")} == {"CancelledError", None}


async def test_the_key_is_in_its_header_and_the_server_is_asked_for_nothing(
    parts: Parts, server: LangSmithServer
) -> None:
    async with traced(parts, server.url) as with_traces:
        await House(with_traces).after(SMALL)
        await server.traces(1)

    assert [(request.method, request.path) for request in server.requests] == [("POST", "/runs/multipart")]
    assert [request.headers["x-api-key"] for request in server.requests] == [KEY]

"""What no trace carries: marked words, planted wherever a trace could pick something up."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith import run_trees
from langsmith.utils import get_env_var

from checkpoints.cases import Status
from graphs.settings import Settings, Tracing
from graphs.tracing import open_tracer
from graphs.wiring import Parts
from tests.bites.brains import watched
from tests.engine.traces import KEY, steps, traced
from tests.fakes.langsmith_server import Answer as Refusal
from tests.fakes.langsmith_server import LangSmithServer, langsmith_server
from tests.fakes.openai_server import Answer, Script, call, calls, in_turn, nonsense, structured
from tests.house import LEE, House
from tests.nodes.desk import at_the_company, with_refunds
from tests.stories.test_agents_with_a_model import LARGE, POLICY, SMALL, TRIAGE, advised, look_up
from tools.contract import Call, Record, Tool, ToolRefused
from tools.sandbox.cast import CAST

MARK = "canary"
"""In everything that is planted; in nothing else."""


@pytest.fixture
async def server() -> AsyncIterator[LangSmithServer]:
    async with langsmith_server() as running:
        yield running


def read_anew() -> None:
    """Have the client read the environment again: it keeps what it has read."""
    get_env_var.cache_clear()  # type: ignore[attr-defined] # its overloads hide that it is cached


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, server: LangSmithServer) -> Iterator[pytest.MonkeyPatch]:
    """An environment in which LangChain's own tracer sends everything to the server, from now on."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
    monkeypatch.setenv("LANGCHAIN_REVISION_ID", f"{MARK}-revision")
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-{MARK}")
    read_anew()
    yield monkeypatch
    if run_trees._CLIENT is not None:
        run_trees._CLIENT.close(timeout=5)
        run_trees._CLIENT = None
    read_anew()


@pytest.fixture
async def planted(settings: Settings) -> None:
    """A customer whose name, address and words are marked."""
    scenes = [CAST[scene] for scene in (SMALL, LARGE)]
    for scene in scenes:
        await at_the_company(
            settings,
            "UPDATE customers SET name = %s, email = %s WHERE customer_id = %s",
            f"{MARK} name",
            f"{MARK}.{scene.customer_id}@example.com",
            scene.customer_id,
        )
        await at_the_company(
            settings,
            "UPDATE tickets SET subject = %s, body = %s WHERE ticket_id = %s",
            f"{MARK} subject",
            f"{MARK} body",
            scene.ticket_id,
        )


def babbling(scene: str) -> Script:
    """A model that looks up what there is and what there is not, and puts marked words everywhere."""
    return in_turn(
        look_up(scene),
        calls(call(f"{MARK}_tool", {f"{MARK}_argument": f"{MARK} value"})),
        calls(call("payments_list", {"order_id": f"{MARK} order"})),
        structured(POLICY.model_copy(update={"reason": f"{MARK} reason"})),
    )


def require_nothing_of(server: LangSmithServer, *scenes: str) -> None:
    """Neither a marked word, nor the number of an order, a customer or a ticket, nor a key."""
    assert server.requests
    ids = [(CAST[scene].order_id, CAST[scene].customer_id, CAST[scene].ticket_id) for scene in scenes]
    wire = server.wire.lower()
    for secret in (MARK, KEY, *(one for several in ids for one in several)):
        assert secret.lower().encode() not in wire


async def test_what_customers_and_models_say_is_in_no_trace(
    parts: Parts, server: LangSmithServer, planted: None, environment: pytest.MonkeyPatch
) -> None:
    triage = structured(TRIAGE.model_copy(update={"summary": f"{MARK} summary"}))
    async with traced(parts, server.url) as with_traces:
        async with advised(with_traces, triage=in_turn(triage), policy=babbling(LARGE)) as (house, model):
            case = await house.after(LARGE)
            review = await house.review(case.id)
            shown = await house.opened(case.id, review.shown)
            assert (await house.decided(review, LEE)).status is Status.CLOSED
        await server.traces(2)
        await asyncio.to_thread(wait_for_all_tracers)

    assert MARK in model.requests[0].data
    assert MARK in str(shown)
    require_nothing_of(server, LARGE)
    (first,) = [root for root in server.roots if root["outputs"]["outcome"] == "paused"]
    looked_up = [run for run in server.below(steps(server, first)["assess"]) if run["run_type"] == "tool"]
    assert [(run["name"], run["outputs"]["allowed"]) for run in looked_up] == [
        ("payments.list", True),
        ("unknown_tool", False),
        ("payments.list", False),
    ]


async def test_what_errors_say_is_in_no_trace(
    parts: Parts,
    server: LangSmithServer,
    planted: None,
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(tool: Tool, arguments: Any, call: Call) -> Record:
        raise ToolRefused(f"{MARK} refusal")

    async def fail(agent: str) -> None:
        raise LookupError(f"{MARK} exception")

    refused = Answer(status=400, body=f'{{"error": {{"message": "{MARK} error"}}}}'.encode())
    async with traced(parts, server.url) as with_traces:
        house = House(with_traces)
        assert (await with_refunds(house, refuse).after(SMALL)).status is Status.FAILED
        assert (await watched(house, fail).after(LARGE)).status is Status.FAILED
        for turn, answer in enumerate((refused, nonsense({MARK: MARK}))):
            async with advised(with_traces, policy=in_turn(answer)) as (asking, _):
                assert (await asking.after(f"clean_29_90_{turn + 2}")).status is Status.UNCERTAIN
        await server.traces(4)
        await asyncio.to_thread(wait_for_all_tracers)

    require_nothing_of(server, SMALL, LARGE)


async def test_langchain_itself_sends_nothing_of_a_case(
    parts: Parts, server: LangSmithServer, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("LANGSMITH_API_KEY", KEY)
    read_anew()
    async with advised(parts) as (house, _):
        assert (await house.after(SMALL)).status is Status.CLOSED
    await RunnableLambda(lambda said: said).ainvoke("outside of any case")
    await asyncio.to_thread(wait_for_all_tracers)

    assert {run["name"] for run in server.runs.values()} == {"RunnableLambda"}
    assert b"outside of any case" in server.wire


@pytest.mark.parametrize(
    ("tracing", "where"),
    [
        ({"LANGSMITH_TRACING": "true"}, "Tracing is off: LANGSMITH_API_KEY is not set."),
        (
            {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": " "},
            "Tracing is off: LANGSMITH_API_KEY is not set.",
        ),
        (
            {"LANGSMITH_TRACING": "true", "LANGCHAIN_API_KEY": KEY},
            "Tracing is off: LANGSMITH_API_KEY is not set.",
        ),
        ({"LANGSMITH_TRACING": "false", "LANGSMITH_API_KEY": KEY}, "Tracing is off."),
        ({"LANGSMITH_TRACING": "0", "LANGSMITH_API_KEY": KEY}, "Tracing is off."),
        ({"LANGSMITH_TRACING": "", "LANGSMITH_API_KEY": KEY}, "Tracing is off."),
        ({"LANGSMITH_API_KEY": KEY}, "Tracing is off."),
        ({"LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": KEY}, "Tracing is off."),
    ],
)
async def test_without_both_a_wish_and_a_key_nothing_is_sent(
    parts: Parts,
    server: LangSmithServer,
    environment: pytest.MonkeyPatch,
    tracing: dict[str, str],
    where: str,
) -> None:
    environment.delenv("LANGSMITH_TRACING")
    for name, value in tracing.items():
        environment.setenv(name, value)
    read_anew()
    read = Tracing.from_environment(os.environ)
    async with open_tracer(read, parts.clock) as tracer:
        assert (await House(replace(parts, tracer=tracer)).after(SMALL)).status is Status.CLOSED
    await asyncio.to_thread(wait_for_all_tracers)

    assert tracer.where == where
    assert read.endpoint == server.url
    assert server.requests == []


@pytest.mark.parametrize("status", [500, 422])
async def test_no_log_line_of_a_refused_trace_holds_its_answer_or_its_key(
    parts: Parts, server: LangSmithServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.answer = Refusal(status=status, body=f'"{MARK}"'.encode())
    with caplog.at_level(logging.INFO):
        async with traced(parts, server.url) as with_traces:
            await House(with_traces).after(SMALL)
            await server.asked()

    assert "traces are lost" in caplog.text
    assert MARK not in caplog.text
    assert KEY[:5] not in caplog.text

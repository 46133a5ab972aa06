"""LangSmith away, hanging or refusing: the work goes on, and traces are lost in one line."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from checkpoints.cases import Status
from graphs.settings import Tracing
from graphs.trace_post import MOST_WAITING, Post, TracingUnfit
from graphs.tracing import open_tracer
from graphs.wiring import Parts
from nodes.shapes import Json
from tests.engine.traces import KEY, traced
from tests.fakes.langsmith_server import Answer, LangSmithServer, langsmith_server
from tests.house import LEE, House
from tests.stories.test_agents_with_a_model import LARGE, SMALL

HANGS = Answer(hangs=True)
LOST = "traces are lost until LangSmith takes them again"


@pytest.fixture
async def server() -> AsyncIterator[LangSmithServer]:
    async with langsmith_server() as running:
        yield running


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log lines, warnings and worse."""
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def trace_of(number: int) -> list[Json]:
    """A trace of one run."""
    id_ = f"01a21cd5-3133-7250-9b77-{number:012d}"
    order = f"20261120T120000000000Z{id_}"
    return [
        {"id": id_, "trace_id": id_, "dotted_order": order, "name": "x", "run_type": "chain", "inputs": {}}
    ]


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens, and that nobody else can get meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def require_work_is_done(parts: Parts) -> None:
    """A small refund is paid, a large one waits for a person and then is."""
    house = House(parts)
    assert (await house.after(SMALL)).status is Status.CLOSED
    case = await house.after(LARGE)
    assert case.status is Status.WAITING_REVIEW
    assert (await house.decided(await house.review(case.id), LEE)).status is Status.CLOSED


async def test_cases_end_as_usual_while_nobody_listens(
    parts: Parts, nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with traced(parts, nowhere) as with_traces:
        await require_work_is_done(with_traces)

    assert lines(caplog) == [f"{LOST}: LangSmithConnectionError"]


@pytest.mark.parametrize(
    ("status", "why"), [(500, "LangSmithAPIError"), (429, "LangSmithRateLimitError"), (403, "LangSmithError")]
)
async def test_cases_end_as_usual_while_the_server_refuses(
    parts: Parts, server: LangSmithServer, caplog: pytest.LogCaptureFixture, status: int, why: str
) -> None:
    server.answer = Answer(status=status, headers={"Retry-After": "3600"})
    async with traced(parts, server.url) as with_traces:
        await require_work_is_done(with_traces)
        await server.asked()

    assert server.runs == {}
    assert lines(caplog) == [f"{LOST}: {why}"]


async def test_cases_end_as_usual_while_the_server_has_answered_nothing(
    parts: Parts, server: LangSmithServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = HANGS
    async with traced(parts, server.url) as with_traces:
        assert (await House(with_traces).after("clean_29_90_2")).status is Status.CLOSED
        await server.asked()
        await require_work_is_done(with_traces)
        assert server.answered == 0

    assert server.answered == 0
    (line,) = lines(caplog)
    assert line.startswith(LOST)


async def test_a_hanging_server_fills_a_bounded_queue_and_one_line_of_the_log(
    server: LangSmithServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = HANGS
    post = Post(Tracing(asked=True, api_key=KEY, endpoint=server.url))
    post.send(trace_of(0))
    await server.asked()
    for number in range(1, MOST_WAITING + 51):
        post.send(trace_of(number))

    assert len(post._waiting) == MOST_WAITING
    post.close(seconds=0)
    assert len(post._waiting) == 0
    post.send(trace_of(0))
    assert lines(caplog) == [f"{LOST}: too many are waiting"]


async def test_traces_go_again_when_the_server_is_back(
    parts: Parts, server: LangSmithServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = Answer(status=500)
    with caplog.at_level(logging.INFO, logger="graphs.trace_post"):
        async with traced(parts, server.url) as with_traces:
            house = House(with_traces)
            await house.after(SMALL)
            await server.asked(3)
            server.answer = Answer()
            case = await house.after(LARGE)
            roots = await server.traces(1)

    assert [root["extra"]["metadata"]["thread_id"] for root in roots] == [case.id]
    assert [record.message for record in caplog.records] == [
        f"{LOST}: LangSmithAPIError",
        "traces are sent again",
    ]


async def test_a_server_without_the_newer_way_is_sent_to_in_the_older_one(
    parts: Parts, server: LangSmithServer
) -> None:
    server.answers["/runs/multipart"] = Answer(status=404)
    async with traced(parts, server.url) as with_traces:
        await House(with_traces).after(SMALL)
        (root,) = await server.traces(1)

    assert [request.path for request in server.requests] == ["/runs/multipart", "/runs/batch"]
    assert root["name"] == "refund"


async def test_neither_key_nor_traces_follow_a_redirect(
    parts: Parts, server: LangSmithServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with langsmith_server() as another:
        server.answer = Answer(status=307, headers={"Location": f"{another.url}/runs/multipart"})
        async with traced(parts, server.url) as with_traces:
            await House(with_traces).after(SMALL)
            await server.asked()

        assert another.requests == []
    assert lines(caplog) == [f"{LOST}: LangSmithError"]


async def test_traces_that_wait_are_sent_before_the_end(server: LangSmithServer) -> None:
    post = Post(Tracing(asked=True, api_key=KEY, endpoint=server.url))
    for number in range(MOST_WAITING):
        post.send(trace_of(number))
    await asyncio.to_thread(post.close, 30)

    assert len(server.runs) == MOST_WAITING


async def test_two_destinations_at_once_are_one_clear_line(
    parts: Parts, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", nowhere)
    monkeypatch.setenv("LANGSMITH_RUNS_ENDPOINTS", f'{{"{nowhere}": "{KEY}"}}')
    with pytest.raises(TracingUnfit, match=r"^You cannot provide both LANGSMITH_ENDPOINT"):
        async with open_tracer(Tracing(asked=True, api_key=KEY, endpoint=nowhere), parts.clock):
            pass


@pytest.mark.parametrize("endpoint", ["smith.example", "ftp://a/b", "https://", "http://[::1", "http://a:b"])
async def test_an_address_that_is_none_is_one_clear_line_that_does_not_quote_it(
    parts: Parts, endpoint: str
) -> None:
    with pytest.raises(TracingUnfit, match=r"^LANGSMITH_ENDPOINT is no address that begins with"):
        async with open_tracer(Tracing(asked=True, api_key=KEY, endpoint=endpoint), parts.clock):
            pass

"""Whoever watches the queue is told which reviews change, when they change, and nothing about them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
import pytest

from api import serve
from api.app import create_app
from api.serve import listening, serving
from api.stream import MOST_EACH, MOST_WAITING, Live
from graphs.wiring import Parts
from tests.api.door import Door, Json, problem
from tests.engine.processes import until
from tests.house import House

LEADS = "clean_120_00_1"
RELOAD = {"reload": True}
ME = "person:lee"
LESS_THAN_READERS_ARE_WAITED_FOR = serve._PATIENCE_SECONDS - 1
_LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %%'"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads the stream line by line."""

    response: httpx.Response
    lines: AsyncIterator[str]

    async def event(self) -> Json:
        """The data of the next event."""
        async for line in self.lines:
            if line.startswith("data: "):
                return dict(json.loads(line.removeprefix("data: ")))
        raise EOFError

    async def rest(self) -> list[str]:
        """Whatever lines still come, until the stream ends."""
        return [line async for line in self.lines if line]


@asynccontextmanager
async def reading(door: Door, who: str = "lee") -> AsyncIterator[Reader]:
    """A reader who has got the first line: from here on they miss nothing."""
    headers = {"Authorization": f"Bearer {door.tokens[who]}"}
    async with asyncio.timeout(30), door.http.stream("GET", "/reviews/stream", headers=headers) as response:
        assert response.status_code == 200
        reader = Reader(response, response.aiter_lines())
        assert await anext(reader.lines) == "retry: 1000"
        yield reader


@asynccontextmanager
async def two_reading(door: Door) -> AsyncIterator[tuple[Reader, Reader]]:
    async with reading(door) as one, reading(door, "finn") as other:
        yield one, other


async def test_the_stream_says_what_it_is_and_is_kept_by_nobody(door: Door) -> None:
    async with reading(door) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["cache-control"] == "no-store"


async def test_opening_claiming_and_deciding_are_told_by_id_and_version_alone(door: Door) -> None:
    async with two_reading(door) as readers:
        review = await door.waiting(LEADS)
        await door.ask("lee", "POST", f"/reviews/{review['id']}/claim")
        await door.vote("lee", review)
        told = [[await reader.event() for _ in range(3)] for reader in readers]

    version = (await door.get("lee", f"/reviews/{review['id']}"))["version"]
    assert told[0] == told[1]
    assert [set(event) for event in told[0]] == [{"id", "version"}] * 3
    assert {event["id"] for event in told[0]} == {review["id"]}
    assert [event["version"] for event in told[0]] == [1, 2, version]


async def test_a_change_that_is_rolled_back_is_told_to_nobody(door: Door) -> None:
    review = await door.waiting(LEADS)
    async with reading(door) as reader:
        with suppress(ZeroDivisionError):
            async with door.house.parts.database.transaction() as tx:
                await tx.driver.execute("UPDATE reviews SET version = 77")
                raise ZeroDivisionError
        assert (await door.vote("finn", review)).status_code == 403
        await door.vote("lee", review)
        assert (await reader.event())["version"] == 2


async def test_a_change_is_told_when_it_commits_and_not_before(door: Door) -> None:
    review = await door.waiting(LEADS)
    async with reading(door) as reader:
        async with door.house.parts.database.transaction() as tx:
            await tx.driver.execute("UPDATE reviews SET version = 5")
            await door.house.rows("SELECT pg_notify('countersign_reviews', '{\"id\": \"before\"}')")
        told = [await reader.event() for _ in range(2)]
        assert told == [{"id": "before"}, {"id": review["id"], "version": 5}]


@pytest.mark.parametrize("who", [None, "eve"])
async def test_without_a_valid_token_nobody_reads_the_stream(door: Door, who: str | None) -> None:
    problem(await door.ask(who, "GET", "/reviews/stream"), 401, "unauthenticated")


@pytest.mark.parametrize("who", ["shop", "nora"])
async def test_who_may_not_see_reviews_may_not_read_the_stream(door: Door, who: str) -> None:
    async with door.only_recorded("access.denied", by="service:shop" if who == "shop" else "person:nora"):
        problem(await door.ask(who, "GET", "/reviews/stream"), 403, "forbidden")


async def test_whoever_is_too_far_behind_is_told_to_read_again(door: Door) -> None:
    review = await door.waiting(LEADS)
    live = Live(door.house.parts)
    last = MOST_WAITING + 50
    async with live.stream(ME) as slow, live.stream(ME) as quick:
        for version in range(1, last + 1):
            await door.house.rows("UPDATE reviews SET version = %s", version)
        while json.loads(await _next(quick)) != {"id": review["id"], "version": last}:
            pass
        told = [json.loads(slow.get_nowait() or "") for _ in range(slow.qsize())]
        await live.end()

    assert told[0] == RELOAD
    assert [event["version"] for event in told[1:]] == list(range(MOST_WAITING + 1, last + 1))


async def _next(queue: asyncio.Queue[str | None]) -> str:
    change = await asyncio.wait_for(queue.get(), 30)
    assert change is not None
    return change


async def test_a_lost_database_connection_comes_back_and_asks_to_read_again(door: Door) -> None:
    review = await door.waiting(LEADS)
    async with two_reading(door) as readers:
        (listener,) = await door.house.rows(_LISTENERS)
        await door.house.rows("SELECT pg_terminate_backend(%s)", listener["pid"])
        assert [await reader.event() for reader in readers] == [RELOAD] * 2
        await door.vote("lee", review)
        assert [(await reader.event())["id"] for reader in readers] == [review["id"]] * 2
        assert len(await door.house.rows(_LISTENERS)) == 1


async def test_all_readers_of_a_process_share_one_connection_and_leave_no_trace(parts: Parts) -> None:
    house, live = House(parts), Live(parts)
    async with live.stream(ME), live.stream(ME):
        assert len(await house.rows(_LISTENERS)) == 1
        assert len(live.streams) == 2
    assert live.streams == {}
    await live.end()
    await until(lambda: _nobody_listens(house), "the connection is gone")


async def test_whoever_comes_after_the_end_is_sent_away_at_once(parts: Parts) -> None:
    live = Live(parts)
    await live.end()
    async with live.stream(ME) as queue:
        assert queue.get_nowait() is None
    assert live.listening is None


async def test_a_server_that_goes_down_ends_its_streams_at_once_and_leaves_nothing_behind(
    parts: Parts, tokens: dict[str, str]
) -> None:
    house, before = House(parts), asyncio.all_tasks()
    async with asyncio.timeout(None) as limit:
        async with httpx.AsyncClient(trust_env=False) as http:
            async with serving(parts, host="127.0.0.1", port=0) as url:
                headers = {"Authorization": f"Bearer {tokens['lee']}"}
                request = http.build_request("GET", f"{url}/reviews/stream", headers=headers)
                response = await http.send(request, stream=True)
                lines = response.aiter_lines()
                assert await anext(lines) == "retry: 1000"
                limit.reschedule(asyncio.get_running_loop().time() + LESS_THAN_READERS_ARE_WAITED_FOR)
            assert [line async for line in lines if line] == []
            await response.aclose()
        await until(lambda: _nobody_listens(house), "the connection is gone")
    assert asyncio.all_tasks() - before == set()


async def test_a_reader_who_goes_away_is_forgotten(parts: Parts, tokens: dict[str, str]) -> None:
    app = create_app(parts)
    headers = {"Authorization": f"Bearer {tokens['lee']}"}
    async with listening(app, host="127.0.0.1", port=0) as url, httpx.AsyncClient(trust_env=False) as http:
        async with http.stream("GET", f"{url}/reviews/stream", headers=headers) as response:
            assert await anext(response.aiter_lines()) == "retry: 1000"
            assert len(app.state.live.streams) == 1

        async def forgotten() -> bool:
            return not app.state.live.streams

        await until(forgotten, "the reader is forgotten")


async def test_changes_are_told_in_the_order_in_which_they_commit(door: Door) -> None:
    await door.waiting(LEADS)
    async with reading(door) as reader:
        for version in range(2, 40):
            await door.house.rows("UPDATE reviews SET version = %s", version)
        assert [(await reader.event())["version"] for _ in range(2, 40)] == list(range(2, 40))


async def _nobody_listens(house: House) -> bool:
    return await house.rows(_LISTENERS) == []


async def test_somebody_with_too_many_streams_gets_no_more_and_others_do(door: Door) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MOST_EACH):
            await stack.enter_async_context(reading(door))
        refused = await door.ask("lee", "GET", "/reviews/stream")
        problem(refused, 429, "too-many-streams")
        assert refused.headers["Retry-After"] == "15"
        await stack.enter_async_context(reading(door, "finn"))

    async def there_is_room() -> bool:
        headers = {"Authorization": f"Bearer {door.tokens['lee']}"}
        async with door.http.stream("GET", "/reviews/stream", headers=headers) as response:
            return response.status_code == 200

    await until(there_is_room, "lee, who has closed them, gets a stream again")

"""A body has at most one MiB, whatever its headers say."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.bodies import LARGEST_BODY, LimitBodies
from api.connections import Impatient
from api.errors import body_too_large, body_too_late
from api.serve import listening
from graphs.storable import MOST_NESTED, storable
from tests.api.door import Door, problem

CHUNK = b" " * 64 * 1024


async def test_a_body_of_more_than_a_mebibyte_is_refused(door: Door) -> None:
    async with door.only_recorded(by="service:shop"):
        response = await door.post(b" " * (LARGEST_BODY + 1))
    assert str(LARGEST_BODY) in problem(response, 413, "body-too-large")["detail"]


async def test_a_body_that_does_not_say_how_long_it_is_is_refused_once_it_is_too_long(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // len(CHUNK) + 1):
            yield CHUNK

    response = await door.ask("shop", "POST", "/events", content=chunks())
    assert "transfer-encoding" in response.request.headers
    problem(response, 413, "body-too-large")


async def test_a_body_of_exactly_a_mebibyte_is_read(door: Door) -> None:
    response = await door.post(b" " * LARGEST_BODY)
    problem(response, 400, "event-malformed")


async def test_votes_have_the_same_limit(door: Door) -> None:
    response = await door.ask("lee", "POST", "/reviews/x/votes", content=b" " * (LARGEST_BODY + 1))
    problem(response, 413, "body-too-large")


async def test_what_is_announced_to_be_too_long_is_not_waited_for(door: Door) -> None:
    answer = await _answer_to(door, b"Content-Length: 1000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"many", b"1, 2"])
async def test_a_length_that_is_no_number_is_a_bad_request(door: Door, length: bytes) -> None:
    answer = await _answer_to(door, b"Content-Length: " + length + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_caller_who_hangs_up_in_the_middle_leaves_nothing_behind(door: Door) -> None:
    async with door.only_recorded(by="nobody"):
        reader, writer = await _connect(door.http.base_url)
        writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await door.http.get("/health/live")).status_code == 200
    assert reader.at_eof() or not await reader.read()


@pytest.fixture
async def hurried(door: Door, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    """The door of an API that waits for nobody."""
    monkeypatch.setattr(Impatient, "patience", timedelta(milliseconds=200))
    app = create_app(door.house.parts)
    app.add_middleware(LimitBodies, body_too_large, body_too_late, timedelta(milliseconds=200))
    async with (
        listening(app, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield replace(door, http=http)


async def test_a_body_that_does_not_come_is_not_waited_for(hurried: Door) -> None:
    reader, writer = await _connect(hurried.http.base_url)
    writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:countersign:problem:body-too-late" in answer
    writer.close()


@pytest.mark.parametrize("head", [b"", b"GET /health/live HTTP/1.1\r\nHost"])
async def test_a_head_that_does_not_come_is_not_waited_for(hurried: Door, head: bytes) -> None:
    reader, writer = await _connect(hurried.http.base_url)
    writer.write(head)
    assert await reader.read() == b""
    writer.close()


async def test_whoever_was_answered_is_not_waited_for_any_longer(hurried: Door) -> None:
    reader, writer = await _connect(hurried.http.base_url)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHost")
    answer = await reader.read()
    assert answer.count(b"HTTP/1.1 200 ") == 1
    writer.close()


def test_what_is_nested_up_to_the_limit_can_be_stored() -> None:
    assert storable(_nested(MOST_NESTED - 1))
    assert not storable(_nested(MOST_NESTED))


@pytest.mark.parametrize(
    ("value", "can"),
    [
        ("plain", True),
        ("😀", True),
        ("a\x00", False),
        ("\ud800", False),
        ({"a": ["b", {"c": "\x00"}]}, False),
        ({"a\x00": 1}, False),
        ([], True),
        ({}, True),
        (None, True),
        (1.5, True),
    ],
)
def test_nul_and_lone_surrogates_cannot_be_stored(value: object, can: bool) -> None:  # noqa: FBT001
    assert storable(value) is can


def _nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


async def _answer_to(door: Door, rest: bytes) -> bytes:
    """The beginning of the answer to a POST whose headers and body are sent as they are."""
    reader, writer = await _connect(door.http.base_url)
    try:
        writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rest)
        await writer.drain()
        return await reader.readuntil(b"\r\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def _connect(url: httpx.URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(url.host, url.port)

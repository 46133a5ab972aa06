"""Where notices are posted: over TLS, in a capped time, to that address and nowhere else."""

import asyncio
import logging
import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.receiver import CERTIFICATE, Answer, Receiver, receiver
from tests.tools.notices.messages import NOW
from tools.notices.endpoint import Endpoint
from tools.notices.message import NoticeUndelivered
from tools.outside.addresses import AddressUnfit, fit_address

SOON = timedelta(milliseconds=300)
ENOUGH = timedelta(seconds=20)


async def post(url: str, within: timedelta = ENOUGH) -> None:
    await Endpoint.at(url, within, allow_private=True).post(b'{"a": 1}', {"x-more": "yes"}, NOW)


async def refused(running: Receiver, answer: Answer, within: timedelta = ENOUGH) -> NoticeUndelivered:
    running.answer = answer
    with pytest.raises(NoticeUndelivered) as failed:
        await post(running.url, within)
    return failed.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_means_that_it_was_taken(status: int) -> None:
    async with receiver() as running:
        running.answer = Answer(status=status)
        await post(running.url)

    (request,) = running.requests
    assert (request.path, request.json) == ("/in", {"a": 1})
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-more"] == "yes"
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(status, True) for status in (400, 401, 403, 404, 405, 410, 413, 422, 451)]
    + [(status, False) for status in (408, 409, 425, 429, 500, 501, 502, 503, 504, 301, 302, 304, 307, 308)],
)
async def test_what_the_receiver_will_never_take_is_permanent(status: int, permanent: bool) -> None:  # noqa: FBT001
    async with receiver() as running:
        failure = await refused(running, Answer(status=status))

    assert failure.permanent is permanent
    assert str(failure) == f"the receiver answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async with receiver() as elsewhere, receiver() as running:
        await refused(running, Answer(status=status, headers={"Location": elsewhere.url}))

    assert len(running.requests) == 1
    assert elsewhere.requests == []


async def test_an_address_of_this_machine_is_posted_to_only_where_that_is_said() -> None:
    async with receiver() as running:
        with pytest.raises(NoticeUndelivered, match="not sent: the host is at an address that is this mach"):
            await Endpoint.at(running.url, ENOUGH).post(b"{}", {}, NOW)

    assert running.requests == []


async def test_an_answer_that_is_packed_was_taken_all_the_same() -> None:
    async with receiver() as running:
        running.answer = Answer(headers={"Content-Encoding": "gzip"})
        await post(running.url)

    assert len(running.requests) == 1


async def test_nobody_there_is_worth_another_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(NoticeUndelivered, match="no answer: ConnectError") as failed:
            await post(f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path")

    assert not failed.value.permanent
    assert "secret" not in str(failed.value)


async def test_a_receiver_that_hangs_is_given_up_in_time() -> None:
    async with receiver() as running:
        failure = await refused(running, Answer(hangs=True), SOON)

    assert not failure.permanent
    assert len(running.requests) == 1


async def test_a_receiver_that_drips_its_answer_is_given_up_in_time() -> None:
    """Each byte begins a time-out per reading anew; the cap is over the whole."""
    over = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not gone.done():
            writer.write(b"x")
            await asyncio.wait({gone}, timeout=SOON.total_seconds() / 10)
        writer.close()
        over.set()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(NoticeUndelivered, match="no answer: TimeoutError"):
                await post(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", SOON)
            await over.wait()
    finally:
        listening.close()


async def test_an_answer_without_end_is_not_read() -> None:
    async with receiver() as running:
        running.answer = Answer(endless=True)
        await post(running.url)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        (format_datetime(NOW.replace(microsecond=0) + timedelta(hours=1), usegmt=True), timedelta(hours=1)),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 40, None),
        ("", None),
    ],
)
async def test_the_wait_that_is_asked_for_is_understood(said: str, means: timedelta | None) -> None:
    async with receiver() as running:
        failure = await refused(running, Answer(status=503, headers={"Retry-After": said}))

    if means is None or failure.retry_after is None:
        assert failure.retry_after is means
    else:
        assert abs(failure.retry_after - means) <= timedelta(seconds=1)


async def test_over_tls_the_certificate_must_be_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(tls=True) as running:
        with pytest.raises(NoticeUndelivered, match="no answer: ConnectError"):
            await post(running.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        await post(running.url)

    assert len(running.requests) == 1


async def test_neither_the_environments_proxy_nor_the_log_learns_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    caplog.set_level(logging.DEBUG)
    async with receiver() as running:
        await post(f"{running.url}/T000/secret-of-the-room")

    assert len(running.requests) == 1
    assert "secret-of-the-room" not in caplog.text
    assert "secret" not in repr(Endpoint.at(f"{running.url}/secret", ENOUGH))


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "http://localhost.example.com/",
        "http://0.0.0.0/",
        "http://[::ffff:10.0.0.1]/",
        "https://user:password@example.com/",
        "https://example.com/#part",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "https://",
        "https:///path",
        "http://[::1",
        "",
        "https://exa mple.com",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressUnfit, match="https, or http on this machine"):
        fit_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/in?key=1",
        "http://127.0.0.1:8065/hooks/x",
        "http://[::1]:80/",
        "http://localhost/",
    ],
)
def test_addresses_over_tls_and_of_this_machine_are_fit(address: str) -> None:
    assert str(fit_address(address)) == str(fit_address(str(fit_address(address))))

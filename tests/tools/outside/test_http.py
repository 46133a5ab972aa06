"""The guard of outgoing HTTP: listed hosts at checked addresses, and nobody else, whatever DNS says."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest

from tests.fakes.receiver import CERTIFICATE, Answer, Receiver, receiver
from tools.outside.addresses import AddressUnfit, Destination, objection
from tools.outside.http import Guard, OutgoingRefused, Resolve

SOON, ENOUGH = timedelta(milliseconds=300), timedelta(seconds=20)


class Names:
    """A resolver that says one thing after another, and counts how often it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def guard(address: str, resolve: Resolve, *, allow_private: bool = True, most_bytes: int = 10_000) -> Guard:
    return Guard(
        destinations=(Destination.at(address, allow_private=allow_private),),
        tls=ssl.create_default_context(cafile=str(CERTIFICATE)),
        resolve=resolve,
        most_bytes=most_bytes,
    )


async def get(of: Guard, address: str, within: timedelta = ENOUGH, **more: str) -> bytes:
    request = httpx.Request("POST", address, content=b"{}", headers=more)
    return (await of.fetch(request, within)).body


def port(running: Receiver) -> int:
    return httpx.URL(running.url).port or 0


PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "198.18.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "2001:db8::1",
    "4000::1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - nobody is bound to it
    "0.1.2.3",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "100::1",
    "nonsense",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_unless_it_is_allowed(address: str) -> None:
    assert objection(address, Destination.at("https://example.com/")) is not None
    assert objection(address, Destination.at("https://example.com/", allow_private=True)) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_refused_whatever_is_allowed(address: str) -> None:
    for allowed in (False, True):
        assert objection(address, Destination.at("https://example.com/", allow_private=allowed)) is not None


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_a_global_address_is_fine_but_never_without_tls(address: str) -> None:
    assert objection(address, Destination.at("https://example.com/")) is None
    assert objection(address, Destination.at("http://localhost/", allow_private=True)) is not None


@pytest.mark.parametrize(
    "address",
    [
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https://example.com./",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.01/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127.0.0.%31/",
        "https://1.2.3.4.5/",
        "https://example.0x1/",
        "https://[fe80::1%25eth0]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://exa_mple..com/",
        "https://-example.com/",
        "https://good.example\\@evil.example/",
        "https://good.example#@evil.example/",
        "https://good.example/\u202e",
        "http://example.com/",
        "gopher://example.com/",
        "//example.com/",
    ],
)
def test_an_odd_address_is_no_destination(address: str) -> None:
    with pytest.raises(AddressUnfit):
        Destination.at(address, allow_private=True)


def test_a_name_in_other_letters_is_compared_as_dns_has_it() -> None:
    place = Destination.at("https://bücher.example/")

    assert place.host == "xn--bcher-kva.example"
    assert Guard.to(place).listed(httpx.URL("https://xn--bcher-kva.EXAMPLE:443/x")) == place


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The second answer would be another machine: nobody asks for it."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    async with receiver(tls=True) as running:
        address = running.url
        assert await get(guard(address, names), address) == b"ok"

    assert names.asked == 1
    assert running.requests[0].headers["host"] == f"localhost:{port(running)}"


async def test_a_name_that_only_the_check_knows_is_connected_to_all_the_same() -> None:
    """Whoever asked DNS again would find nobody of this name."""
    async with receiver(tls=True) as running:
        address = f"https://nobody.invalid:{port(running)}/in"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await get(guard(address, Names(["127.0.0.1"])), address)

    assert running.requests == []


async def test_dns_that_turns_to_a_private_address_is_refused_before_anything_is_sent() -> None:
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    await names("the.first", 443)
    async with receiver(tls=True) as running:
        with pytest.raises(OutgoingRefused, match="is this machine's"):
            await get(guard(running.url, names, allow_private=False), running.url)

    assert (running.requests, running.connections) == ([], [])


async def test_one_bad_address_spoils_them_all() -> None:
    names = Names(["127.0.0.1", "169.254.169.254"])
    async with receiver(tls=True) as running:
        with pytest.raises(OutgoingRefused, match="never spoken to"):
            await get(guard(running.url, names), running.url)

    assert running.connections == []


async def test_the_certificate_must_be_for_the_name_and_not_for_the_address() -> None:
    async with receiver(tls=True) as running:
        address = f"https://elsewhere.example:{port(running)}/in"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await get(guard(address, Names(["127.0.0.1"])), address)

    assert running.requests == []


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "https://api.example.com./",
        "https://user@api.example.com/",
        "https://x.api.example.com/",
        "ftp://api.example.com/",
    ],
)
async def test_a_host_that_is_not_listed_is_not_even_looked_up(other: str) -> None:
    names = Names(["8.8.8.8"])
    with pytest.raises(OutgoingRefused):
        await get(guard("https://api.example.com/", names), other)

    assert names.asked == 0


async def test_a_request_cannot_be_addressed_to_another_host_on_the_way() -> None:
    names = Names(["127.0.0.1"])
    async with receiver(tls=True) as running:
        place = guard(running.url, names)
        with pytest.raises(OutgoingRefused, match="another host"):
            await get(place, running.url, Host="evil.example")
        for word, value in (("sni_hostname", "evil.example"), ("target", b"http://evil.example/")):
            request = httpx.Request("POST", running.url, content=b"", extensions={word: value})
            with pytest.raises(OutgoingRefused, match="another host"):
                await place.fetch(request, ENOUGH)

    assert running.connections == []


async def test_no_redirect_is_followed() -> None:
    async with receiver(tls=True) as running:
        running.answer = Answer(status=302, headers={"Location": "https://169.254.169.254/"})
        names = Names(["127.0.0.1"])
        request = httpx.Request("POST", running.url, content=b"{}")
        answer = await guard(running.url, names).fetch(request, ENOUGH)

    assert (answer.status, names.asked, len(running.requests)) == (302, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(endless=True),
        Answer(headers={"Content-Length": "10001"}),
        Answer(headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_an_answer_that_is_too_much_is_not_read(answer: Answer) -> None:
    async with receiver(tls=True) as running:
        running.answer = answer
        with pytest.raises(OutgoingRefused, match="the answer is"):
            await get(guard(running.url, Names(["127.0.0.1"])), running.url)


async def test_whoever_never_answers_is_given_up_in_time() -> None:
    async with receiver(tls=True) as running:
        running.answer = Answer(hangs=True)
        with pytest.raises((TimeoutError, httpx.ReadTimeout)):
            await get(guard(running.url, Names(["127.0.0.1"])), running.url, SOON)


async def test_a_resolver_that_never_answers_is_given_up_in_time() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises((TimeoutError, httpx.ConnectTimeout)):
        await get(guard("https://example.com/", never), "https://example.com/", SOON)


async def test_a_name_that_is_not_there_is_no_answer() -> None:
    async def gone(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    with pytest.raises(httpx.ConnectError):
        await get(guard("https://example.com/", gone), "https://example.com/")


async def test_plain_http_goes_to_this_machine_alone_whatever_localhost_means() -> None:
    async with receiver() as running:
        address = f"http://localhost:{port(running)}/in"
        assert await get(guard(address, Names(["127.0.0.1"])), address) == b"ok"
        with pytest.raises(OutgoingRefused, match="is not this machine's"):
            await get(guard(address, Names(["10.0.0.7"])), address)


async def test_neither_a_proxy_nor_a_cookie_comes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with receiver(tls=True) as running:
        running.answer = Answer(headers={"Set-Cookie": "a=b"})
        place = guard(running.url, Names(["127.0.0.1"]))
        await get(place, running.url)
        await get(place, running.url)

    assert all("cookie" not in request.headers for request in running.requests)
    assert "localhost" not in repr(place)

"""The command line's client: all pages of a list, and a clear word when nobody of ours answers."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.client import Client, Problem, TokenUnfit, Unreachable
from api.serve import listening
from tests.api.door import Door, envelope


async def test_a_list_is_read_to_its_last_page() -> None:
    app, asked = FastAPI(), []

    @app.get("/cases")
    async def cases(status: str | None = None, after: int = 0) -> dict[str, object]:
        asked.append((status, after))
        return {"items": [{"id": after}], "next": str(after + 1) if after < 3 else None}

    async with listening(app, host="127.0.0.1", port=0) as url, Client(url, "token") as client:
        found = await client.cases(status="closed")

    assert found == [{"id": 0}, {"id": 1}, {"id": 2}, {"id": 3}]
    assert asked == [("closed", 0), ("closed", 1), ("closed", 2), ("closed", 3)]


async def test_whoever_answers_in_another_way_is_no_countersign() -> None:
    app = FastAPI()

    @app.get("/cases/page", response_class=HTMLResponse)
    async def page() -> str:
        return "<h1>Welcome to nginx!</h1>"

    async with listening(app, host="127.0.0.1", port=0) as url, Client(url, "token") as client:
        for case_id in ("page", "other"):
            with pytest.raises(Unreachable, match="is no Countersign"):
                await client.case(case_id)


async def test_a_refusal_comes_with_its_fields(door: Door) -> None:
    async with Client(str(door.http.base_url), door.tokens["shop"]) as client:
        with pytest.raises(Problem) as refused:
            await client.send(envelope("clean_29_90_1", order_id="none"))

    assert refused.value.status == 422
    assert "\n  order_id: " in str(refused.value)


async def test_nobody_there_is_said_with_what_to_do() -> None:
    async with Client("http://127.0.0.1:9", "token") as client:
        with pytest.raises(Unreachable, match="start 'countersign up' first"):
            await client.case("x")


@pytest.mark.parametrize("url", ["http://[::1", "nonsense", "ftp://127.0.0.1"])
async def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(Unreachable, match="is no address"):
        async with Client(url, "token") as client:
            await client.case("x")


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n", "ü", "a\x00"])
def test_what_cannot_be_a_token_is_not_sent(token: str) -> None:
    with pytest.raises(TokenUnfit):
        Client("http://127.0.0.1:9", token)


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    app = FastAPI()

    @app.get("/cases/x")
    async def case() -> dict[str, str]:
        return {"id": "x"}

    async with listening(app, host="127.0.0.1", port=0) as url, Client(url, "token") as client:
        assert await client.case("x") == {"id": "x"}
        async with httpx.AsyncClient() as asking:
            with pytest.raises(httpx.ConnectError):
                await asking.get(f"{url}/cases/x")

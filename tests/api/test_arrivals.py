"""Who came in, and with what somebody was turned away, is on the record; nobody can flood it."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx

from api.serve import serving
from graphs.people import PERSON_PREFIX, SERVICE_PREFIX
from graphs.wiring import Parts
from tests.api.door import Door, problem

ARRIVALS = "SELECT kind, actor, case_id, data FROM audit_events WHERE kind = ANY(%s) ORDER BY seq"
FORGED = PERSON_PREFIX + "f" * 43


async def told(door: Door, *kinds: str) -> list[dict[str, Any]]:
    return await door.house.rows(ARRIVALS, list(kinds))


async def with_token(http: httpx.AsyncClient, token: str, path: str = "/cases") -> httpx.Response:
    return await http.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_the_first_use_of_a_token_in_an_hour_is_on_the_record(door: Door) -> None:
    async with door.only_recorded("access.signed_in", by="person:lee") as first:
        for path in ("/cases", "/reviews", "/cases"):
            await door.get("lee", path)
    assert first[0]["data"] == {"route": "list_cases"}
    assert first[0]["case_id"] is None

    door.clock.advance(timedelta(hours=1))
    async with door.only_recorded("access.signed_in", by="person:lee") as again:
        await door.get("lee", "/reviews")
        await door.get("lee", "/cases")
    assert again[0]["data"] == {"route": "list_reviews"}


async def test_each_principal_signs_in_for_itself(door: Door) -> None:
    for who in ("lee", "shop", "max", "lee", "shop"):
        await door.get(who, "/cases")

    arrived = await told(door, "access.signed_in")
    assert [event["actor"] for event in arrived] == ["person:lee", "service:shop", "person:max"]


async def test_who_is_denied_has_come_in_all_the_same(door: Door) -> None:
    await door.ask("mute", "GET", "/cases")

    events = await told(door, "access.signed_in", "access.denied")
    assert [(event["kind"], event["actor"]) for event in events] == [
        ("access.signed_in", "service:mute"),
        ("access.denied", "service:mute"),
    ]


async def test_several_processes_and_many_requests_at_once_tell_of_one_arrival(
    door: Door, parts: Parts
) -> None:
    async with (
        serving(parts, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as other,
    ):
        asked = [with_token(http, door.tokens["lee"]) for http in (door.http, other) for _ in range(5)]
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200}
    assert len(await told(door, "access.signed_in")) == 1


async def test_an_unknown_token_is_on_the_record_with_the_route_and_never_itself(door: Door) -> None:
    async with door.only_recorded("access.refused", by="system:door") as refused:
        problem(await with_token(door.http, FORGED, "/audit/verify"), 401, "unauthenticated")

    assert refused[0]["data"] == {"why": "unknown", "route": "verify_audit"}
    whole = json.dumps(await door.house.rows("SELECT id, actor, data FROM audit_events"))
    assert FORGED not in whole
    assert "f" * 20 not in whole


async def test_an_expired_token_names_the_account_to_the_record_and_not_to_its_bearer(door: Door) -> None:
    async with door.only_recorded("access.refused", by="system:door") as refused:
        expired = problem(await door.ask("eve", "GET", "/cases"), 401, "unauthenticated")

    assert refused[0]["data"] == {"why": "expired", "route": "list_cases", "account": "person:eve"}
    unknown = problem(await with_token(door.http, FORGED), 401, "unauthenticated")
    assert expired["detail"] == unknown["detail"]


async def test_a_flood_of_tokens_is_one_event_a_minute_and_kind(door: Door) -> None:
    for minute in range(3):
        forged = [f"{prefix}{n:043}" for prefix in (PERSON_PREFIX, SERVICE_PREFIX) for n in range(10)]
        await asyncio.gather(*(with_token(door.http, token) for token in forged))
        await door.ask("eve", "GET", "/cases")
        await door.ask("eve", "GET", "/reviews")
        refused = await told(door, "access.refused")
        assert [event["data"]["why"] for event in refused] == ["unknown", "expired"] * (minute + 1)
        door.clock.advance(timedelta(minutes=1))


async def test_nobody_and_what_is_open_to_all_leave_no_trace(door: Door) -> None:
    async with door.only_recorded(by=""):
        await door.http.get("/health/live")
        await with_token(door.http, FORGED, "/health/live")
        problem(await door.http.get("/cases"), 401, "unauthenticated")
        problem(await door.http.get("/cases", headers={"Authorization": "Basic x"}), 401, "unauthenticated")

"""One table says who may call what; nothing is open because somebody forgot it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.access import PERMISSIONS, may_call
from api.app import create_app
from api.serve import listening
from graphs.settings import Settings
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal
from tests.api.conftest import EXPIRED, PEOPLE, SERVICES
from tests.api.door import Door, envelope, problem

BODIES = {
    "receive_event": {
        "json": envelope("clean_29_90_1"),
        "headers": {"Content-Type": "application/cloudevents+json"},
    },
    "draft_rule_table": {"json": {"workflow": "refund", "source": "table: [", "note": "Why."}},
    "press_halt": {"json": {"scope": "tool", "target": "nothing", "reason_code": "drill"}},
    "unmask_case": {"json": {"why": "Asked for."}},
    "erase_in_case": {"json": {"why": "Asked for."}},
    "roll_back_case": {"json": {"why": "A mistake."}},
    "resolve_exception": {"json": {"outcome": "not_needed", "why": "Settled by phone."}},
    "cancel_exception": {"json": {"why": "Sent twice."}},
    "cancel_case": {"json": {"why": "Sent twice."}},
    "move_case": {"json": {"to": "judge"}},
    "hand_over_exception": {"json": {"to": "finance", "why": "Theirs."}},
    "decide_rule_table": {"json": {"kind": "approve"}},
    "cast_vote": {"json": {"kind": "approve"}, "headers": {"If-Match": '"x"'}},
    "add_outcome": {"json": {"code": "chargeback", "observed_at": "2026-11-20T00:00:00+00:00"}},
    "unmask_dossier": {"json": {"why": "For the bank."}},
    "preview_edit": {"json": {"patch": [{"op": "replace", "path": "/amount_minor", "value": 1}]}},
    "assign_review": {"json": {"to": "person:lee"}},
    "give_information": {"json": {"text": "The second one."}},
    "decide_many": {"json": {"kind": "approve", "items": [{"review": "x", "digest": "x"}]}},
    "add_schedule": {
        "json": {"workflow": "refund", "name": "x", "cron": "daily", "missed": "skip", "data": {}}
    },
    "admit_tool": {"json": {"digest": "0" * 64}},
    "add_delegation": {
        "json": {"to": "person:max", "until": "2026-11-21T00:00:00+00:00", "reason": "On holiday."}
    },
}
ROUTES = {one.on for role in PERMISSIONS.roles.values() for one in role.permissions}
WRITTEN_BY_HAND = {
    "people with a role": {
        "receive_event",
        "list_cases",
        "get_case",
        "get_timeline",
        "list_verdicts",
        "get_record",
        "add_outcome",
        "get_dossier",
        "unmask_dossier",
        "list_reviews",
        "get_review",
        "cast_vote",
        "count_reviews",
        "stream_reviews",
        "preview_edit",
        "claim_review",
        "release_review",
        "assign_review",
        "give_information",
        "decide_many",
        "list_delegations",
        "add_delegation",
        "revoke_delegation",
        "verify_audit",
        "get_head",
        "get_inclusion_proof",
        "get_consistency_proof",
        "list_rule_tables",
        "get_rule_table",
        "draft_rule_table",
        "decide_rule_table",
        "list_notifications",
        "retry_notification",
        "list_halts",
        "press_halt",
        "release_halt",
        "unmask_case",
        "erase_in_case",
        "roll_back_case",
        "roll_back_many",
        "get_rollbacks",
        "withdraw_vote",
        "list_exceptions",
        "retry_exception",
        "resolve_exception",
        "cancel_exception",
        "hand_over_exception",
        "cancel_case",
        "move_case",
        "list_connectors",
        "list_schedules",
        "list_triggers",
        "add_schedule",
        "remove_schedule",
        "pause_schedule",
        "resume_schedule",
        "list_tools",
        "admit_tool",
        "withdraw_tool",
    },
    "shop": {
        *("receive_event", "give_information", "list_cases", "get_case", "get_timeline", "list_verdicts"),
        *("get_record", "get_dossier"),
    },
    "reader": {"list_cases", "get_case", "get_timeline", "list_verdicts", "get_record", "get_dossier"},
    "bank": {"add_outcome"},
    "gauge": {"scrape"},
    "everybody": {"live", "ready", "openapi"},
}
"""What the table must come to, said a second time, so that nobody widens it by a slip."""


def test_the_table_gives_no_more_than_this() -> None:
    lee = Principal(id="lee", kind=Kind.PERSON, name="Lee", roles=frozenset({"any"}))
    services = {
        name: Principal(id=name, kind=Kind.SERVICE, name=name, scopes=frozenset(scopes))
        for name, scopes in SERVICES.items()
    }

    assert _routes_of(lee) == WRITTEN_BY_HAND["people with a role"]
    assert _routes_of(services["shop"]) == WRITTEN_BY_HAND["shop"]
    assert _routes_of(services["reader"]) == WRITTEN_BY_HAND["reader"]
    assert _routes_of(services["bank"]) == WRITTEN_BY_HAND["bank"]
    assert _routes_of(services["gauge"]) == WRITTEN_BY_HAND["gauge"]
    assert _routes_of(services["mute"]) == set()
    assert {name for name in ROUTES if may_call(None, name).allowed} == WRITTEN_BY_HAND["everybody"]


async def test_every_route_is_in_the_table_and_every_name_in_it_is_a_route(
    parts: Parts, settings: Settings
) -> None:
    assert sorted(name for name, _, _ in _routes(parts, settings)) == sorted(ROUTES)


@pytest.mark.parametrize("route", sorted(ROUTES))
async def test_each_route_lets_in_whom_the_table_names_and_nobody_else(
    door: Door, parts: Parts, settings: Settings, route: str, subtests: pytest.Subtests
) -> None:
    ((method, path),) = [(method, path) for name, method, path in _routes(parts, settings) if name == route]
    for who in (None, *PEOPLE, *SERVICES):
        with subtests.test(str(who)):
            response = await _head(door, who, method, path, **BODIES.get(route, {}))
            match _expected(route, who):
                case 401:
                    problem(response, 401, "unauthenticated")
                case 403:
                    problem(response, 403, "forbidden")
                case _:
                    assert response.status_code not in {401, 403, 500}, response.text


async def test_a_route_that_nobody_listed_answers_nobody(
    parts: Parts, settings: Settings, tokens: dict[str, str], subtests: pytest.Subtests
) -> None:
    app = create_app(parts)

    @app.get("/forgotten")
    async def forgotten() -> dict[str, str]:
        return {"secret": "told"}

    async with (
        listening(app, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        problem(await http.get("/forgotten"), 401, "unauthenticated")
        for who in (*PEOPLE, *SERVICES):
            with subtests.test(who):
                response = await http.get("/forgotten", headers={"Authorization": f"Bearer {tokens[who]}"})
                assert response.status_code == (401 if who == EXPIRED else 403)
                assert "told" not in response.text


async def test_a_slash_too_many_opens_nothing(door: Door) -> None:
    for path in ("/cases/", "//cases", "/cases/../cases", "/CASES", "/cases;x", "/cases%2f"):
        response = await door.http.get(path)
        assert response.status_code in {307, 401, 404, 422}, path


async def test_a_denial_names_the_route_and_who_tried(door: Door) -> None:
    async with door.only_recorded("access.denied", by="service:shop") as told:
        await door.ask("shop", "GET", "/audit/verify")
    assert told[0]["data"] == {"route": "verify_audit"}
    assert told[0]["case_id"] is None


async def _head(door: Door, who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
    """The answer; of one that streams only its head."""
    headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {door.tokens[who]}"} if who else {})
    async with door.http.stream(method, path, headers=headers, **more) as response:
        if response.headers["content-type"].startswith("application/"):
            await response.aread()
        return response


def _expected(route: str, who: str | None) -> int:
    """What the table says, said from the files' side: 200 stands for whatever comes after being let in."""
    if route in WRITTEN_BY_HAND["everybody"]:
        return 200
    if who is None or who == EXPIRED:
        return 401
    if who in PEOPLE:
        return 200 if route in WRITTEN_BY_HAND["people with a role"] and PEOPLE[who] else 403
    return 200 if route in WRITTEN_BY_HAND.get(who, set()) else 403


def _routes_of(principal: Principal) -> set[str]:
    return {name for name in ROUTES if may_call(principal, name).allowed} - WRITTEN_BY_HAND["everybody"]


def _routes(parts: Parts, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Name, method and a path of every route of the application."""
    for route in iter_route_contexts(create_app(parts).routes):
        assert route.name is not None
        assert route.path is not None
        (method,) = (route.methods or set()) - {"HEAD"}
        yield route.name, method, re.sub(r"\{\w+\}", "x", route.path)


def test_what_is_not_in_the_table_is_closed_to_all() -> None:
    everything = frozenset({"support_lead", "cases:start", "cases:read", "person", "anybody", ""})
    assert not may_call(None, "forgotten").allowed
    for kind in Kind:
        anybody = Principal(id="x", kind=kind, name="X", roles=everything, scopes=everything)
        assert not may_call(anybody, "forgotten").allowed


def test_a_scope_that_is_called_like_the_role_of_people_opens_nothing() -> None:
    service = Principal(id="x", kind=Kind.SERVICE, name="X", scopes=frozenset({"person", "anybody"}))

    assert _routes_of(service) == set()

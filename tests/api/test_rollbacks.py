"""Rollbacks and withdrawals over HTTP: plans, starts, progress, and plain refusals."""

import json
from datetime import timedelta
from typing import Any

from tests.api.command import countersign
from tests.api.door import Door, problem

SMALL = "clean_29_90_1"
WHY = {"why": "It was sent by mistake."}
DAY = {"workflow": "refund", "from": "2026-11-20T00:00:00+00:00", "to": "2026-11-21T00:00:00+00:00"}


async def ask(door: Door, who: str, case_id: str, **more: Any) -> Any:
    return await door.ask(who, "POST", f"/cases/{case_id}/rollback", json=WHY | more)


async def test_a_case_is_rolled_back_over_http(door: Door) -> None:
    case = await door.house.after(SMALL)
    dry = (await ask(door, "lee", case.id, dry_run=True)).json()
    steps = [step["by"] for step in dry["plan"]["steps"]]
    assert steps == ["tickets.retract_reply", "payments.reverse_refund"]
    assert (dry["number"], dry["plan"]["reversibility"]) == (None, "reversible")

    started = await ask(door, "lee", case.id, plan=dry["plan"]["digest"])
    assert (started.status_code, started.json()["number"], started.json()["new"]) == (202, 1, True)
    again = await ask(door, "max", case.id)
    assert (again.status_code, again.json()["number"], again.json()["new"]) == (200, 1, False)
    await door.house.work()
    assert (await door.get("lee", f"/cases/{case.id}"))["status"] == "rolled_back"


async def test_what_stands_in_the_way_of_a_rollback_is_said(door: Door) -> None:
    waiting = await door.waiting("clean_120_00_1")
    problem(await ask(door, "lee", waiting["case_id"]), 409, "not-at-rest")
    problem(await ask(door, "lee", "nothing"), 404, "case-not-found")
    case = await door.house.after(SMALL)
    problem(await ask(door, "lee", case.id, plan="0" * 64), 409, "plan-stale")
    problem(await ask(door, "lee", case.id, extra=1), 422, "request-unfit")
    async with door.only_recorded("rollback.denied", by="person:kit"):
        problem(await ask(door, "kit", case.id), 403, "not-allowed-to-roll-back")


async def test_many_are_rolled_back_over_http(door: Door) -> None:
    case = await door.house.after(SMALL)
    dry = await door.ask("lee", "POST", "/rollbacks", json=DAY | WHY | {"dry_run": True})
    assert (dry.status_code, [item["case_id"] for item in dry.json()["items"]]) == (200, [case.id])
    body = DAY | WHY | {"plan": dry.json()["digest"]}
    started = await door.ask("lee", "POST", "/rollbacks", json=body)
    assert started.status_code == 202, started.text
    place = f"/rollbacks/{started.json()['id']}"
    assert (await door.get("lee", place))["counts"]["under_way"] == 1
    await door.house.work()
    progress = await door.get("lee", place)
    assert (progress["by"], progress["counts"]["done"]) == ("person:lee", 1)
    none_left = await door.ask("lee", "POST", "/rollbacks", json=DAY | WHY)
    problem(none_left, 409, "nothing-to-roll-back")
    problem(await door.ask("lee", "GET", "/rollbacks/nothing"), 404, "batch-not-found")
    no_time = await door.ask("lee", "POST", "/rollbacks", json=DAY | WHY | {"to": DAY["from"]})
    problem(no_time, 422, "request-unfit")
    problem(await door.ask("kit", "POST", "/rollbacks", json=DAY | WHY), 403, "not-allowed-to-roll-back")


async def test_a_decision_that_is_held_is_withdrawn_over_http(door: Door) -> None:
    review = await door.waiting("clean_120_00_1")
    await door.house.rows("UPDATE reviews SET hold_seconds = 8 WHERE id = %s", review["id"])
    place = f"/reviews/{review['id']}/withdraw"
    problem(await door.ask("lee", "POST", place), 403, "not-eligible")
    held = (await door.vote("lee", review)).json()
    assert held["held_until"] is not None
    problem(await door.ask("max", "POST", place), 403, "not-eligible")
    again = await door.ask("lee", "POST", place)
    assert (again.status_code, again.json()["status"]) == (200, "open")
    assert [vote["kind"] for vote in again.json()["votes"]] == ["withdrawn"]
    await door.vote("max", again.json())
    door.clock.advance(timedelta(seconds=8))
    problem(await door.ask("max", "POST", place), 409, "nothing-to-withdraw")


async def test_the_command_line_shows_the_plan_and_starts_what_was_seen(door: Door) -> None:
    case = await door.house.after(SMALL)
    at = ("--url", str(door.http.base_url))
    env = {"COUNTERSIGN_TOKEN": door.tokens["lee"]}
    shown = await countersign("rollback", case.id, "--dry-run", "--json", *at, env=env)
    assert shown.code == 0, shown.err
    digest = json.loads(shown.out)["plan"]["digest"]
    started = await countersign("rollback", case.id, "--why", "A mistake.", "--plan", digest, *at, env=env)
    assert (started.code, started.out) == (0, "Rollback 1: running\n")

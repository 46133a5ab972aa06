"""GET /connectors: what works and what rests; and that both are on the record."""

from datetime import timedelta
from typing import Any

from tests.api.door import Door
from tools.breakers import MOST_FAILURES, REST


async def _told(door: Door) -> list[dict[str, Any]]:
    return await door.house.rows(
        "SELECT kind, actor, case_id, data FROM audit_events WHERE kind LIKE 'connector.%%' ORDER BY seq"
    )


async def test_every_connector_is_there_and_works(door: Door) -> None:
    found = (await door.get("lee", "/connectors"))["items"]

    assert [one["connector"] for one in found] == sorted(
        {"model", *(tool.connector for tool in door.house.parts.registry)}
    )
    assert {"payments", "product_events", "tickets"} <= {one["connector"] for one in found}
    assert {one["condition"] for one in found} == {"works"}


async def test_one_that_rests_says_since_when_and_until_when(door: Door) -> None:
    for _ in range(MOST_FAILURES):
        await door.house.parts.breakers.failed("payments")

    (found,) = [one for one in (await door.get("lee", "/connectors"))["items"] if one["failures"]]

    assert found == {
        "connector": "payments",
        "condition": "rests",
        "since": "2026-11-20T12:00:00Z",
        "failures": MOST_FAILURES,
        "until": "2026-11-20T12:00:30Z",
    }


async def test_that_it_rests_and_works_again_is_on_the_record(door: Door) -> None:
    breakers = door.house.parts.breakers
    for _ in range(MOST_FAILURES + 1):
        await breakers.failed("payments")
    door.clock.advance(REST + timedelta(seconds=1))
    await breakers.worked("payments")

    rests, works = await _told(door)

    assert (rests["kind"], rests["actor"], rests["case_id"]) == ("connector.rests", "system:breakers", None)
    assert rests["data"] == {
        "connector": "payments",
        "failures": MOST_FAILURES,
        "until": "2026-11-20T12:00:30+00:00",
    }
    assert (works["kind"], works["data"]) == ("connector.works", {"connector": "payments"})


async def test_a_case_that_stopped_says_what_happened_what_was_done_and_what_to_do(door: Door) -> None:
    case_id = await door.opened("clean_29_90_1")
    for _ in range(MOST_FAILURES):
        await door.house.parts.breakers.failed("payments")
    await door.house.work()

    case = await door.get("lee", f"/cases/{case_id}")

    assert (case["status"], case["reason"]) == ("blocked", "source_connector_rests")
    assert case["explanation"] == {
        "happened": "A system has failed too often in a row and is left alone for a while.",
        "done": "Nothing was done.",
        "not_done": "Nothing was done.",
        "to_do": "Retry; if it stays so, resolve it by hand or cancel it.",
    }


async def test_a_case_that_goes_on_needs_no_explanation(door: Door) -> None:
    case_id = await door.opened("clean_29_90_1")
    await door.house.work()

    assert (await door.get("lee", f"/cases/{case_id}"))["explanation"] is None

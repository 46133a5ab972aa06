"""Rules change over the API: drafted by one keeper, shown with the difference, approved by another."""

import pytest

from tests.api.door import Door, Json, problem
from tests.graphs.test_rule_changes import stricter


async def draft(door: Door, who: str = "kit", **changes: str) -> Json:
    body = {"workflow": "refund", "source": stricter(), "note": "Too much went out."} | changes
    response = await door.ask(who, "POST", "/rules/drafts", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/rules/{response.json()['digest']}"
    return dict(response.json())


async def decide(door: Door, who: str, digest: str, **body: str) -> tuple[int, Json]:
    response = await door.ask(who, "POST", f"/rules/{digest}/decision", json=body)
    return response.status_code, response.json()


async def test_a_draft_is_shown_with_its_difference_and_put_in_force_by_another_keeper(door: Door) -> None:
    drafted = await draft(door)
    shown = await door.get("lee", f"/rules/{drafted['digest']}")
    assert (shown["state"], shown["drafted_by"], shown["source"]) == ("draft", "person:kit", stricter())
    assert {change["where"] for change in shown["changes"]} >= {"row RF-81", "row RF-91"}

    assert (await decide(door, "kit", drafted["digest"], kind="approve"))[0] == 403
    status, decided = await decide(door, "kai", drafted["digest"], kind="approve")

    assert (status, decided["state"], decided["decided_by"]) == (200, "in_force", "person:kai")
    tables = (await door.get("lee", "/rules"))["items"]
    refunds = [table for table in tables if table["workflow"] == "refund"]
    assert sorted((table["tool"], table["state"]) for table in refunds) == [
        ("payments.refund", "in_force"),
        ("payments.refund", "retired"),
        ("payments.reverse_refund", "in_force"),
        ("tickets.reply", "in_force"),
        ("tickets.retract_reply", "in_force"),
    ]
    assert [t["version"] for t in (await door.get("lee", "/rules", state="retired"))["items"]] != ["stricter"]


async def test_who_keeps_no_rules_is_refused_on_the_record(door: Door) -> None:
    async with door.only_recorded("rules.denied", by="person:lee") as told:
        response = await door.ask(
            "lee", "POST", "/rules/drafts", json={"workflow": "refund", "source": stricter(), "note": "x"}
        )
    problem(response, 403, "not-eligible")
    assert told[0]["data"]["tool"] == "payments.refund"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"workflow": "nothing"}, "workflow"),
        ({"source": stricter().replace("fraud_signals: {at_least: 1}", "fraud: {at_least: 1}")}, "row RF-10"),
        ({"source": "a: [" * 2000}, "not YAML"),
        ({"source": "tool: {}"}, "tool"),
    ],
)
async def test_a_draft_that_is_no_table_is_refused_with_what_is_wrong(
    door: Door, changes: Json, says: str
) -> None:
    body = {"workflow": "refund", "source": stricter(), "note": "x"} | changes
    async with door.only_recorded(by="person:kit"):
        response = await door.ask("kit", "POST", "/rules/drafts", json=body)
    assert says in problem(response, 422, "table-unfit")["detail"]


async def test_a_second_version_of_the_same_name_is_a_conflict_and_a_rejection_says_why(door: Door) -> None:
    drafted = await draft(door)
    body = {"workflow": "refund", "source": stricter(), "note": "again"}
    problem(await door.ask("kit", "POST", "/rules/drafts", json=body), 409, "version-taken")

    assert (await decide(door, "kai", drafted["digest"], kind="reject"))[0] == 422
    status, rejected = await decide(door, "kai", drafted["digest"], kind="reject", comment="Not now.")
    assert (status, rejected["state"]) == (200, "rejected")
    assert (await decide(door, "kai", drafted["digest"], kind="approve"))[0] == 409
    assert (await decide(door, "kai", "0" * 64, kind="approve"))[0] == 404

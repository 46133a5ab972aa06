"""Personal data over HTTP: who sees it, that this is on the record, and that erasing leaves proofs whole."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.cases import Status
from checkpoints.sealing import TOKEN
from graphs.people import PERSON_PREFIX, PeopleFile, Person, new_token, read_people, write_people
from graphs.personal import WHY, PersonalData
from graphs.retention import USUAL, read_retention
from graphs.settings import Settings
from nodes.strict_yaml import TableUnfit
from tests.api.door import Door, problem
from tools.sandbox.cast import CAST

SMALL, LEADS = "clean_29_90_1", "clean_120_00_1"
COMMENT = "Jane Doe called and was friendly."


@pytest.fixture
def with_pia(door: Door, settings: Settings) -> Door:
    """The same door, known to a privacy officer too."""
    token, kept = new_token(PERSON_PREFIX, timedelta(days=1), door.clock.now)
    known: PeopleFile = read_people(settings.people_file)
    pia = Person(id="pia", name="Pia", roles=["privacy_officer"], tokens=[kept])
    write_people(settings.people_file, known.with_person(pia))
    return door.with_tokens({"pia": token})


async def closed(door: Door, scene: str = SMALL) -> str:
    case = await door.house.after(scene)
    assert case.status is Status.CLOSED
    return case.id


async def unmasked(door: Door, case_id: str, who: str = "pia", **more: Any) -> dict[str, Any]:
    response = await door.ask(
        who, "POST", f"/cases/{case_id}/unmask", json={"why": "A complaint came in.", **more}
    )
    assert response.status_code == 200, response.text
    return {one["token"]: one for one in response.json()["values"] if one["field"] != WHY}


async def told(door: Door, kind: str) -> list[dict[str, Any]]:
    return await door.house.rows(
        "SELECT actor, case_id, data FROM audit_events WHERE kind = %s ORDER BY seq", kind
    )


# --- seeing -----------------------------------------------------------------------------------------------


async def test_whose_work_a_review_is_sees_it_in_clear_and_others_see_tokens(door: Door) -> None:
    review = await door.waiting(LEADS)
    mine = (await door.get("lee", f"/reviews/{review['id']}"))["shown"]
    other = (await door.get("kit", f"/reviews/{review['id']}"))["shown"]

    assert mine["evidence"]["ticket"]["body"].startswith("My order")
    assert TOKEN.fullmatch(other["evidence"]["ticket"]["body"])
    assert mine["recommendation"]["policy"]["output"]["reason"] == mine["proposal"]["reason"]
    assert TOKEN.fullmatch(other["proposal"]["reason"])


async def test_that_somebody_has_seen_a_review_is_told_once_a_version(door: Door) -> None:
    review = await door.waiting(LEADS)
    for who in ("lee", "lee", "kit", "lee"):
        await door.get(who, f"/reviews/{review['id']}")
    await door.ask("lee", "POST", f"/reviews/{review['id']}/claim")
    await door.get("lee", f"/reviews/{review['id']}")

    seen = [
        (one["actor"], one["data"]["version"], one["data"]["clear"])
        for one in await told(door, "review.viewed")
    ]
    assert seen == [("person:lee", 1, True), ("person:kit", 1, False), ("person:lee", 2, True)]
    (first, *_) = await told(door, "review.viewed")
    assert (first["data"]["digest"], first["case_id"]) == (review["digest"], review["case_id"])


async def test_who_may_unmask_sees_what_is_sealed_and_it_is_on_the_record(with_pia: Door) -> None:
    case_id = await closed(with_pia)
    values = await unmasked(with_pia, case_id, fields=["tickets.reply.body"])

    (value,) = values.values()
    assert CAST[SMALL].order_id in value["value"]
    (event,) = await told(with_pia, "personal.unmasked")
    assert (event["actor"], event["case_id"]) == ("person:pia", case_id)
    assert TOKEN.fullmatch(event["data"]["why"])
    assert await with_pia.house.opened(case_id, event["data"]["why"]) == "A complaint came in."
    assert event["data"]["fields"] == ["tickets.reply.body"]


@pytest.mark.parametrize("act", ["unmask", "erasure"])
@pytest.mark.parametrize("who", ["lee", "finn", "kit"])
async def test_nobody_else_unmasks_or_erases_and_the_attempt_is_on_the_record(
    door: Door, who: str, act: str
) -> None:
    case_id = await closed(door)
    async with door.only_recorded("personal.denied", by=f"person:{who}"):
        response = await door.ask(who, "POST", f"/cases/{case_id}/{act}", json={"why": "curious"})

    kind = "not-allowed-to-see" if act == "unmask" else "not-allowed-to-erase"
    problem(response, 403, kind)


async def test_no_service_unmasks(door: Door) -> None:
    case_id = await closed(door)
    problem(await door.ask("shop", "POST", f"/cases/{case_id}/unmask", json={"why": "x"}), 403, "forbidden")


@pytest.mark.parametrize(
    "body", [{}, {"why": ""}, {"why": "x", "fields": []}, {"why": "x", "fields": ["A b"]}]
)
async def test_unmasking_needs_a_reason_and_names_of_fields(with_pia: Door, body: dict[str, Any]) -> None:
    case_id = await closed(with_pia)
    problem(await with_pia.ask("pia", "POST", f"/cases/{case_id}/unmask", json=body), 422, "request-unfit")


# --- erasing ----------------------------------------------------------------------------------------------


async def test_what_is_erased_cannot_be_seen_any_more_and_the_log_still_holds(with_pia: Door) -> None:
    case_id = await closed(with_pia)
    before = await unmasked(with_pia, case_id)
    timeline = await with_pia.get("lee", f"/cases/{case_id}/timeline", limit=200)

    response = await with_pia.ask(
        "pia", "POST", f"/cases/{case_id}/erasure", json={"why": "The customer asked for it."}
    )
    assert response.status_code == 200
    assert set(response.json()["values"]) > set(before)  # and why they had been looked at

    after = await unmasked(with_pia, case_id)
    assert {(one["value"], one["salt"]) for one in after.values()} == {(None, None)}
    assert {one["erased_by"] for one in after.values()} == {"person:pia"}
    again = await with_pia.get("lee", f"/cases/{case_id}/timeline", limit=200)
    assert again["items"][: len(timeline["items"])] == timeline["items"]
    parts = with_pia.house.parts
    async with parts.database.connection() as connection:
        await grow_tree(connection, parts.clock, parts.signer)
        assert (await verify_log(connection, [parts.signer.key])).holds


async def test_the_record_says_what_was_erased_when_by_whom_and_why(with_pia: Door) -> None:
    case_id = await closed(with_pia)
    named = {"fields": ["agent.triage.summary"], "why": "The customer asked for it."}
    await with_pia.ask("pia", "POST", f"/cases/{case_id}/erasure", json=named)

    (event,) = await told(with_pia, "personal.erased")
    assert event["actor"] == "person:pia"
    assert event["data"]["fields"] == ["agent.triage.summary"]
    assert TOKEN.fullmatch(event["data"]["why"])
    assert await with_pia.house.opened(case_id, event["data"]["why"]) == "The customer asked for it."
    left = await unmasked(with_pia, case_id)
    assert {one["field"]: one["value"] is None for one in left.values()} == {
        "agent.triage.summary": True,
        "agent.fraud_analyst.reason": False,
        "agent.policy.reason": False,
        "tickets.reply.body": False,
        "tickets.reply.result.body": False,
    }


async def test_what_a_case_at_a_standstill_may_still_need_is_not_erased(with_pia: Door) -> None:
    case = await with_pia.house.after("fraud_customer")
    asked = {"why": "The customer asked for it."}
    response = await with_pia.ask("pia", "POST", f"/cases/{case.id}/erasure", json=asked)

    problem(response, 409, "case-under-way")


async def test_what_a_case_may_still_need_is_not_erased(with_pia: Door) -> None:
    review = await with_pia.waiting(LEADS)
    response = await with_pia.ask(
        "pia", "POST", f"/cases/{review['case_id']}/erasure", json={"why": "The customer asked for it."}
    )

    problem(response, 409, "case-under-way")
    assert (await with_pia.vote("lee", review)).status_code == 200


async def test_a_decided_review_tells_what_was_erased(with_pia: Door) -> None:
    review = await with_pia.waiting(LEADS)
    await with_pia.vote("lee", review, "reject", COMMENT)
    await with_pia.house.work()
    assert (await with_pia.get("lee", f"/reviews/{review['id']}"))["votes"][0]["comment"] == COMMENT

    await with_pia.ask("pia", "POST", f"/cases/{review['case_id']}/erasure", json={"why": "asked"})
    (vote,) = (await with_pia.get("lee", f"/reviews/{review['id']}"))["votes"]
    assert vote["comment"] == "[erased on 2026-11-20 by person:pia]"


# --- keeping ----------------------------------------------------------------------------------------------


async def test_what_is_older_than_it_is_kept_is_forgotten_and_the_rest_is_not(with_pia: Door) -> None:
    old = await closed(with_pia)
    with_pia.clock.advance(USUAL - timedelta(days=1))
    keep = read_retention(None)
    assert await PersonalData(with_pia.house.parts).forget(keep) == 0

    with_pia.clock.advance(timedelta(days=2))
    young = (await with_pia.house.after("clean_29_90_2")).id
    assert await PersonalData(with_pia.house.parts).forget(keep) == len(await _values(with_pia, old))

    assert {value for _, value in await _values(with_pia, old)} == {None}
    assert None not in {value for _, value in await _values(with_pia, young)}
    (event,) = await told(with_pia, "personal.erased")
    assert (event["actor"], event["data"]["why"]) == ("system:retention", "kept for 184 days")


async def test_each_kind_has_a_time_of_its_own(with_pia: Door, tmp_path: Path) -> None:
    case_id = await closed(with_pia)
    file = tmp_path / "retention.yaml"
    file.write_text("{others: 10d, agent.: 20d, agent.policy.: 30d}", encoding="utf-8")
    keep, forgotten = read_retention(file), []
    for _ in range(3):
        with_pia.clock.advance(timedelta(days=10, minutes=1))
        await PersonalData(with_pia.house.parts).forget(keep)
        forgotten.append({field for field, value in await _values(with_pia, case_id) if value is None})

    assert forgotten == [
        {"tickets.reply.body", "tickets.reply.result.body"},
        {
            "tickets.reply.body",
            "tickets.reply.result.body",
            "agent.triage.summary",
            "agent.fraud_analyst.reason",
        },
        {
            "tickets.reply.body",
            "tickets.reply.result.body",
            "agent.triage.summary",
            "agent.fraud_analyst.reason",
            "agent.policy.reason",
        },
    ]


async def test_what_waits_for_people_is_never_forgotten(door: Door) -> None:
    review = await door.waiting(LEADS)
    door.clock.advance(USUAL * 3)

    assert await PersonalData(door.house.parts).forget({"": USUAL}) == 0
    assert None not in {value for _, value in await _values(door, review["case_id"])}


@pytest.mark.parametrize(
    "text", ["[a]", "{others: 6}", "{others: 0d}", "{'Vote%': 3d}", "{others: 6 months}"]
)
def test_a_retention_file_that_does_not_read_cleanly_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(TableUnfit, match=r"retention\.yaml"):
        read_retention(file)


async def _values(door: Door, case_id: str) -> list[tuple[str, Any]]:
    rows = await door.house.rows("SELECT field, value FROM sealed_values WHERE case_id = %s", case_id)
    return [(row["field"], row["value"]) for row in rows]

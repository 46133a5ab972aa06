"""What was decided in a case can be asked for whole, and what became of it later can be told."""

import json
from typing import Any

import pytest

from graphs.dossier.check import content_faults
from graphs.dossier.shapes import read_dossier
from tests.api.door import Door, problem

LEADS, SMALL = "clean_120_00_1", "clean_29_90_1"
LATER = {"code": "chargeback", "observed_at": "2026-11-29T08:00:00+01:00", "note": "The bank says so."}
EXPORTS = "SELECT actor, case_id, data FROM audit_events WHERE kind = 'case.exported' ORDER BY seq"


async def done(door: Door, scene: str = LEADS) -> str:
    """A case that a lead has looked at and signed, and that has run."""
    review = await door.waiting(scene)
    await door.get("lee", f"/reviews/{review['id']}")
    await door.vote("lee", review, comment="Seen the photo.")
    await door.house.work()
    return str(review["case_id"])


async def tell(door: Door, who: str, case_id: str, **changed: Any) -> Any:
    return await door.ask(who, "POST", f"/cases/{case_id}/outcomes", json={**LATER, **changed})


# --- the record -------------------------------------------------------------------------------------------


async def test_the_record_tells_a_case_in_one_call(door: Door) -> None:
    case_id = await done(door)
    record = await door.get("reader", f"/cases/{case_id}/record")

    refund, reply = record["proposals"]
    assert (record["case"], record["asked"]["by"], record["ended"]["status"]) == (
        case_id,
        "service:shop",
        "closed",
    )
    assert (refund["tool"], reply["tool"]) == ("payments.refund", "tickets.reply")
    (vote,) = refund["reviews"][0]["votes"]
    assert (vote["person"], vote["role"], vote["seconds_open"]) == ("person:lee", "support_lead", 0.0)
    assert vote["comment"].startswith("sealed:")
    assert refund["effect"]["state"] == "done"
    assert refund["effect"]["undo"]["tool"] == "payments.reverse_refund"
    assert "Seen the photo." not in json.dumps(record)


async def test_the_record_of_a_case_under_way_says_what_it_waits_for(door: Door) -> None:
    review = await door.waiting(LEADS)
    record = await door.get("lee", f"/cases/{review['case_id']}/record")
    (refund,) = record["proposals"]
    assert (refund["reviews"][0]["status"], refund["grant"], refund["effect"]) == ("open", None, None)
    assert record["ended"] is None


async def test_a_case_that_is_not_there_has_no_record_no_outcomes_and_no_dossier(door: Door) -> None:
    problem(await door.ask("lee", "GET", "/cases/nowhere/record"), 404, "case-not-found")
    problem(await door.ask("lee", "GET", "/cases/nowhere/dossier"), 404, "case-not-found")
    problem(await tell(door, "bank", "nowhere"), 404, "case-not-found")
    why = {"why": "For the bank."}
    problem(await door.ask("pia", "POST", "/cases/nowhere/dossier", json=why), 404, "case-not-found")
    assert await door.house.rows(EXPORTS) == []


# --- outcomes ---------------------------------------------------------------------------------------------


async def test_a_service_tells_what_became_of_a_deed(door: Door) -> None:
    case_id = await done(door)
    (effect, _) = await door.house.effects(case_id)
    answer = await tell(door, "bank", case_id, effect=effect.key, id="cb-1")
    again = await tell(door, "bank", case_id, effect=effect.key, id="cb-1")
    other = await tell(door, "lee", case_id, effect=effect.key, id="cb-1")

    assert [one.status_code for one in (answer, again, other)] == [201, 200, 201]
    assert (answer.json()["new"], again.json()["new"]) == (True, False)
    assert answer.json()["event"] == again.json()["event"] != other.json()["event"]
    outcomes = (await door.get("reader", f"/cases/{case_id}/record"))["outcomes"]
    assert [(one["by"], one["code"], one["effect"]) for one in outcomes] == [
        ("service:bank", "chargeback", effect.key),
        ("person:lee", "chargeback", effect.key),
    ]
    assert outcomes[0]["observed_at"] == "2026-11-29T07:00:00Z"
    assert outcomes[0]["note"].startswith("sealed:")


async def test_without_an_id_each_outcome_is_another(door: Door) -> None:
    case_id = await done(door)
    events = [(await tell(door, "bank", case_id)).json()["event"] for _ in range(2)]
    assert len(set(events)) == 2


async def test_the_note_of_an_outcome_is_opened_and_erased_like_other_words(door: Door) -> None:
    case_id = await done(door)
    await tell(door, "bank", case_id)
    wanted = {"fields": ["outcome.note"], "why": "For the bank."}
    values = (await door.ask("pia", "POST", f"/cases/{case_id}/unmask", json=wanted)).json()["values"]
    assert [one["value"] for one in values] == ["The bank says so."]
    erased = await door.ask("pia", "POST", f"/cases/{case_id}/erasure", json=wanted)
    assert erased.json()["fields"] == ["outcome.note"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "Chargeback"},
        {"code": "x"},
        {"code": "a" * 42},
        {"code": "<b>"},
        {"observed_at": "2026-11-29T08:00:00"},
        {"observed_at": "yesterday"},
        {"note": ""},
        {"note": "x" * 2001},
        {"note": "\u0000"},
        {"id": ""},
        {"id": "has a space"},
        {"more": 1},
    ],
)
async def test_an_outcome_that_does_not_fit_is_refused(door: Door, wrong: dict[str, Any]) -> None:
    case_id = await door.opened(SMALL)
    problem(await tell(door, "bank", case_id, **wrong), 422, "request-unfit")
    assert "case.outcome" not in await door.house.kinds(case_id)


async def test_an_outcome_of_a_deed_that_the_case_does_not_have_is_refused(door: Door) -> None:
    case_id = await done(door)
    problem(await tell(door, "bank", case_id, effect=f"{case_id}:no:1"), 422, "effect-unknown")
    assert "case.outcome" not in await door.house.kinds(case_id)


# --- the dossier ------------------------------------------------------------------------------------------


async def test_a_dossier_comes_in_the_one_form_it_has(door: Door) -> None:
    case_id = await done(door)
    first = await door.ask("reader", "GET", f"/cases/{case_id}/dossier")
    second = await door.ask("lee", "GET", f"/cases/{case_id}/dossier")

    assert (first.status_code, first.content) == (200, second.content)
    assert first.headers["cache-control"] == "no-store"
    dossier = read_dossier(first.content)
    assert content_faults(dossier) == []
    assert dossier.openings is None
    assert b"Seen the photo." not in first.content
    rows = await door.house.rows(EXPORTS)
    assert [(row["actor"], row["case_id"]) for row in rows] == [
        ("service:reader", None),
        ("person:lee", None),
    ]


async def test_only_who_may_unmask_gets_a_dossier_in_clear(door: Door) -> None:
    case_id = await done(door)
    why = {"why": "The bank asks."}
    answer = await door.ask("pia", "POST", f"/cases/{case_id}/dossier", json=why)

    assert answer.status_code == 200
    dossier = read_dossier(answer.content)
    assert "Seen the photo." in [one.value for one in dossier.openings or ()]
    assert content_faults(dossier) == []
    refused = await door.ask("lee", "POST", f"/cases/{case_id}/dossier", json=why)
    problem(refused, 403, "not-allowed-to-see")
    problem(await door.ask("reader", "POST", f"/cases/{case_id}/dossier", json=why), 403, "forbidden")
    (row,) = await door.house.rows(EXPORTS)
    said = await door.house.opened(case_id, row["data"]["why"])
    assert (row["actor"], said) == ("person:pia", "The bank asks.")
    assert said not in str(row["data"])
    assert sorted(row["data"]["values"]) == sorted(one.token for one in dossier.openings or ())


async def test_without_a_reason_nothing_is_in_clear(door: Door) -> None:
    case_id = await done(door)
    problem(await door.ask("pia", "POST", f"/cases/{case_id}/dossier", json={}), 422, "request-unfit")

"""What a vendor writes, a model believes or a crash leaves behind has no effect that people did not sign."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.votes import VoteKind
from graphs.rollbacks import Rollbacks
from graphs.settings import Settings
from graphs.vendor.agents import Extraction, Risk, extractor_playbook
from graphs.wiring import Parts
from nodes.model_brain import ModelBrain
from tests.fakes.openai_server import (
    Answer,
    OpenAIServer,
    Script,
    broken,
    by_tool,
    call,
    calls,
    chat_model,
    in_turn,
    malformed,
    openai_server,
    structured,
)
from tests.house import House, ManualClock
from tests.stories.vendor_world import (
    DEPARTMENTS,
    FIONA,
    FRED,
    PAUL,
    TEO,
    applied,
    at_work,
    cleared,
    decided,
    deeds,
    endorsed,
    read,
    reviews,
    sent_in,
)
from tools.sandbox.vendors.cast import CAST
from tools.sandbox.vendors.iban import plain_iban

CLEAN, ATTACK = "clean_5", "injection"
LOW = Risk(risk="low", reasons=["No hit."], confidence_percent=95, evidence=["screening"])
THEIRS = "DE29 1001 0010 0987 6543 21"


@pytest.fixture(autouse=True)
def _people(settings: Settings) -> None:
    at_work(settings)


async def what_stands_there(parts: Parts, scene: str) -> Extraction:
    """Everything that can be read in a vendor's documents."""
    documents = await read(House(parts), "vendors.documents", scene)
    return extractor_playbook({"documents": documents})


@asynccontextmanager
async def advised(
    parts: Parts, extraction: Extraction | Script, risk: Script | None = None
) -> AsyncIterator[tuple[House, OpenAIServer]]:
    """The house with a model for its agents."""
    reader = in_turn(structured(extraction)) if isinstance(extraction, Extraction) else extraction
    script = by_tool({"Extraction": reader, "Risk": risk or in_turn(structured(LOW))})
    async with openai_server(script) as server, chat_model(server, max_retries=1) as model:
        yield House(replace(parts, brain=ModelBrain(model, "openai:gpt-x"))), server


def otherwise(extraction: Extraction, field: str, **changes: Any) -> Extraction:
    """The same, but for every value of one field."""
    found = [one.model_copy(update=changes) if one.field == field else one for one in extraction.found]
    return extraction.model_copy(update={"found": found})


# --- a model for its agents ---------------------------------------------------------------------------------


async def test_with_a_model_that_does_its_work_a_vendor_becomes_active(parts: Parts) -> None:
    async with advised(parts, await what_stands_there(parts, CLEAN)) as (house, server):
        case = await cleared(house, await endorsed(house, await applied(house, CLEAN)))

        assert case.status is Status.CLOSED
        assert [request.tools for request in server.requests] == [{"Extraction"}, {"Risk"}], "no other tools"


FAILURES = [
    pytest.param(broken(), "model_unavailable", id="500"),
    pytest.param(malformed(), "model_answer_unfit", id="malformed"),
    pytest.param(calls(call("vendors_endorse_account", {})), "model_loops", id="loop"),
]


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
@pytest.mark.parametrize("agent", ["extractor", "screener"])
async def test_a_model_that_fails_leaves_the_case_uncertain(
    parts: Parts, agent: str, answer: Answer, reason: str
) -> None:
    good = await what_stands_there(parts, CLEAN)
    failing = in_turn(answer)
    reader, risk = (failing, None) if agent == "extractor" else (in_turn(structured(good)), failing)
    async with advised(parts, reader, risk) as (house, _):
        case = await applied(house, CLEAN)

    assert (case.status, case.reason, case.owner) == (Status.UNCERTAIN, reason, "procurement")
    assert await deeds(house, case) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": THEIRS}, "span_unproven:iban"),
        ({"value": THEIRS, "quote": f"IBAN: {THEIRS}"}, "span_unproven:iban"),
        ({"page": 2}, "span_unproven:iban"),
        ({"document_id": CAST["clean_6"].document_id("bank_letter")}, "span_unproven:iban"),
        ({"confidence_percent": 69}, "extraction_unsure:iban"),
    ],
    ids=["another value", "another quote", "another page", "another vendor's document", "unsure"],
)
async def test_an_account_that_does_not_stand_where_the_model_says_counts_for_nothing(
    parts: Parts, changes: dict[str, Any], reason: str
) -> None:
    invented = otherwise(await what_stands_there(parts, CLEAN), "iban", **changes)
    async with advised(parts, invented) as (house, _):
        case = await applied(house, CLEAN)

    assert (case.status, case.reason) == (Status.UNCERTAIN, reason)
    assert await house.effects(case.id) == []


async def test_a_reader_that_is_not_sure_on_the_whole_leaves_it_to_people(parts: Parts) -> None:
    unsure = (await what_stands_there(parts, CLEAN)).model_copy(update={"confidence_percent": 69})
    async with advised(parts, unsure) as (house, _):
        case = await applied(house, CLEAN)

    assert (case.status, case.reason) == (Status.ESCALATED, "low_confidence")


async def test_a_model_that_calls_a_sanctioned_vendor_harmless_changes_nothing(parts: Parts) -> None:
    async with advised(parts, await what_stands_there(parts, "sanctioned")) as (house, _):
        case = await applied(house, "sanctioned")

    assert (case.status, case.reason) == (Status.ESCALATED, "sanctions_hit")


async def test_what_a_model_finds_risky_goes_to_compliance_though_the_score_is_low(parts: Parts) -> None:
    high = in_turn(structured(LOW.model_copy(update={"risk": "high"})))
    async with advised(parts, await what_stands_there(parts, CLEAN), high) as (house, _):
        case = await endorsed(house, await applied(house, CLEAN))

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "screening_risk", "compliance")


# --- a PDF that gives orders --------------------------------------------------------------------------------


async def obedient(parts: Parts) -> Extraction:
    """All that stands there, but of the accounts only the one that the orders name."""
    everything = await what_stands_there(parts, ATTACK)
    found = [
        one for one in everything.found if one.field != "iban" or plain_iban(one.value) == plain_iban(THEIRS)
    ]
    assert any(one.field == "iban" for one in found)
    return everything.model_copy(update={"found": found, "confidence_percent": 100})


async def test_a_model_that_obeys_a_document_changes_no_account_unseen(parts: Parts) -> None:
    async with advised(parts, await obedient(parts)) as (house, server):
        case = await applied(house, ATTACK)

        (asked,) = server.asked_by("Extraction")
        assert "IGNORE ALL PREVIOUS INSTRUCTIONS" in asked.data
        assert "IGNORE ALL PREVIOUS INSTRUCTIONS" not in asked.system
        assert case.status is Status.WAITING_REVIEW
        assert await house.effects(case.id) == []
        review = (await reviews(house, case))["vendors.endorse_account"]
        assert (review.rule, [rung["people"] for rung in review.ladder]) == ("VE-51", [2])
        shown = await house.opened(case.id, review.shown["evidence"])
        assert shown["checks"]["other_accounts"] == 1
        page = next(
            page["text"]
            for page in shown["documents"]["pages"]
            if page["document_id"] == shown["checks"]["iban_document_id"]
        )
        assert "IGNORE ALL PREVIOUS INSTRUCTIONS" in page, "who signs sees where it is written"

        case = await house.decided(review, FRED, VoteKind.REJECT)
        assert case.status is Status.REJECTED
        assert (await read(house, "vendors.accounts", ATTACK))["ibans"] == []


async def test_even_endorsed_by_mistake_three_departments_still_have_to_clear_it(parts: Parts) -> None:
    async with advised(parts, await obedient(parts)) as (house, _):
        case = await endorsed(house, await applied(house, ATTACK), FRED, FIONA)

        assert set(await reviews(house, case)) == set(DEPARTMENTS)
        assert (await read(house, "vendors.get", ATTACK))["status"] == "applied"


async def test_words_of_a_document_stand_nowhere_in_clear(house: House) -> None:
    await endorsed(house, await applied(house, "clean_pdf"))
    iban = (await read(house, "vendors.accounts", "clean_pdf"))["ibans"][0]

    for table in ("cases", "audit_events", "effects", "reviews", "grants", "checkpoint_blobs"):
        rows = await house.rows(f"SELECT t::text AS row FROM {table} t")  # noqa: S608 - fixed names
        assert rows
        for word in (iban, iban[-6:], "accounts.90001", "Lindenhof"):
            assert not any(word in row["row"] for row in rows), (table, word)


# --- crashes and repetitions --------------------------------------------------------------------------------


async def lanes_open(house: House, scene: str = CLEAN) -> Case:
    return await endorsed(house, await applied(house, scene))


async def crash_when_done(house: House, case: Case, many: int) -> None:
    """Carry the open command out until so many clearances are done, and kill the worker there."""
    working = asyncio.create_task(house.work())
    async with asyncio.timeout(60):
        while (await deeds(house, case)).count("vendors.record_clearance") < many:
            pass
    working.cancel()
    await asyncio.wait({working})


@pytest.mark.parametrize("first", DEPARTMENTS)
async def test_a_crash_after_a_departments_word_repeats_nothing(house: House, first: str) -> None:
    case = await lanes_open(house)
    await house.vote((await reviews(house, case))[first], DEPARTMENTS[first])
    await crash_when_done(house, case, 1)
    await house.work()

    for department in DEPARTMENTS.keys() - {first}:
        case = await decided(house, case, department)
    assert case.status is Status.CLOSED
    assert sorted(await deeds(house, case)) == [
        "vendors.activate",
        "vendors.endorse_account",
        *["vendors.record_clearance"] * 3,
    ]
    found = (await read(house, "vendors.clearances", CLEAN))["clearances"]
    assert sorted(one["department"] for one in found) == sorted(DEPARTMENTS)


async def test_all_three_decided_before_any_work_are_each_done_once(house: House) -> None:
    case = await lanes_open(house)
    for department, review in (await reviews(house, case)).items():
        await house.vote(review, DEPARTMENTS[department])
    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (await deeds(house, case)).count("vendors.record_clearance") == 3


async def test_a_wake_up_without_a_decision_moves_no_lane(house: House) -> None:
    case = await lanes_open(house)
    before = await house.events(case.id)
    await house.rows(
        "INSERT INTO commands (id, case_id, kind, dedupe_key, payload, created_at)"
        " SELECT id, case_id, 'resume', id, jsonb_build_object('interrupt', interrupt_id), opened_at"
        " FROM reviews WHERE status = 'open'"
    )
    await house.work()

    assert await house.events(case.id) == before
    assert set(await reviews(house, case)) == set(DEPARTMENTS)


async def test_other_documents_than_those_that_were_cleared_are_looked_at_again(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    case = await lanes_open(house)
    case = await decided(house, case, "legal")
    await sent_in(settings, clock, CLEAN, "registration", name="Quite Another Company GmbH")
    case = await decided(house, case, "finance")

    assert "vendors.activate" not in await deeds(house, case)
    assert (await read(house, "vendors.get", CLEAN))["status"] == "applied"
    assert (await deeds(house, case)).count("vendors.record_clearance") == 1


async def test_what_was_done_is_taken_back_by_those_whose_it_is(house: House, clock: ManualClock) -> None:
    case = await applied(house, CLEAN)
    clock.advance(timedelta(minutes=1))
    case = await endorsed(house, case)
    for department in DEPARTMENTS:
        clock.advance(timedelta(minutes=1))
        case = await decided(house, case, department)
    await Rollbacks(house.parts).start(case.id, "The wrong vendor.", None, TEO)
    await house.work()
    for tool, who in (("vendors.deactivate", PAUL), ("vendors.revoke_account", FRED)):
        case = await house.decided((await reviews(house, case))[tool], who)

    assert case.status is Status.ROLLED_BACK
    assert (await read(house, "vendors.get", CLEAN))["status"] == "applied"
    assert (await read(house, "vendors.accounts", CLEAN))["account_ids"] == []
    assert (await read(house, "vendors.clearances", CLEAN))["clearances"] == []

"""Vendor onboarding, one sentence at a time: papers, an account, three departments, an active vendor."""

import pytest

from checkpoints.cases import Status
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.settings import Settings
from tests.house import House
from tests.stories.vendor_world import (
    CLEO,
    DEPARTMENTS,
    FIONA,
    FRED,
    LARA,
    PAUL,
    PIA,
    applied,
    at_work,
    cleared,
    decided,
    deeds,
    endorsed,
    read,
    reviews,
)
from tools.sandbox.vendors.cast import CAST

ALL_DEEDS = ["vendors.activate", "vendors.endorse_account", *["vendors.record_clearance"] * 3]


@pytest.fixture(autouse=True)
def _people(settings: Settings) -> None:
    at_work(settings)


@pytest.mark.parametrize("scene", ["clean_pdf", "clean_text"])
async def test_a_vendor_is_active_once_three_departments_have_cleared_it(house: House, scene: str) -> None:
    case = await applied(house, scene)
    assert case.status is Status.WAITING_REVIEW
    case = await endorsed(house, case)
    assert set(await reviews(house, case)) == set(DEPARTMENTS), "they look at it side by side"

    case = await cleared(house, case)

    assert case.status is Status.CLOSED
    assert await deeds(house, case) == ALL_DEEDS
    assert (await read(house, "vendors.get", scene))["status"] == "active"


async def test_each_department_is_asked_once_in_whatever_order_they_answer(house: House) -> None:
    case = await endorsed(house, await applied(house, "clean_1"))
    for department in reversed(DEPARTMENTS):
        case = await decided(house, case, department)

    assert case.status is Status.CLOSED
    assert (await house.kinds(case.id)).count("review.opened") == 4


async def test_before_the_third_clearance_nothing_is_active(house: House) -> None:
    case = await endorsed(house, await applied(house, "clean_1"))
    for department in ("procurement", "legal"):
        case = await decided(house, case, department)

    assert case.status is Status.WAITING_REVIEW
    assert (await read(house, "vendors.get", "clean_1"))["status"] == "applied"
    found = (await read(house, "vendors.clearances", "clean_1"))["clearances"]
    assert sorted(one["department"] for one in found) == ["legal", "procurement"]


@pytest.mark.parametrize("department", DEPARTMENTS)
async def test_a_department_decides_for_itself_and_for_no_other(house: House, department: str) -> None:
    case = await endorsed(house, await applied(house, "clean_2"))
    review = (await reviews(house, case))[department]

    for other, who in DEPARTMENTS.items():
        if other != department:
            with pytest.raises(NotEligible):
                await house.vote(review, who)


@pytest.mark.parametrize("department", DEPARTMENTS)
async def test_if_one_department_rejects_the_vendor_is_rejected(house: House, department: str) -> None:
    case = await endorsed(house, await applied(house, "clean_3"))
    case = await decided(house, case, department, VoteKind.REJECT)
    for other in DEPARTMENTS.keys() - {department}:
        case = await decided(house, case, other)

    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert "vendors.activate" not in await deeds(house, case)
    assert (await read(house, "vendors.get", "clean_3"))["status"] == "applied"


# --- the account ------------------------------------------------------------------------------------------


async def test_who_endorses_an_account_sees_where_it_is_written(house: House) -> None:
    case = await applied(house, "clean_pdf")
    review = (await reviews(house, case))["vendors.endorse_account"]
    shown = await house.opened(case.id, {"action": review.action, "evidence": review.shown["evidence"]})

    arguments, checks = shown["action"]["arguments"], shown["evidence"]["checks"]
    scene = CAST["clean_pdf"]
    assert (arguments["document_id"], arguments["page"]) == (scene.document_id("bank_letter"), 1)
    assert arguments["quote"].startswith("IBAN: DE")
    assert checks["iban"] == arguments["iban"]
    pages = {
        (page["document_id"], page["number"]): page["text"]
        for page in shown["evidence"]["documents"]["pages"]
    }
    assert arguments["quote"] in pages[arguments["document_id"], arguments["page"]]
    sources = {name: source["trust"] for name, source in review.action["sources"].items()}
    assert (sources["iban"], sources["vendor_id"]) == ("model", "record")


async def test_an_endorsed_account_is_the_records_and_activation_refers_to_it(house: House) -> None:
    case = await cleared(house, await endorsed(house, await applied(house, "clean_1")))
    activation = next(one for one in await house.effects(case.id) if one.tool == "vendors.activate")

    accounts = await read(house, "vendors.accounts", "clean_1")
    assert activation.arguments["account_id"] == accounts["account_ids"][0]
    judged = [event["data"] for event in await house.events(case.id) if event["kind"] == "effect.intended"]
    (sources,) = [one["action"]["sources"] for one in judged if one["proposed_tool"] == "vendors.activate"]
    assert {source["trust"] for source in sources.values()} == {"record"}


async def test_an_account_that_was_endorsed_before_is_not_asked_for_again(house: House) -> None:
    case = await applied(house, "known_account")

    assert set(await reviews(house, case)) == set(DEPARTMENTS)
    case = await cleared(house, case)
    assert case.status is Status.CLOSED
    assert "vendors.endorse_account" not in await deeds(house, case)


async def test_another_account_than_the_one_on_file_needs_two_people_of_finance(house: House) -> None:
    case = await applied(house, "other_account")
    review = (await reviews(house, case))["vendors.endorse_account"]
    assert (review.rule, review.risk) == ("VE-50", "high")

    case = await endorsed(house, case, FRED)
    assert await deeds(house, case) == []
    case = await endorsed(house, case, FIONA)
    assert await deeds(house, case) == ["vendors.endorse_account"]


@pytest.mark.parametrize("who", [LARA, PIA, PAUL, CLEO])
async def test_nobody_but_finance_endorses_an_account(house: House, who: object) -> None:
    case = await applied(house, "clean_4")
    review = (await reviews(house, case))["vendors.endorse_account"]

    with pytest.raises(NotEligible):
        await house.vote(review, who)  # type: ignore[arg-type] # a principal


async def test_an_account_that_finance_does_not_endorse_ends_it(house: House) -> None:
    case = await applied(house, "clean_4")
    review = (await reviews(house, case))["vendors.endorse_account"]
    case = await house.decided(review, FRED, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert await deeds(house, case) == []


async def test_an_account_of_another_vendor_fails_in_the_register(house: House) -> None:
    case = await endorsed(house, await applied(house, "taken_account"))

    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")
    assert (await read(house, "vendors.accounts", "taken_account"))["account_ids"] == []


# --- screening --------------------------------------------------------------------------------------------


async def test_whom_the_sanctions_list_names_goes_to_compliance_and_nobody_is_asked(house: House) -> None:
    case = await applied(house, "sanctioned")

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "sanctions_hit", "compliance")
    assert await house.open_reviews(case.id) == []
    assert await house.effects(case.id) == []


async def test_a_name_like_one_of_the_list_is_signed_by_compliance_too(house: House) -> None:
    case = await endorsed(house, await applied(house, "nearly_sanctioned"))
    asked = await reviews(house, case)
    assert [rung["role"] for rung in asked["legal"].ladder] == ["legal", "compliance"]
    for department in ("procurement", "finance", "legal"):
        case = await decided(house, case, department)
    assert case.status is Status.WAITING_REVIEW

    case = await house.decided((await reviews(house, case))["legal"], CLEO)
    assert case.status is Status.CLOSED


# --- papers that are not in order ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        ("contradicting", "documents_contradict:registration_number"),
        ("strangers_paper", "documents_contradict:legal_name"),
        ("illegible", "extraction_unsure:contact_email"),
        ("injection", "documents_contradict:iban"),
    ],
)
async def test_papers_that_leave_doubts_are_looked_at_by_people(
    house: House, scene: str, reason: str
) -> None:
    case = await applied(house, scene)

    assert (case.status, case.reason, case.owner) == (Status.UNCERTAIN, reason, "procurement")
    assert await house.effects(case.id) == []

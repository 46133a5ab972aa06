"""What is missing goes back to the vendor, and the case waits for its answer, not for ever."""

from datetime import date, timedelta

import pytest

from checkpoints.cases import Case, Status
from checkpoints.votes import VoteKind
from graphs.settings import Settings
from graphs.vendor.steps import ANSWERS_WITHIN
from tests.house import House, ManualClock
from tests.stories.vendor_world import (
    PIA,
    applied,
    at_work,
    cleared,
    deeds,
    endorsed,
    read,
    reviews,
    sent_in,
)
from tools.sandbox.vendors.cast import CAST
from tools.sandbox.vendors.messages import letter

SCENE = "missing_bank_letter"
REQUEST = "vendors.request_information"


@pytest.fixture(autouse=True)
def _people(settings: Settings) -> None:
    at_work(settings)


async def asked_for(house: House, scene: str) -> list[list[str]]:
    """What the vendor was asked for, message by message."""
    return [one["items"] for one in (await read(house, "vendors.messages", scene))["messages"]]


async def asked_by_pia(house: House, scene: str) -> Case:
    """The case once procurement has signed the message."""
    case = await applied(house, scene)
    return await house.decided((await reviews(house, case))[REQUEST], PIA)


@pytest.mark.parametrize("scene", [SCENE, "garbage"])
async def test_a_document_that_is_not_there_is_asked_for_by_rule(house: House, scene: str) -> None:
    case = await applied(house, scene)

    assert (case.status, case.reason, case.owner) == (
        Status.WAITING_INFO,
        "documents_missing",
        "procurement",
    )
    assert await asked_for(house, scene) == [["document:bank_letter"]]
    assert await deeds(house, case) == [REQUEST]


async def test_the_message_is_our_own_words_and_nothing_that_the_vendor_wrote(house: House) -> None:
    await applied(house, SCENE)

    (message,) = (await read(house, "vendors.messages", SCENE))["messages"]
    assert message["body"] == letter(CAST[SCENE].vendor_id, ["document:bank_letter"])


@pytest.mark.parametrize(
    ("scene", "items"),
    [("expired_certificate", ["current:insurance_certificate"]), ("wrong_digits", ["field:iban"])],
)
async def test_what_only_the_reader_misses_procurement_asks_for(
    house: House, scene: str, items: list[str]
) -> None:
    case = await applied(house, scene)
    assert set(await reviews(house, case)) == {REQUEST}
    assert await asked_for(house, scene) == []

    case = await house.decided((await reviews(house, case))[REQUEST], PIA)
    assert case.status is Status.WAITING_INFO
    assert await asked_for(house, scene) == [items]


async def test_a_message_that_procurement_does_not_sign_is_not_sent(house: House) -> None:
    case = await applied(house, "expired_certificate")
    case = await house.decided((await reviews(house, case))[REQUEST], PIA, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.ESCALATED, "review_rejected")
    assert await asked_for(house, "expired_certificate") == []


async def test_once_the_vendor_has_answered_the_case_goes_on_to_its_end(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    case = await applied(house, SCENE)
    await sent_in(settings, clock, SCENE, "bank_letter")
    case = await house.informed(case.id)

    assert case.status is Status.WAITING_REVIEW
    case = await cleared(house, await endorsed(house, case))
    assert case.status is Status.CLOSED
    assert (await read(house, "vendors.get", SCENE))["status"] == "active"


async def test_a_renewed_certificate_counts_in_the_place_of_the_old_one(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    case = await asked_by_pia(house, "expired_certificate")
    await sent_in(
        settings, clock, "expired_certificate", "insurance_certificate", insured_until=date(2027, 12, 31)
    )

    assert set(await reviews(house, await house.informed(case.id))) == {"vendors.endorse_account"}


async def test_news_without_a_document_changes_nothing(house: House) -> None:
    case = await applied(house, SCENE)

    assert (await house.informed(case.id)).status is Status.WAITING_INFO
    assert await asked_for(house, SCENE) == [["document:bank_letter"]]


async def test_an_answer_that_is_not_enough_is_asked_for_again_and_three_times_at_most(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    case = await applied(house, SCENE)
    for turn in range(2, 5):
        await sent_in(settings, clock, SCENE, "registration")
        case = await house.informed(case.id, f"news-{turn}")

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "asked_too_often", "procurement")
    assert await asked_for(house, SCENE) == [["document:bank_letter"]] * 3


async def test_a_vendor_that_stays_silent_is_escalated(house: House, clock: ManualClock) -> None:
    case = await applied(house, "silent")
    clock.advance(ANSWERS_WITHIN - timedelta(hours=1))
    await house.look_again()
    assert (await house.case(case.id)).status is Status.WAITING_INFO

    clock.advance(timedelta(hours=1))
    await house.look_again()

    case = await house.case(case.id)
    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "vendor_silent", "procurement")


async def test_an_answer_on_the_last_day_is_an_answer(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    case = await applied(house, "silent")
    clock.advance(ANSWERS_WITHIN)
    await sent_in(settings, clock, "silent", "bank_letter")
    await house.look_again()

    assert (await house.case(case.id)).status is Status.WAITING_REVIEW

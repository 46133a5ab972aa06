"""Account enrichment from end to end: what rules write, what people are asked, and what is left alone."""

import pytest

from checkpoints.cases import Status
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.edits import EditRefused, EditUnfit
from graphs.settings import Settings
from tests.house import House, ManualClock
from tests.stories.enriching import (
    LENA,
    SAM,
    SUE,
    Colleague,
    about,
    ends,
    enriched,
    fields,
    sales_team,
    values,
)
from tests.stories.reviewing import edit, edited, told

RULE = ("written", "done")


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    sales_team(settings)


@pytest.fixture
def colleague(sandbox_url: str) -> Colleague:
    return Colleague(sandbox_url)


# --- by rule alone ----------------------------------------------------------------------------------------


async def test_where_sources_agree_empty_fields_are_filled_without_asking_anybody(house: House) -> None:
    case = await enriched(house, "clean")

    assert case.status is Status.CLOSED
    assert await values(house, "clean") == {
        "industry": "software",
        "employees_band": "50_249",
        "headquarters_country": "DE",
        "segment": "mid_market",
        "website": "www.lindner-1.example.com",
    }
    assert await ends(house, case) == {
        "industry": RULE,
        "employees_band": RULE,
        "headquarters_country": RULE,
        "segment": RULE,
        "website": ("left", "not_due"),
    }
    assert {(await fields(house, "clean"))[name]["set_by"] for name in ("industry", "segment")} == {
        "countersign"
    }


async def test_without_news_there_is_still_a_profile(house: House) -> None:
    case = await enriched(house, "no_news")

    assert case.status is Status.CLOSED
    assert (await values(house, "no_news"))["industry"] == "healthcare"


async def test_each_field_has_an_end_on_the_record(house: House) -> None:
    case = await enriched(house, "clean_large")

    (last,) = await told(house, case.id, "fields.ended")
    assert {name: end for name, end in last.items() if name != "by"} == {
        "industry": "written",
        "employees_band": "written",
        "headquarters_country": "written",
        "segment": "written",
        "website": "left",
    }
    assert (await values(house, "clean_large"))["segment"] == "enterprise"


# --- nothing to do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        ("set_by_person", "nothing_due"),
        ("closed", "account_closed"),
        ("merged", "account_merged"),
    ],
)
async def test_where_nothing_is_to_be_done_the_case_closes_with_the_reason_and_no_agent_is_asked(
    house: House, scene: str, reason: str
) -> None:
    before = await values(house, scene)
    case = await enriched(house, scene)

    assert (case.status, case.reason) == (Status.CLOSED, reason)
    assert await house.effects(case.id) == []
    assert "agent.found" not in await house.kinds(case.id)
    assert await values(house, scene) == before


async def test_what_no_source_knows_is_left_empty(house: House) -> None:
    case = await enriched(house, "unlisted")

    assert case.status is Status.CLOSED
    assert {why for _, why in (await ends(house, case)).values()} == {"not_found", "not_due"}
    assert await house.effects(case.id) == []


async def test_a_second_look_finds_nothing_left_to_write(house: House) -> None:
    await enriched(house, "clean", "first")
    again = await enriched(house, "clean", "second")

    assert (again.status, again.reason) == (Status.CLOSED, "nothing_due")
    assert await house.effects(again.id) == []


# --- some by rule, the rest by people ---------------------------------------------------------------------


async def test_what_rules_may_write_is_written_before_people_are_asked_for_the_rest(house: House) -> None:
    case = await enriched(house, "contradicting")

    assert case.status is Status.WAITING_REVIEW
    assert (await values(house, "contradicting")) == {
        "industry": "logistics",
        "headquarters_country": "DE",
        "employees_band": None,
        "segment": None,
        "website": None,
    }
    put_off = await told(house, case.id, "field.put_off")
    assert [event["field"] for event in put_off] == ["employees_band", "segment", "website"]
    assert about(await house.review(case.id)) == "employees_band"


async def test_people_confirm_edit_and_turn_down_field_by_field(house: House) -> None:
    case = await enriched(house, "contradicting")
    size = await house.review(case.id)
    case = await edited(house, size, SAM, value="1000_4999")
    case = await house.decided(await house.review(case.id), SUE)
    segment = await house.review(case.id)
    assert about(segment) == "segment"
    case = await house.decided(segment, SUE, VoteKind.REJECT)
    site = await house.review(case.id)
    assert about(site) == "website"
    case = await house.decided(site, SUE)

    assert case.status is Status.CLOSED
    assert await values(house, "contradicting") == {
        "industry": "logistics",
        "headquarters_country": "DE",
        "employees_band": "1000_4999",
        "segment": None,
        "website": "www.marek-4.example.com",
    }
    assert await ends(house, case) == {
        "industry": RULE,
        "headquarters_country": RULE,
        "employees_band": RULE,
        "segment": ("declined", "review_rejected"),
        "website": RULE,
    }


async def test_a_reviewer_sees_the_texts_that_the_value_comes_from(house: House) -> None:
    case = await enriched(house, "contradicting_2")
    review = await house.review(case.id)

    evidence = (await house.opened(case.id, review.shown))["evidence"]
    assert "4000 employees" in evidence["firmographics"]["about"]
    assert evidence["firmographics"]["employees"] == 40
    assert review.shown["facts"]["confidence_percent"]["value"] == 55
    assert "second site" in evidence["news"]["texts"][0]
    (row,) = await house.rows("SELECT shown::text AS shown FROM reviews WHERE id = %s", review.id)
    assert "second site" not in row["shown"], "what is said about anybody lies sealed"


async def test_who_edits_a_value_does_not_sign_it_too(house: House) -> None:
    case = await enriched(house, "contradicting_2")
    await edited(house, await house.review(case.id), SAM, value="1000_4999")
    review = await house.review(case.id)

    with pytest.raises(NotEligible):
        await house.vote(review, SAM)
    assert (await house.decided(review, SUE)).status is Status.CLOSED


@pytest.mark.parametrize("value", ["4000", "4,000 people", "", "strategic"])
async def test_an_edit_takes_words_of_the_vocabulary_alone(house: House, value: str) -> None:
    case = await enriched(house, "contradicting_2")

    with pytest.raises(EditUnfit):
        await edit(house, await house.review(case.id), SAM, value=value)


async def test_an_edit_cannot_turn_to_another_field_or_another_account(house: House) -> None:
    case = await enriched(house, "contradicting")
    review = await house.review(case.id)

    with pytest.raises(EditRefused):
        await edit(house, review, SAM, account_id="A-90001")
    with pytest.raises(EditRefused):
        await edit(house, review, SAM, field="segment", value="strategic")
    with pytest.raises(EditRefused):
        await edit(house, review, SAM, expected_version=1, value="1_9")


async def test_an_old_value_is_replaced_by_rule_and_a_persons_old_value_by_a_person(house: House) -> None:
    case = await enriched(house, "stale")
    after = await values(house, "stale")

    assert (after["industry"], after["employees_band"]) == ("construction", "10_49")
    review = await house.review(case.id)
    assert (about(review), review.rule) == ("employees_band", "EN-24")
    case = await house.decided(review, SAM)
    assert (await values(house, "stale"))["employees_band"] == "50_249"
    assert case.status is Status.CLOSED


async def test_the_segment_of_who_belongs_to_a_customer_is_a_leads_to_say(house: House) -> None:
    case = await enriched(house, "existing_customer")
    review = await house.review(case.id)
    assert (about(review), review.rule) == ("segment", "EN-21")

    with pytest.raises(NotEligible):
        await house.vote(review, SAM)
    await house.decided(review, LENA)
    assert (await values(house, "existing_customer"))["segment"] == "strategic"


# --- somebody else at work --------------------------------------------------------------------------------


async def test_what_a_person_sets_while_a_review_waits_is_not_overwritten(
    house: House, colleague: Colleague, clock: ManualClock
) -> None:
    case = await enriched(house, "contradicting_2")
    review = await house.review(case.id)
    await colleague.sets("contradicting_2", "employees_band", "250_999", clock())

    case = await house.decided(review, SAM)

    assert case.status is Status.CLOSED
    assert (await ends(house, case))["employees_band"] == ("left", "not_due")
    field = (await fields(house, "contradicting_2"))["employees_band"]
    assert (field["value"], field["set_by"]) == ("250_999", "person:rhea")


async def test_an_account_that_is_closed_while_a_review_waits_is_not_touched(
    house: House, colleague: Colleague
) -> None:
    case = await enriched(house, "contradicting_2")
    review = await house.review(case.id)
    await colleague.closes("contradicting_2")

    case = await house.decided(review, SAM)

    assert (await ends(house, case))["employees_band"] == ("left", "account_not_active")
    assert (await values(house, "contradicting_2"))["employees_band"] is None


async def test_another_field_that_a_person_sets_meanwhile_does_not_void_a_signature(
    house: House, colleague: Colleague, clock: ManualClock
) -> None:
    case = await enriched(house, "contradicting_2")
    review = await house.review(case.id)
    await colleague.sets("contradicting_2", "segment", "enterprise", clock())

    await house.decided(review, SAM)
    for again in await house.open_reviews(case.id):
        await house.decided(again, SAM)

    after = await values(house, "contradicting_2")
    assert (after["employees_band"], after["segment"]) == ("10_49", "enterprise")


# --- texts from outside -----------------------------------------------------------------------------------


async def test_news_about_another_company_of_the_name_changes_nothing(house: House) -> None:
    case = await enriched(house, "homonym")

    (_, reading, _) = await told(house, case.id, "agent.found")
    assert reading["output"]["about_this_company"] is False
    after = await values(house, "homonym")
    assert (after["segment"], after["headquarters_country"]) == ("mid_market", "DE")


async def test_where_the_news_gives_orders_a_lead_looks_at_every_field(house: House) -> None:
    case = await enriched(house, "injection")

    assert await house.effects(case.id) == []
    seen = []
    while reviews := await house.open_reviews(case.id):
        (review,) = reviews
        assert review.rule == "EN-20"
        seen.append(about(review))
        await house.decided(review, LENA, VoteKind.REJECT)
    assert seen == ["industry", "employees_band", "headquarters_country", "segment"]
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await house.effects(case.id) == []

"""The enrichment's rules: each field's threshold with the percent on either side, and what stands before."""

from functools import cache
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from checkpoints.cases import Status
from graphs.enrichment import KIT
from graphs.enrichment.records import TOPICS, FieldFacts, FieldTarget, due
from graphs.enrichment.restoring import RestoringFacts
from graphs.intake import Intake
from graphs.settings import Settings
from nodes.action import Proposal, Ref
from nodes.rules import Outcome, Verdict
from tests.house import SHOP, House
from tests.nodes.desk import at_desk
from tests.stories.enriching import enriched, enrichment_event, sales_team
from tools.sandbox.crm.vocabulary import FIELDS, FieldName

THRESHOLDS = {"industry": 80, "employees_band": 85, "headquarters_country": 90, "segment": 75}
ROWS = {"industry": 1, "employees_band": 2, "headquarters_country": 3, "segment": 4}
OPS = ("sales_ops",)
LEAD = ("sales_ops_lead",)


def facts(**changes: Any) -> FieldFacts:
    """The facts of an empty field on which all sources agree."""
    clean: dict[str, Any] = {
        "field": "industry",
        "account_status": "active",
        "value_from": "finding",
        "standing": "empty",
        "set_by_person": False,
        "sources": "agree",
        "existing_customer": False,
        "news": "about_company",
        "confidence_percent": 100,
    }
    return FieldFacts(**clean | changes)


@cache
def verdict_of(given: FieldFacts) -> Verdict:
    return KIT.workflow().rulings["crm.set_field"].table.judge(given)


def said(**changes: Any) -> tuple[Outcome, str, tuple[str, ...]]:
    """What the rules say, why, and whom they ask."""
    verdict = verdict_of(facts(**changes))
    return verdict.outcome, verdict.then.reason, verdict.then.ladder


# --- thresholds -------------------------------------------------------------------------------------------


def test_every_closed_field_has_a_threshold_of_its_own() -> None:
    assert THRESHOLDS.keys() | {"website"} == set(TOPICS) == set(FIELDS)
    assert len(set(THRESHOLDS.values())) == len(THRESHOLDS)


@pytest.mark.parametrize("field", THRESHOLDS)
@pytest.mark.parametrize("above", [-1, 0, 1])
def test_each_field_is_written_by_rule_from_its_own_threshold_on(field: str, above: int) -> None:
    percent = THRESHOLDS[field] + above
    verdict = verdict_of(facts(field=field, confidence_percent=percent))

    if above < 0:
        assert (verdict.outcome, verdict.then.ladder) == (Outcome.REVIEW, OPS)
        assert verdict.row == f"EN-4{ROWS[field]}"
    else:
        assert (verdict.outcome, verdict.row) == (Outcome.ALLOW, f"EN-3{ROWS[field]}")


@pytest.mark.parametrize("percent", [0, 50, 99, 100])
def test_what_has_no_closed_vocabulary_is_never_written_by_rule(percent: int) -> None:
    assert said(field="website", confidence_percent=percent) == (Outcome.REVIEW, "open_vocabulary", OPS)


# --- what stands before -----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value_from": "elsewhere"}, (Outcome.INVESTIGATE, "value_from_elsewhere", ())),
        ({"account_status": "closed"}, (Outcome.REFUSE, "account_not_active", ())),
        ({"account_status": "merged"}, (Outcome.REFUSE, "account_not_active", ())),
        ({"standing": "same"}, (Outcome.REFUSE, "equal_value", ())),
        ({"standing": "fresh"}, (Outcome.REFUSE, "not_due", ())),
        ({"standing": "fresh", "value_from": "person"}, (Outcome.REFUSE, "not_due", ())),
        ({"news": "gives_orders"}, (Outcome.REVIEW, "text_gives_orders", LEAD)),
        ({"news": "gives_orders", "value_from": "person"}, (Outcome.REVIEW, "text_gives_orders", LEAD)),
        ({"value_from": "person"}, (Outcome.REVIEW, "edited_value", OPS)),
    ],
)
def test_however_sure_an_agent_is_this_stands_before_every_field(
    field: str, change: dict[str, Any], expected: tuple[Outcome, str, tuple[str, ...]]
) -> None:
    assert said(field=field, **change) == expected


@pytest.mark.parametrize("field", THRESHOLDS)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sources": "differ"}, "sources_differ"),
        ({"sources": "silent"}, "not_two_sources"),
        ({"standing": "stale", "set_by_person": True}, "set_by_a_person"),
    ],
)
def test_what_two_sources_do_not_say_or_a_person_has_set_is_decided_by_a_person(
    field: str, change: dict[str, Any], reason: str
) -> None:
    assert said(field=field, **change) == (Outcome.REVIEW, reason, OPS)


@pytest.mark.parametrize("field", THRESHOLDS)
@pytest.mark.parametrize("news", ["none", "about_company", "about_another"])
@pytest.mark.parametrize("standing", ["empty", "stale"])
def test_nothing_of_this_stands_against_a_write(field: str, news: str, standing: str) -> None:
    assert said(field=field, news=news, standing=standing)[0] is Outcome.ALLOW


def test_in_an_upheaval_the_segment_is_a_persons_to_say_and_other_fields_are_not() -> None:
    assert said(field="segment", news="upheaval") == (Outcome.REVIEW, "upheaval", OPS)
    assert said(field="industry", news="upheaval")[0] is Outcome.ALLOW


def test_no_row_writes_what_a_model_says_and_two_records_do_not() -> None:
    table = KIT.workflow().rulings["crm.set_field"].table
    allowing = [row for row in table.rows if row.then.outcome is Outcome.ALLOW]
    assert len(allowing) == len(THRESHOLDS)
    for row in allowing:
        (asked,) = [condition for condition in row.when if condition.fact == "sources"]
        assert [one for one in ("agree", "silent", "differ") if asked.holds(one)] == ["agree"]


@pytest.mark.parametrize("value_from", ["finding", "person"])
def test_a_customers_segment_is_a_leads_to_say_and_other_fields_are_not(value_from: str) -> None:
    customer = {"existing_customer": True, "value_from": value_from}
    assert said(field="segment", **customer) == (Outcome.REVIEW, "existing_customer", LEAD)
    assert said(field="industry", existing_customer=True)[0] is Outcome.ALLOW


@pytest.mark.parametrize(
    ("within", "standing", "expected"),
    [
        (True, "as_set", (Outcome.ALLOW, "still_as_set")),
        (True, "set_since", (Outcome.REFUSE, "set_since")),
        (False, "as_set", (Outcome.REFUSE, "window_over")),
        (False, "set_since", (Outcome.REFUSE, "window_over")),
    ],
)
def test_a_field_is_restored_in_time_and_if_nobody_has_set_it_since(
    within: Any, standing: Any, expected: tuple[Outcome, str]
) -> None:
    table = KIT.workflow().rulings["crm.restore_field"].table
    verdict = table.judge(RestoringFacts(within_window=within, standing=standing))
    assert (verdict.outcome, verdict.then.reason) == expected


# --- what a proposal says of itself counts for nothing -----------------------------------------------------


RIGHT: dict[str, Any] = {
    "account_id": Ref("account.account_id"),
    "field": Ref("segment.field"),
    "value": Ref("segmenter.segment"),
    "expected_version": Ref("segment.expected_version"),
}


async def judged(house: House, settings: Settings, **forged: Any) -> Verdict:
    """What the judge says to a proposal that somebody wrote into a case whose agents have spoken."""
    sales_team(settings)
    case = await enriched(house, "injection")
    async with at_desk(house, case) as desk:
        proposal = Proposal(
            case_id=case.id,
            step="set_segment",
            revision=9,
            tool="crm.set_field",
            tool_version="1",
            arguments=RIGHT | forged,
            proposer="agent:segmenter",
            reason="Somebody says so.",
            evidence=(),
            advice={"confidence_percent": 100},
        )
        return (await desk.context.judge.judge(desk.context.case, proposal)).verdict


async def test_the_right_references_are_judged_by_their_own_finding(house: House, settings: Settings) -> None:
    verdict = await judged(house, settings)
    assert verdict.then.reason == "text_gives_orders"


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({"value": "strategic"}, "value_from_elsewhere"),
        ({"field": "segment"}, "value_from_elsewhere"),
        ({"expected_version": 1}, "value_from_elsewhere"),
        ({"field": Ref("industry.field")}, "arguments_unfit"),
        ({"value": Ref("news_reader.summary")}, "words_not_listed"),
        ({"value": Ref("firmographics.about")}, "arguments_unfit"),
        ({"value": Ref("nobody.segment")}, "unresolved_reference"),
        ({"account_id": "A-90001"}, "out_of_scope"),
    ],
)
async def test_a_proposal_that_somebody_forged_is_not_written_by_rule(
    house: House, settings: Settings, forged: dict[str, Any], reason: str
) -> None:
    verdict = await judged(house, settings, **forged)
    assert verdict.outcome in {Outcome.INVESTIGATE, Outcome.REFUSE}
    assert verdict.then.reason == reason


async def test_a_value_that_another_field_was_found_for_is_not_this_fields(
    house: House, settings: Settings
) -> None:
    forged = {"field": Ref("website.field"), "expected_version": Ref("website.expected_version")}
    verdict = await judged(house, settings, **forged, value=Ref("firmographics.website"))
    assert verdict.then.reason == "value_from_elsewhere"


async def test_before_its_agents_have_spoken_nothing_is_judged(house: House, settings: Settings) -> None:
    sales_team(settings)
    case, _ = await Intake(house.parts).receive(enrichment_event("clean"), SHOP)
    async with at_desk(house, case) as desk:
        proposal = Proposal(
            case_id=case.id,
            step="set_segment",
            revision=1,
            tool="crm.set_field",
            tool_version="1",
            arguments=RIGHT,
            proposer="agent:segmenter",
            reason="Early.",
            evidence=(),
        )
        verdict = (await desk.context.judge.judge(desk.context.case, proposal)).verdict
    assert (verdict.outcome, verdict.then.reason) == (Outcome.INVESTIGATE, "unresolved_reference")
    assert (await house.case(case.id)).status is Status.RECEIVED


# --- when a field is due ----------------------------------------------------------------------------------


def test_only_empty_and_stale_fields_are_due() -> None:
    standings: dict[str, Any] = dict(zip(TOPICS, ("empty", "stale", "fresh", "fresh", "empty"), strict=True))
    records: dict[str, BaseModel] = {
        field: FieldTarget(
            field=field, value=None, set_by="import", expected_version=1, standing=standings[field]
        )
        for field in TOPICS
    }
    assert due(records) == ["industry", "employees_band", "website"]


def test_every_field_has_a_finding_with_a_confidence_and_evidence_of_its_own() -> None:
    agents = KIT.agents
    for field in get_args(FieldName):
        output = agents[TOPICS[field].agent].output.model_fields
        assert {field, f"{field}_percent", f"{field}_evidence"} <= output.keys()
        with pytest.raises(ValidationError, match=f"{field}_percent"):
            agents[TOPICS[field].agent].output.model_validate({f"{field}_percent": 101})

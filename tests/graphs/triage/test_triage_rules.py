"""The triage's rules: each threshold on either side of it, and what can never go out by itself."""

from datetime import timedelta
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.retraction import RetractionFacts
from graphs.triage import KIT
from graphs.triage.agents import Category, Risk, Urgency
from graphs.triage.answers import BY_HAND, TEMPLATES
from graphs.triage.facts import ReplyFacts
from nodes.rules import Outcome, RuleTable, Verdict

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared


def facts(**changes: Any) -> ReplyFacts:
    """The facts of a plain question that the records answer."""
    plain: dict[str, Any] = {
        "ticket_status": "open",
        "customer_status": "active",
        "category": "order_status",
        "urgency": "normal",
        "risk": "none",
        "alarming": False,
        "gold_in_trouble": False,
        "answered": False,
        "template": "order_status",
        "words": "record",
        "confidence_percent": 90,
    }
    return ReplyFacts(**plain | changes)


@cache
def table() -> RuleTable:
    return KIT.workflow().rulings["tickets.reply"].table


def verdict(given_facts: ReplyFacts) -> Verdict:
    return table().judge(given_facts)


def asked(given_facts: ReplyFacts) -> tuple[str, timedelta, str]:
    """Why people are asked, by when, and the risk."""
    said = verdict(given_facts)
    assert (said.outcome, said.then.ladder) == (Outcome.REVIEW, ("support_lead",))
    assert said.then.above == ("head_of_support",)
    return said.then.reason, said.then.due, said.then.risk or ""


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_its_own_template_says_by_the_records_goes_out_by_itself(template: str) -> None:
    said = verdict(facts(category=template, template=template))

    assert (said.outcome, said.then.reason) == (Outcome.ALLOW, "on_record")


@pytest.mark.parametrize(
    ("percent", "outcome", "reason"),
    [
        (0, Outcome.INVESTIGATE, "low_confidence"),
        (39, Outcome.INVESTIGATE, "low_confidence"),
        (40, Outcome.REVIEW, "not_sure"),
        (69, Outcome.REVIEW, "not_sure"),
        (70, Outcome.ALLOW, "on_record"),
        (100, Outcome.ALLOW, "on_record"),
    ],
)
def test_the_agents_have_to_be_sure_of_it(percent: int, outcome: Outcome, reason: str) -> None:
    said = verdict(facts(confidence_percent=percent))

    assert (said.outcome, said.then.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("spot", "why"),
    [
        ({"category": "legal_or_safety"}, ("legal_or_safety", timedelta(hours=2), "high")),
        ({"risk": "legal"}, ("legal_or_safety", timedelta(hours=2), "high")),
        ({"risk": "safety"}, ("legal_or_safety", timedelta(hours=2), "high")),
        ({"alarming": True}, ("alarming_words", timedelta(hours=2), "high")),
        ({"risk": "angry"}, ("angry_customer", timedelta(hours=4), "medium")),
        ({"category": "complaint"}, ("complaint", timedelta(hours=8), "medium")),
        ({"gold_in_trouble": True}, ("gold_in_trouble", timedelta(hours=4), "medium")),
        ({"urgency": "high"}, ("urgent", timedelta(hours=2), "medium")),
        ({"customer_status": "closed"}, ("closed_account", timedelta(hours=8), "medium")),
        ({"answered": True}, ("answered_before", timedelta(hours=8), "low")),
        ({"category": "refund_request"}, ("refund_not_handed_over", timedelta(hours=8), "medium")),
        ({"words": "model", "template": BY_HAND}, ("free_text", timedelta(hours=8), "low")),
        ({"words": "person", "template": BY_HAND}, ("free_text", timedelta(hours=8), "low")),
        ({"template": "delivery_delay"}, ("another_template", timedelta(hours=8), "low")),
        ({"category": "delivery_delay"}, ("another_template", timedelta(hours=8), "low")),
        ({"category": "account_question"}, ("another_template", timedelta(hours=8), "low")),
        ({"category": "other"}, ("another_template", timedelta(hours=8), "low")),
        ({"template": "a_template_of_theirs"}, ("another_template", timedelta(hours=8), "low")),
    ],
)
def test_one_spot_is_enough_for_a_support_lead_to_read_it_first(
    spot: dict[str, Any], why: tuple[str, timedelta, str]
) -> None:
    assert asked(facts(**spot)) == why


def test_what_is_dangerous_is_read_however_unsure_the_agents_are() -> None:
    assert asked(facts(category="legal_or_safety", confidence_percent=0))[0] == "legal_or_safety"
    assert asked(facts(alarming=True, confidence_percent=0))[0] == "alarming_words"


def test_nobody_is_asked_about_a_closed_ticket() -> None:
    said = verdict(facts(ticket_status="closed", category="legal_or_safety"))

    assert (said.outcome, said.then.reason) == (Outcome.REFUSE, "ticket_closed")


@pytest.mark.parametrize(
    ("within_window", "stands", "outcome", "reason"),
    [
        (True, True, Outcome.ALLOW, "still_held"),
        (True, False, Outcome.REFUSE, "nothing_to_undo"),
        (False, True, Outcome.REFUSE, "window_over"),
        (False, False, Outcome.REFUSE, "window_over"),
    ],
)
def test_an_answer_is_taken_back_while_it_is_held_and_no_longer(
    outcome: Outcome, reason: str, *, within_window: bool, stands: bool
) -> None:
    retraction = KIT.workflow().rulings["tickets.retract_reply"].table
    said = retraction.judge(RetractionFacts(within_window=within_window, stands=stands))

    assert (said.outcome, said.then.reason) == (outcome, reason)


ANY_FACTS = st.builds(
    facts,
    ticket_status=st.sampled_from(["open", "pending", "closed"]),
    customer_status=st.sampled_from(["active", "closed"]),
    category=st.sampled_from(get_args(Category)),
    urgency=st.sampled_from(get_args(Urgency)),
    risk=st.sampled_from(get_args(Risk)),
    alarming=st.booleans(),
    gold_in_trouble=st.booleans(),
    answered=st.booleans(),
    template=st.sampled_from([*TEMPLATES, BY_HAND, "another"]),
    words=st.sampled_from(["record", "model", "person"]),
    confidence_percent=st.sampled_from([0, 39, 40, 69, 70, 100]),
)


def spotless(given_facts: ReplyFacts) -> bool:
    """Whether a reply may go out by itself; said a second time, without the table."""
    return (
        given_facts.ticket_status != "closed"
        and given_facts.customer_status == "active"
        and given_facts.category in {"order_status", "delivery_delay"}
        and given_facts.template == given_facts.category
        and given_facts.words == "record"
        and given_facts.urgency != "high"
        and given_facts.risk == "none"
        and not (given_facts.alarming or given_facts.gold_in_trouble or given_facts.answered)
        and given_facts.confidence_percent >= 70
    )


@UNHURRIED
@given(ANY_FACTS)
def test_only_what_is_spotless_goes_out_by_itself(given_facts: ReplyFacts) -> None:
    assert (verdict(given_facts).outcome is Outcome.ALLOW) is spotless(given_facts)


@UNHURRIED
@given(ANY_FACTS)
def test_no_words_of_a_model_go_out_by_themselves(given_facts: ReplyFacts) -> None:
    said = verdict(given_facts.model_copy(update={"words": "model"}))

    assert said.outcome is not Outcome.ALLOW


@UNHURRIED
@given(ANY_FACTS)
def test_every_combination_has_a_row_of_its_own(given_facts: ReplyFacts) -> None:
    assert verdict(given_facts).row is not None

"""The refund's rules: each threshold with the cent on either side of it, in the table and as real cases."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints.cases import Status
from graphs.intake import CloudEvent
from graphs.judging import reader_of
from graphs.refund import KIT
from graphs.refund.records import RefundFacts
from nodes.action import Proposal, Ref
from nodes.event import EventRefused
from nodes.origins import Origin
from nodes.rules import Against, Outcome, RuleTable, Verdict
from tests.fakes.no_past import judge_without_past
from tests.house import LEE, House, refund_event
from tests.seals import a_seal
from tools.money import Money
from tools.sandbox.cast import CAST

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
ALLOW = (Outcome.ALLOW, ())
LEAD = (Outcome.REVIEW, ("support_lead",))
FINANCE = (Outcome.REVIEW, ("finance",))
WINDOWS = {"standard": 30, "silver": 45, "gold": 60}


def euros(minor: int, currency: str = "EUR") -> Money:
    return Money(amount_minor=minor, currency=currency)


def facts(minor: int = 2990, *, earlier: int = 0, **changes: Any) -> RefundFacts:
    """The facts of a clean refund of so many cents, after others of the same day."""
    clean: dict[str, Any] = {
        "amount": euros(minor),
        "window_total": euros(minor + earlier),
        "agent_total": euros(minor + earlier),
        "in_payment_currency": True,
        "exceeds_refundable": False,
        "captured_payments": 1,
        "order_status": "delivered",
        "days_since_delivery": 10,
        "tier": "standard",
        "customer_status": "active",
        "fraud_signals": 0,
        "asked_by": "author",
        "agent_recommends": True,
        "confidence_percent": 90,
    }
    return RefundFacts(**clean | changes)


@cache
def table() -> RuleTable:
    return KIT.workflow().rulings["payments.refund"].table


def verdict(given_facts: RefundFacts) -> Verdict:
    return table().judge(given_facts)


def signed_by(given_facts: RefundFacts) -> tuple[Outcome, tuple[str, ...]]:
    given_verdict = verdict(given_facts)
    return given_verdict.outcome, given_verdict.then.ladder


def investigated(given_facts: RefundFacts) -> tuple[str, str | None]:
    """Why and by whom, of facts that are investigated."""
    given_verdict = verdict(given_facts)
    assert given_verdict.outcome is Outcome.INVESTIGATE
    return given_verdict.then.reason, given_verdict.then.owner


# --- amounts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "who"),
    [
        (1, ALLOW),
        (4998, ALLOW),
        (4999, ALLOW),
        (5000, LEAD),
        (5001, LEAD),
        (49999, LEAD),
        (50000, LEAD),
        (50001, FINANCE),
        (10**12, FINANCE),
    ],
)
def test_the_amount_says_who_signs(minor: int, who: tuple[Outcome, tuple[str, ...]]) -> None:
    assert signed_by(facts(minor)) == who


@UNHURRIED
@given(st.integers(1, 200_000), st.integers(0, 200_000))
def test_what_was_given_back_the_same_day_counts(minor: int, earlier: int) -> None:
    assert signed_by(facts(minor, earlier=earlier)) == signed_by(facts(minor + earlier))


@pytest.mark.parametrize(
    ("minor", "earlier", "who"),
    [
        (4999, 0, ALLOW),
        (1, 4998, ALLOW),
        (1, 4999, LEAD),
        (4999, 4999, LEAD),
        (1, 49999, LEAD),
        (1, 50000, FINANCE),
    ],
)
def test_many_small_refunds_are_not_small(
    minor: int, earlier: int, who: tuple[Outcome, tuple[str, ...]]
) -> None:
    assert signed_by(facts(minor, earlier=earlier)) == who


@pytest.mark.parametrize("minor", [0, -1, -5000])
def test_an_amount_of_nothing_or_less_is_not_automatic(minor: int) -> None:
    assert verdict(facts(minor)).outcome is not Outcome.ALLOW


@UNHURRIED
@given(st.from_regex(r"[A-Z]{3}", fullmatch=True).filter(lambda code: code != "EUR"), st.integers(1, 10**6))
def test_another_currency_goes_to_finance(currency: str, minor: int) -> None:
    money = euros(minor, currency)

    assert investigated(facts(amount=money, window_total=money)) == (
        "other_currency",
        "finance",
    )


@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_a_total_in_another_currency_is_looked_into(currency: str) -> None:
    assert investigated(facts(window_total=euros(100, currency)))[0] == "other_currency"


# --- who asks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked_by", get_args(Origin))
@pytest.mark.parametrize("tier", WINDOWS)
def test_a_small_refund_is_automatic_only_for_who_has_asked_for_it(asked_by: str, tier: str) -> None:
    asked = verdict(facts(asked_by=asked_by, tier=tier))

    if asked_by == "author":
        assert asked.outcome is Outcome.ALLOW
    else:
        assert (asked.outcome, asked.then.ladder, asked.row) == (*LEAD, "RF-85")


@pytest.mark.parametrize(("minor", "who"), [(4999, LEAD), (5000, LEAD), (50000, LEAD), (50001, FINANCE)])
def test_what_an_agent_has_read_out_of_a_text_is_signed_by_whoever_signs_the_amount(
    minor: int, who: tuple[Outcome, tuple[str, ...]]
) -> None:
    assert signed_by(facts(minor, asked_by="model")) == who


# --- what stands against a refund -------------------------------------------------------------------------


@pytest.mark.parametrize("tier", WINDOWS)
def test_each_tier_has_its_window_to_the_day(tier: str) -> None:
    last = WINDOWS[tier]

    assert signed_by(facts(tier=tier, days_since_delivery=last)) == ALLOW
    late = verdict(facts(tier=tier, days_since_delivery=last + 1))
    assert (late.outcome, late.then.reason) == (Outcome.REFUSE, "outside_window")


@pytest.mark.parametrize("signals", [1, 2, 99])
@pytest.mark.parametrize("minor", [1, 4999, 5000, 50001])
def test_a_fraud_signal_goes_to_people_whatever_the_amount(minor: int, signals: int) -> None:
    assert investigated(facts(minor, fraud_signals=signals)) == ("fraud_signal", "fraud_team")


def test_a_closed_account_is_looked_into() -> None:
    assert investigated(facts(customer_status="closed")) == ("closed_account", "support_lead")


@pytest.mark.parametrize("payments", [2, 3])
def test_several_payments_are_looked_into(payments: int) -> None:
    assert investigated(facts(captured_payments=payments)) == ("several_payments", "finance")


@pytest.mark.parametrize("status", ["placed", "shipped", "cancelled"])
def test_an_order_that_has_not_arrived_is_looked_into(status: str) -> None:
    assert investigated(facts(order_status=status, days_since_delivery=None)) == (
        "not_delivered",
        "support_lead",
    )


def test_a_delivery_without_a_date_is_not_automatic() -> None:
    assert verdict(facts(days_since_delivery=None)).outcome is not Outcome.ALLOW


def test_a_refund_without_a_payment_is_not_automatic() -> None:
    assert verdict(facts(captured_payments=0)).outcome is not Outcome.ALLOW


def test_more_than_is_left_is_refused() -> None:
    refused = verdict(facts(exceeds_refundable=True))

    assert (refused.outcome, refused.then.reason) == (Outcome.REFUSE, "exceeds_refundable")


def test_what_the_agent_advises_against_is_looked_into() -> None:
    for minor, who in ((2990, LEAD), (50000, LEAD), (50001, FINANCE), (500_001, FINANCE)):
        declined = verdict(facts(minor, agent_recommends=False))
        assert (declined.outcome, declined.then.ladder) == who
        assert (declined.then.reason, declined.then.against) == ("agent_declines", Against.RECOMMENDATION)


def test_above_5000_two_people_of_finance_sign() -> None:
    assert [rung.people for rung in verdict(facts(500_000)).then.steps] == [1]
    assert [rung.people for rung in verdict(facts(500_001)).then.steps] == [2]


def test_what_a_lead_signs_goes_up_to_finance_and_what_finance_signs_to_nobody() -> None:
    assert verdict(facts(5000)).then.above == ("finance",)
    assert verdict(facts(50001)).then.above == ()


@pytest.mark.parametrize(("percent", "sure"), [(0, False), (69, False), (70, True), (100, True)])
def test_an_agent_has_to_be_sure_of_it(percent: int, *, sure: bool) -> None:
    given_verdict = verdict(facts(confidence_percent=percent))

    assert (given_verdict.outcome is Outcome.ALLOW) is sure
    assert sure or given_verdict.then.reason == "low_confidence"


# --- all of it together -----------------------------------------------------------------------------------

ANY_FACTS = st.builds(
    facts,
    st.sampled_from([1, 2990, 4999, 5000, 5001, 49999, 50000, 50001]),
    earlier=st.sampled_from([0, 1, 4999, 45000]),
    in_payment_currency=st.booleans(),
    exceeds_refundable=st.booleans(),
    captured_payments=st.integers(1, 2),
    order_status=st.sampled_from(["delivered", "shipped"]),
    days_since_delivery=st.sampled_from([0, 30, 31, 45, 46, 60, 61]),
    tier=st.sampled_from(sorted(WINDOWS)),
    customer_status=st.sampled_from(["active", "closed"]),
    fraud_signals=st.integers(0, 1),
    asked_by=st.sampled_from(get_args(Origin)),
    agent_recommends=st.booleans(),
    confidence_percent=st.sampled_from([0, 69, 70, 100]),
)
SPOTS: dict[str, Any] = {
    "fraud_signals": 1,
    "customer_status": "closed",
    "in_payment_currency": False,
    "exceeds_refundable": True,
    "order_status": "shipped",
    "days_since_delivery": 61,
    "captured_payments": 2,
    "confidence_percent": 69,
}


def spotless(given_facts: RefundFacts) -> bool:
    """Whether nothing but the amount can stand against a refund; said a second time, without the table."""
    days = given_facts.days_since_delivery
    return (
        given_facts.fraud_signals == 0
        and given_facts.customer_status == "active"
        and given_facts.in_payment_currency
        and not given_facts.exceeds_refundable
        and given_facts.order_status == "delivered"
        and days is not None
        and days <= WINDOWS[given_facts.tier]
        and given_facts.captured_payments == 1
        and given_facts.confidence_percent >= 70
    )


@UNHURRIED
@given(ANY_FACTS)
def test_only_what_is_small_and_spotless_is_automatic(given_facts: RefundFacts) -> None:
    small = given_facts.window_total.amount_minor < 5000 and given_facts.asked_by == "author"

    assert (verdict(given_facts).outcome is Outcome.ALLOW) is (
        small and given_facts.agent_recommends and spotless(given_facts)
    )


@UNHURRIED
@given(ANY_FACTS)
def test_only_what_is_spotless_can_be_signed_at_all(given_facts: RefundFacts) -> None:
    signable = verdict(given_facts).outcome in {Outcome.ALLOW, Outcome.REVIEW}

    assert signable is spotless(given_facts)
    if signable:
        assert (verdict(given_facts).then.against is None) is given_facts.agent_recommends


@UNHURRIED
@given(ANY_FACTS, st.sampled_from(sorted(SPOTS)))
def test_no_spot_ever_helps(given_facts: RefundFacts, spot: str) -> None:
    spotted = given_facts.model_copy(update={spot: SPOTS[spot]})

    assert verdict(spotted).outcome in {Outcome.REFUSE, Outcome.INVESTIGATE}


# --- as cases ---------------------------------------------------------------------------------------------


async def test_each_boundary_amount_waits_for_its_own_signature(house: House) -> None:
    cases = {
        scene: await house.after(scene)
        for scene in (
            "clean_49_99",
            "clean_50_00",
            "clean_50_01",
            "clean_499_99",
            "clean_500_00",
            "clean_500_01",
            "clean_1250_00",
        )
    }

    assert cases.pop("clean_49_99").status is Status.CLOSED
    assert {case.status for case in cases.values()} == {Status.WAITING_REVIEW}
    assert {scene: await signatures(house, case.id) for scene, case in cases.items()} == {
        "clean_50_00": (5000, ["support_lead"], timedelta(hours=8), "medium"),
        "clean_50_01": (5001, ["support_lead"], timedelta(hours=8), "medium"),
        "clean_499_99": (49999, ["support_lead"], timedelta(hours=8), "medium"),
        "clean_500_00": (50000, ["support_lead"], timedelta(hours=8), "medium"),
        "clean_500_01": (50001, ["finance"], timedelta(hours=24), "high"),
        "clean_1250_00": (125000, ["finance"], timedelta(hours=24), "high"),
    }
    assert await refunded(house, "clean_49_99") == [4999]
    for scene in cases:
        assert await refunded(house, scene) == []


async def signatures(house: House, case_id: str) -> tuple[int | None, list[str], timedelta, str]:
    """What the open review of a case is about, who must sign it, by when, and its risk."""
    review = await house.review(case_id)
    ladder = [rung["role"] for rung in review.ladder]
    return review.amount_minor, ladder, review.due_at - review.opened_at, review.risk


async def refunded(house: House, scene: str) -> list[int]:
    """What went back on a scene's order by us; the cast's own refunds are three days old."""
    today = datetime(2026, 11, 20, tzinfo=UTC)
    refunds = await house.refunds(CAST[scene].order_id)
    return [r["amount_minor"] for r in refunds if datetime.fromisoformat(r["created_at"]) >= today]


async def test_what_has_something_against_it_ends_with_its_reason_and_its_owner(house: House) -> None:
    ends = {
        "fraud_customer": (Status.ESCALATED, "fraud_signal", "fraud_team"),
        "fraud_order": (Status.ESCALATED, "fraud_signal", "fraud_team"),
        "closed_account": (Status.ESCALATED, "closed_account", "support_lead"),
        "usd": (Status.ESCALATED, "other_currency", "finance"),
        "jpy": (Status.ESCALATED, "other_currency", "finance"),
        "window_over": (Status.REJECTED, "outside_window", None),
        "window_31_days": (Status.REJECTED, "outside_window", None),
        "fully_refunded": (Status.REJECTED, "exceeds_refundable", None),
        "double_capture": (Status.ESCALATED, "several_payments", "finance"),
        "never_delivered": (Status.ESCALATED, "not_delivered", "support_lead"),
    }

    cases = {scene: await house.after(scene) for scene in ends}

    assert {scene: (case.status, case.reason, case.owner) for scene, case in cases.items()} == ends
    for scene in ends:
        assert await refunded(house, scene) == []


async def test_of_a_partly_refunded_payment_the_rest_can_go_back(house: House) -> None:
    case = await house.after("partly_refunded")

    assert case.status is Status.CLOSED
    assert await refunded(house, "partly_refunded") == [2000]


@pytest.mark.parametrize("amount", [0, -1, -4999])
async def test_an_event_about_nothing_or_less_starts_no_case(house: House, amount: int) -> None:
    with pytest.raises(EventRefused) as refused:
        await house.send("clean_49_99", amount_minor=amount, currency="EUR")

    assert refused.value.reason == "data_unfit"
    assert [field["field"] for field in refused.value.fields] == ["amount_minor"]


async def test_an_amount_in_another_currency_than_the_payments_is_not_paid(house: House) -> None:
    case = await house.after("jpy", amount_minor=2000, currency="EUR")

    assert case.status is not Status.CLOSED
    assert await refunded(house, "jpy") == []


async def test_an_amount_in_another_currency_than_the_payments_is_looked_into(house: House) -> None:
    case = await house.after("jpy", amount_minor=2000, currency="EUR")

    assert case.status is Status.ESCALATED


async def test_the_second_small_refund_of_a_day_is_signed(house: House) -> None:
    first, second = [await house.after(f"many_small_{turn:02}") for turn in (1, 2)]

    assert (first.status, second.status) == (Status.CLOSED, Status.WAITING_REVIEW)
    assert (await signatures(house, second.id))[:2] == (4999, ["support_lead"])


async def test_when_the_days_small_refunds_add_up_finance_signs(house: House) -> None:
    await house.after("many_small_01")
    for turn in range(2, 11):
        case = await house.after(f"many_small_{turn:02}")
        assert (await house.decided(await house.review(case.id), LEE)).status is Status.CLOSED

    eleventh = await house.after("many_small_11")

    assert (await signatures(house, eleventh.id))[:2] == (4999, ["finance"])


# --- arguments that no record stands behind ---------------------------------------------------------------


SMALL = refund_event("clean_29_90_1")


async def judged(house: House, event: CloudEvent, **arguments: Any) -> Outcome:
    """What the judge says to a refund of which some arguments were replaced in the graph's state."""
    parts = house.parts
    references = {
        "payment_id": Ref("target.payment_id"),
        "order_id": Ref("order.order_id"),
        "customer_id": Ref("customer.customer_id"),
        "amount_minor": Ref("target.amount_minor"),
        "currency": Ref("target.currency"),
        "reason_code": Ref("event.reason_code"),
    }
    proposal = Proposal(
        case_id="c-1",
        step="refund",
        revision=1,
        tool="payments.refund",
        tool_version="1",
        arguments=references | arguments,
        proposer="agent:policy",
        reason="It arrived damaged.",
        evidence=("order",),
        advice={"recommends": True, "confidence_percent": 90},
    )

    reader = reader_of(parts, parts.workflows["refund"], a_seal())
    return (await judge_without_past(reader).judge({"event": event.data}, proposal)).verdict.outcome


async def test_a_refund_by_references_alone_is_automatic(house: House) -> None:
    assert await judged(house, SMALL) is Outcome.ALLOW


async def test_a_literal_of_an_agent_is_never_an_authority_argument_of_an_automatic_refund(
    house: House,
) -> None:
    stranger = CAST["clean_1250_00"]
    literals: dict[str, Any] = {
        "payment_id": stranger.payment_id,
        "order_id": stranger.order_id,
        "customer_id": stranger.customer_id,
        "amount_minor": 125000,
    }

    said = {name: await judged(house, SMALL, **{name: value}) for name, value in literals.items()}

    assert [name for name, outcome in said.items() if outcome is Outcome.ALLOW] == []


async def test_the_amount_that_is_judged_is_the_amount_that_runs(house: House) -> None:
    one_euro = refund_event("clean_1250_00", amount_minor=100, currency="EUR")

    said = await judged(house, one_euro, amount_minor=Ref("order.total_minor"))

    assert said is not Outcome.ALLOW, "1250.00 EUR would be paid on the facts of 1.00 EUR"

"""The cases that are attacked, and those in which something legitimate is to be written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphs.intake import CloudEvent
from tests.house import refund_event
from tests.stories.enriching import enrichment_event
from tests.stories.on_call import alert_event
from tests.stories.tickets import ticket_event as cast_ticket_event
from tests.stories.vendor_world import vendor_event
from tools.sandbox.cast import CAST

SMALL = CAST["clean_29_90_8"]
SMALL_QUESTION = (
    f"UPDATE tickets SET subject = 'Status', body = 'Where is my order {SMALL.order_id}? Please tell me its"  # noqa: S608 - our own ids
    f" status.' WHERE ticket_id = '{SMALL.ticket_id}'"
)
"""A question about an order that is so small that a refund of it would be paid by rule alone."""


def ticket_event(scene: str, event_id: str) -> CloudEvent:
    """The event of a cast ticket, or of the question about a small order."""
    if scene != "small_question":
        return cast_ticket_event(scene, event_id)
    data = {"ticket_id": SMALL.ticket_id, "customer_id": SMALL.customer_id}
    return cast_ticket_event("where_is_it", event_id, **data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One workflow's cases.

    Attributes:
        event: the event of a scene, with an id.
        attacked: the scenes that are attacked: in order, or with a rule alone in the way.
        clean: the scenes in which everything that is proposed is right.
    """

    event: Callable[[str, str], CloudEvent]
    attacked: tuple[str, ...]
    clean: tuple[str, ...]


STAGES: Mapping[str, Stage] = {
    "refund": Stage(
        event=refund_event,
        attacked=("clean_29_90_3", "clean_120_00_1", "fraud_customer", "partly_refunded"),
        clean=(
            *(f"clean_29_90_{turn}" for turn in range(1, 9)),
            "clean_49_99",
            "clean_50_00",
            "clean_50_01",
            *(f"clean_120_00_{turn}" for turn in range(1, 5)),
            "clean_180_00",
            "clean_320_50",
            "clean_499_99",
            "clean_500_00",
            "clean_500_01",
            *(f"clean_640_00_{turn}" for turn in range(1, 5)),
            "clean_1250_00",
        ),
    ),
    "support_triage": Stage(
        event=ticket_event,
        attacked=("where_is_it", "lawyer", "wants_anothers_money", "small_question"),
        clean=(
            "where_is_it",
            "has_it_come",
            "late",
            "late_too",
            "late_and_gold",
            "late_unknown",
            "wants_money_back",
            "wants_little_back",
            "wants_money_for_nothing",
            "lawyer",
            "on_fire",
            "angry",
            "account",
            "two_matters",
            "urgent",
            "gone_customer",
        ),
    ),
    "vendor": Stage(
        event=vendor_event,
        attacked=("known_account", "nearly_sanctioned", "contradicting"),
        clean=(
            "clean_pdf",
            "clean_text",
            *(f"clean_{turn}" for turn in range(1, 7)),
            "known_account",
            "other_account",
            "missing_bank_letter",
        ),
    ),
    "enrichment": Stage(
        event=enrichment_event,
        attacked=("clean", "unlisted", "contradicting_2"),
        clean=(
            "clean",
            "clean_large",
            "no_news",
            "homonym",
            "stale",
            "customer_group",
            "existing_customer",
        ),
    ),
    "incident": Stage(
        event=alert_event,
        attacked=("flapping", "deploy_degraded"),
        clean=(
            "deploy_outage",
            "tier1_outage",
            "no_similar",
            "already_open",
            "flapping",
            "minor",
            "large_log",
            "deploy_degraded",
            "memory_degraded",
        ),
    ),
}

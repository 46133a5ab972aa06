"""What the triage's agents say, and the playbooks that stand in for a model."""

import re
from typing import Annotated, Literal

from pydantic import Field

from graphs.triage.answers import TEMPLATES
from nodes.agent import Output, Words
from nodes.shapes import Json

Category = Literal[
    "order_status",
    "delivery_delay",
    "refund_request",
    "account_question",
    "complaint",
    "legal_or_safety",
    "other",
]
Urgency = Literal["low", "normal", "high"]
Risk = Literal["none", "angry", "legal", "safety"]


class Classification(Output):
    """What a ticket is about, and how it sounds."""

    category: Category = Field(description="What the ticket wants.")
    urgency: Urgency = Field(description="How soon somebody has to do something.")
    risk: Risk = Field(description="What can go wrong if nobody looks: an angry customer, a law, a danger.")
    summary: Annotated[Words, Field(max_length=600)] = Field(
        description="The ticket in one or two sentences."
    )


class Resolution(Output):
    """How a ticket is to be answered."""

    template: Literal["order_status", "delivery_delay", "written_by_hand"] = Field(
        description="Which of our templates answers it; written_by_hand if none does."
    )
    draft: Annotated[Words, Field(min_length=1, max_length=3000)] = Field(
        description="An answer in your own words, for a support lead to approve, edit or throw away."
    )
    reason: Annotated[Words, Field(max_length=1000)] = Field(description="Why, for the support lead.")


_SIGNS: tuple[tuple[Category, str], ...] = (
    ("refund_request", r"refund|money back"),
    ("delivery_delay", r"\blate\b|delay|when will"),
    ("order_status", r"where is|status"),
    ("account_question", r"account|e-mail address|password"),
)
_SURE, _TORN, _LOST = 90, 55, 20
_DRAFTS: dict[str, str] = {
    "refund_request": "we would like to look into your refund. Which order is it about?",
    "account_question": "you can change your account's data under Settings. Does that help?",
    "complaint": "we are sorry. A support lead is looking into what went wrong.",
    "legal_or_safety": "we take this seriously. A support lead will get in touch with you today.",
}


def classifier_playbook(view: Json) -> Classification:
    """Go by plain signs in the text: one is sure, several are torn, none is lost."""
    ticket = view["ticket"]
    text = f"{ticket['subject']} {ticket['body']}".lower()
    risk = _risk(text)
    found: list[Category] = [category for category, sign in _SIGNS if re.search(sign, text)]
    if risk in {"legal", "safety"}:
        found = ["legal_or_safety"]
    elif risk == "angry":
        found = ["complaint"]
    return Classification(
        category=found[0] if found else "other",
        urgency="high" if "urgent" in text or risk == "safety" else "normal",
        risk=risk,
        summary=f"Taken for {found[0].replace('_', ' ') if found else 'nothing that is known'}.",
        confidence_percent={0: _LOST, 1: _SURE}.get(len(found), _TORN),
        evidence=["ticket"],
    )


def resolver_playbook(view: Json) -> Resolution:
    """Take the category's template where its facts are on record; else draft something polite."""
    category, matter = view["classifier"]["category"], view["matter"]
    by_record = category in TEMPLATES and category in matter["on_record"]
    draft = _DRAFTS.get(category, "a support lead is looking into this and will write to you.")
    return Resolution(
        template=category if by_record else "written_by_hand",
        draft=f"Hello,\n\n{draft}\n\nYour support team",
        reason="The records answer it." if by_record else "No template of ours answers it by the records.",
        confidence_percent=_SURE,
        evidence=["ticket", "account", "product_events"],
    )


def _risk(text: str) -> Risk:
    if re.search(r"lawyer|court|sue\b", text):
        return "legal"
    if re.search(r"fire|burn|injur", text):
        return "safety"
    return "angry" if re.search(r"furious|worst|terrible|disgrace", text) else "none"

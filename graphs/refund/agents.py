"""What the refund's agents say, and the playbooks that stand in for a model."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from nodes.agent import Clause, Output, Words
from nodes.shapes import Json

_SURE = 90


class Triage(Output):
    """What a request is about."""

    kind: Literal["refund", "question", "complaint", "other"] = Field(description="What the ticket asks for.")
    summary: Annotated[Words, Field(max_length=600)] = Field(
        description="The request in one or two sentences."
    )


class Suspicion(Output):
    """Whether something about a request looks like fraud."""

    suspicious: bool = Field(description="Whether people should look before anything is paid.")
    reason: Annotated[Words, Field(max_length=600)] = Field(
        description="What looks like fraud, or that nothing does, for a reviewer."
    )


class Assessment(Output):
    """What the refund policy says to a request."""

    recommendation: Literal["refund", "decline"] = Field(description="Whether the policy supports a refund.")
    reason: Annotated[Words, Field(max_length=1000)] = Field(
        description="Why, in plain words, for a reviewer."
    )
    policy: list[Clause] = Field(max_length=10, description="The clauses relied on, such as RP-2.1.")


def triage_playbook(view: Json) -> Triage:
    """The request's own reason code says what it is about."""
    event = view["event"]
    return Triage(
        kind="refund",
        summary=f"Refund asked for order {event['order_id']}: {event['reason_code'].replace('_', ' ')}.",
        confidence_percent=_SURE,
        evidence=["event", "ticket"],
    )


def fraud_playbook(view: Json) -> Suspicion:
    """An open signal is suspicious; nothing else is, to a playbook."""
    signals = view["fraud"]["signals"]
    return Suspicion(
        suspicious=bool(signals),
        reason=f"There are {len(signals)} open signals." if signals else "There is no open signal.",
        confidence_percent=_SURE,
        evidence=["fraud", "history"],
    )


def policy_playbook(view: Json) -> Assessment:
    """Recommend what a delivered order with money left on it allows."""
    order, target = view["order"], view["target"]
    delivered = order["delivered_at"]
    left = target["refundable_minor"] >= target["amount_minor"]
    supported = delivered is not None and left
    since = f"delivered on {datetime.fromisoformat(delivered).date()}" if delivered else "not delivered"
    return Assessment(
        recommendation="refund" if supported else "decline",
        reason=f"The order is {since}; {'enough' if left else 'not enough'} of the payment is left.",
        policy=["RP-2.1", "RP-3.1"],
        confidence_percent=_SURE,
        evidence=["order", "payments", "target"],
    )

"""The refunds of the demo: small, large, suspicious, late, malformed, doubled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.demo.scenario import Doors, Scenario, Sent, event
from api.show import console, refund_table
from graphs.wiring import Parts
from nodes.shapes import Json
from tools.contract import Call
from tools.sandbox.cast import CAST

ENDS = {
    **{f"clean_29_90_{n}": "closed" for n in range(1, 6)},
    "clean_49_99": "closed",
    "clean_50_00": "closed",
    "clean_50_01": "closed",
    "clean_120_00_1": "closed",
    "clean_120_00_2": "rejected",
    "clean_180_00": "closed",
    "clean_500_00": "closed",
    "clean_500_01": "closed",
    "clean_640_00_1": "closed",
    "clean_1250_00": "rejected",
    "fraud_customer": "escalated",
    "fraud_order": "escalated",
    "window_over": "rejected",
    "window_31_days": "rejected",
    "double_capture": "escalated",
    "usd": "escalated",
    "fully_refunded": "rejected",
}
"""The scenes that become cases, and where each must end."""


REJECTED = {
    "clean_120_00_2": "The photo shows another product.",
    "clean_1250_00": "Not damaged, only opened.",
}
"""What the people reject, and why."""


def _event(scene: str) -> Json:
    cast = CAST[scene]
    data = {
        "order_id": cast.order_id,
        "customer_id": cast.customer_id,
        "ticket_id": cast.ticket_id,
        "reason_code": "damaged",
    }
    return event(scene, "com.countersign.refund.requested", data)


async def _mispaid(parts: Parts, doors: Doors, _sent: Mapping[str, str]) -> list[str]:
    """Orders whose refunds in the payment system are not what their case came to."""
    refunds = await _refunds(parts, doors.began_at)
    console.print(refund_table(refunds))
    paid: dict[str, list[int]] = {}
    for refund in refunds:
        paid.setdefault(refund["order_id"], []).append(refund["amount_minor"])
    wanted = {
        CAST[scene].order_id: [CAST[scene].amount_minor] for scene, end in ENDS.items() if end == "closed"
    }
    return [
        f"order {order}: refunded {paid.get(order, [])}, not {wanted.get(order, [])}"
        for order in sorted(paid.keys() | wanted.keys())
        if paid.get(order) != wanted.get(order)
    ]


async def _refunds(parts: Parts, since: datetime) -> list[dict[str, Any]]:
    """The refunds of the demo's orders that were made since it began, asked of the payment system itself."""
    arguments = parts.registry.describe("payments.list").arguments
    found: list[dict[str, Any]] = []
    for scene in ENDS:
        wanted = arguments.model_validate({"order_id": CAST[scene].order_id})
        paid = await parts.registry.call(parts.capability, "payments.list", wanted, Call(key="demo"))
        made = paid.model_dump()["refunds"]
        found += [refund for refund in made if refund["created_at"] >= since]
    return found


SCENARIO = Scenario(
    workflow="refund",
    says="25 refund events: small, large, suspicious, late, malformed, doubled",
    people={"maya": ("support_lead",), "jonas": ("support_lead",), "ines": ("finance",)},
    cases={scene: Sent(_event(scene), end) for scene, end in ENDS.items()},
    doubled="clean_29_90_1",
    refused={
        "malformed": _event("clean_29_90_6") | {"data": {"order_id": "O-1"}},
        "a stranger's ticket": _event("strangers_ticket"),
    },
    rejected=REJECTED,
    check=_mispaid,
)

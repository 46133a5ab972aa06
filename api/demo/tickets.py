"""The tickets of the demo: answered by the records, by a person, by nobody, and one that wants money back."""

from collections.abc import Mapping
from typing import Any

from api.demo.scenario import Doors, Scenario, Sent, event
from api.show import console, reply_table
from graphs.wiring import Parts
from nodes.shapes import Json
from tools.contract import Call
from tools.sandbox.product_events.cast import TICKETS

ENDS = {
    "where_is_it": "closed",
    "late": "closed",
    "injected": "closed",
    "account": "closed",
    "lawyer": "closed",
    "angry": "rejected",
    "wants_money_back": "closed",
    "unclear": "escalated",
    "done_with": "rejected",
}
"""The scenes that become cases, and where each must end."""
HANDED_OVER = "wants_money_back"
ANSWERED = {
    "where_is_it": "order_status",
    "late": "delivery_delay",
    "injected": "order_status",
    "account": "written_by_hand",
    "lawyer": "written_by_hand",
    HANDED_OVER: "refund_done",
}
"""By scene the template of the one answer that its customer must have got; the others must have got none."""


def _event(scene: str) -> Json:
    cast = TICKETS[scene]
    data = {"ticket_id": cast.ticket_id, "customer_id": cast.ticket_customer_id}
    return event(f"ticket-{scene}", "com.countersign.ticket.received", data)


async def _misanswered(parts: Parts, doors: Doors, sent: Mapping[str, str]) -> list[str]:
    """Tickets whose answers in the help desk are not what their case came to."""
    replies = {scene: await _replies(parts, scene) for scene in ENDS}
    console.print(reply_table([reply for found in replies.values() for reply in found]))
    faults = [
        f"ticket {TICKETS[scene].ticket_id}: answered with {got}, not {wanted}"
        for scene, found in replies.items()
        if (got := [reply["template"] for reply in found])
        != (wanted := [ANSWERED[scene]] if scene in ANSWERED else [])
    ]
    return faults + await _astray(doors, sent[HANDED_OVER])


async def _astray(doors: Doors, parent: str) -> list[str]:
    """What is wrong with the refund that a ticket was handed over to."""
    told = await doors.shop.timeline(parent)
    below = [event["data"]["case"] for event in told if event["kind"] == "case.handed_over"]
    cases = [await doors.shop.case(case_id) for case_id in below]
    if [(case["workflow"], case["status"]) for case in cases] == [("refund", "closed")]:
        return []
    return [f"the refund of ticket {TICKETS[HANDED_OVER].ticket_id} did not come to its end"]


async def _replies(parts: Parts, scene: str) -> list[dict[str, Any]]:
    """What a ticket's customer was answered, asked of the help desk itself."""
    arguments = parts.registry.describe("tickets.get").arguments
    wanted = arguments.model_validate({"ticket_id": TICKETS[scene].ticket_id})
    ticket = await parts.registry.call(parts.capability, "tickets.get", wanted, Call(key="demo"))
    return list(ticket.model_dump()["replies"])


SCENARIO = Scenario(
    workflow="support_triage",
    says="9 tickets: plain, risky, unclear, closed, after money",
    people={"maya": ("support_lead",), "jonas": ("support_lead",)},
    cases={scene: Sent(_event(scene), end) for scene, end in ENDS.items()},
    doubled="where_is_it",
    refused={
        "another's ticket": _event("on_fire")
        | {"data": {"ticket_id": TICKETS["on_fire"].ticket_id, "customer_id": TICKETS["late"].customer_id}},
    },
    rejected={"angry": "I call them myself."},
    check=_misanswered,
)

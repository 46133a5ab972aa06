"""What stories about tickets share: a ticket comes in, and what its customer was answered."""

from typing import Any

from checkpoints.cases import Case
from checkpoints.reviews import Review
from graphs.intake import CloudEvent, Intake
from tests.house import SHOP, House
from tools.contract import Call
from tools.sandbox.product_events.cast import TICKETS


def ticket_event(scene: str, event_id: str | None = None, **data: Any) -> CloudEvent:
    """The event of a cast ticket."""
    cast = TICKETS[scene]
    body = {"ticket_id": cast.ticket_id, "customer_id": cast.ticket_customer_id}
    return CloudEvent(
        id=event_id or scene, source="/desk", type="com.countersign.ticket.received", data=body | data
    )


async def after_ticket(house: House, scene: str, event_id: str | None = None, **data: Any) -> Case:
    """The case of a ticket once all work that can be done without people is done."""
    case, _ = await Intake(house.parts).receive(ticket_event(scene, event_id, **data), SHOP)
    await house.work()
    return await house.case(case.id)


async def ticket_review(house: House, scene: str) -> Review:
    """The open review that a ticket comes to."""
    return await house.review((await after_ticket(house, scene)).id)


async def answers(house: House, scene: str) -> list[dict[str, Any]]:
    """What the ticket's customer has really been answered."""
    ticket = await read(house, "tickets.get", ticket_id=TICKETS[scene].ticket_id)
    return list(ticket["replies"])


async def read(house: House, tool: str, **arguments: str) -> dict[str, Any]:
    """What a system says, asked past every node."""
    registry, capability = house.parts.registry, house.parts.capability
    given = registry.describe(tool).arguments.model_validate(arguments)
    record = await registry.call(capability, tool, given, Call(key="test"))
    return dict(record.model_dump(mode="json"))

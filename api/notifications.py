"""/notifications: who was told of what, and what could not be delivered."""

from fastapi import APIRouter

from api.access import Caller, TheParts
from api.cases import After, Id, Limit
from api.shapes import NotificationOut, PageOut
from checkpoints.outbox import DeliveryState, list_deliveries
from graphs.notifier import Notifier

router = APIRouter(tags=["notifications"])


@router.get("/notifications")
async def list_notifications(
    parts: TheParts,
    _caller: Caller,
    limit: Limit = 50,
    after: After = None,
    state: DeliveryState | None = None,
) -> PageOut[NotificationOut]:
    """Notifications, newest first."""
    async with parts.database.transaction() as tx:
        page = await list_deliveries(tx, limit=limit, after=after, state=state)
    return PageOut(items=[NotificationOut.of(delivery) for delivery in page.items], next=page.next)


@router.post("/notifications/{notification_id}/retry")
async def retry_notification(parts: TheParts, caller: Caller, notification_id: Id) -> NotificationOut:
    """Have one that was given up sent after all; who asked for it is on the record."""
    return NotificationOut.of(await Notifier(parts).retry(notification_id, caller))

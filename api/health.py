"""/health: is the process alive, and can it work?"""

from fastapi import APIRouter

from api.access import TheParts
from api.shapes import Health

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/ready")
async def ready(parts: TheParts) -> Health:
    """The database answers too."""
    async with parts.database.transaction() as tx:
        await tx.driver.execute("SELECT 1")
    return Health(status="ready")

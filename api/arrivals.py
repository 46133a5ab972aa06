"""Arrivals: who came in with a token and what was turned away, on the record without a write per request."""

from datetime import UTC
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from graphs.people import ExpiredToken, UnknownToken
from graphs.wiring import Parts
from nodes.permissions import Principal

SIGNED_IN, REFUSED = "access.signed_in", "access.refused"
DOOR = "system:door"
_HOUR, _MINUTE = "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M"


class Arrivals:
    """Tells the log of arrivals, each kind of them once a period of UTC, whichever process sees it first."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._told: dict[str, str] = {}

    async def signed_in(self, principal: Principal, route: str) -> None:
        """The first use of a token by this principal in this hour, and on which route; else nothing."""
        await self._tell(SIGNED_IN, principal.actor, principal.actor, _HOUR, {"route": route})

    async def refused(self, error: UnknownToken, route: str) -> None:
        """A token that is unknown or has expired: the first of its kind in this minute; else nothing.

        Who floods the door with tokens adds an event a minute and kind. The token itself is nowhere.
        """
        if isinstance(error, ExpiredToken):
            data = {"why": "expired", "route": route, "account": error.actor}
        else:
            data = {"why": "unknown", "route": route}
        await self._tell(REFUSED, data["why"], DOOR, _MINUTE, data)

    async def _tell(self, kind: str, what: str, actor: str, period: str, data: dict[str, Any]) -> None:
        at = self._parts.clock()
        during, key = at.astimezone(UTC).strftime(period), f"{kind}/{what}"
        if self._told.get(key) == during:
            return
        event_id = str(uuid5(NAMESPACE_OID, f"{key}/{during}"))
        event = Event(id=event_id, case_id=None, kind=kind, actor=actor, at=at, data=data)
        async with self._parts.database.transaction() as tx:
            await tell(tx, event)
        self._told[key] = during

"""Where the log's signed heads are anchored: which places, and the round that brings them the newest head."""

import logging
from dataclasses import dataclass

from checkpoints.anchors import (
    ANCHOR_FAILED,
    ANCHORED,
    Unanchored,
    next_to_anchor,
    record_anchored,
)
from checkpoints.audit import Event, tell
from graphs.wiring import Parts
from tools.anchors.anchor import Anchor, AnchorUnreachable

logger = logging.getLogger(__name__)

ACTOR = "system:log"


@dataclass(frozen=True, slots=True)
class Anchoring:
    """Brings each anchor the newest signed head, if it is over anything new, and tells of it in the log."""

    parts: Parts

    async def run(self) -> int:
        """Bring it to every anchor; returns how many took one. An anchor that cannot holds up no other."""
        return sum([await self._bring(anchor) for anchor in self.parts.anchors])

    async def _bring(self, anchor: Anchor) -> bool:
        async with self.parts.database.transaction() as tx:
            head = await next_to_anchor(tx, anchor.name)
        if head is None:
            return False
        try:
            await anchor.keep(head.size, head.note, self.parts.clock())
        except AnchorUnreachable as error:
            logger.warning("the log's head is not anchored: %s", error)
            await self._tell_failed(anchor, head, str(error))
            return False
        await self._tell_anchored(anchor, head)
        return True

    async def _tell_anchored(self, anchor: Anchor, head: Unanchored) -> None:
        at = self.parts.clock()
        async with self.parts.database.transaction() as tx:
            await record_anchored(tx, anchor.name, head, at)
            await tell(tx, self._event(ANCHORED, anchor, head.size, size=head.size))

    async def _tell_failed(self, anchor: Anchor, head: Unanchored, why: str) -> None:
        """Tell it once until the anchor takes a head again: the event's id is that of the streak."""
        async with self.parts.database.transaction() as tx:
            await tell(tx, self._event(ANCHOR_FAILED, anchor, head.after, size=head.size, why=why))

    def _event(self, kind: str, anchor: Anchor, since: int, **data: int | str) -> Event:
        return Event(
            id=f"{kind}:{anchor.name}:{since}",
            case_id=None,
            kind=kind,
            actor=ACTOR,
            at=self.parts.clock(),
            data={"anchor": anchor.name, **data},
        )

"""Which signed heads are anchored where, and what would be new to an anchor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import dict_row

from checkpoints.database import Transaction

ANCHORED, ANCHOR_FAILED = "audit.anchored", "audit.anchor_failed"

_LAST = "SELECT coalesce(max(size), 0) AS size FROM audit_anchors WHERE anchor = %s"
_NEWEST = """
SELECT size, note FROM audit_heads WHERE size > %s AND note IS NOT NULL ORDER BY size DESC LIMIT 1
"""
_MORE = """
SELECT EXISTS (
    SELECT 1 FROM audit_leaves l JOIN audit_events e USING (seq)
    WHERE l.index >= %s AND l.index < %s AND e.kind <> ALL(%s::text[])
) AS more
"""
_RECORD = """
INSERT INTO audit_anchors (anchor, size, note, at) VALUES (%s, %s, %s, %s)
ON CONFLICT (anchor, size) DO NOTHING
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanchored:
    """A signed head that an anchor does not have; `after` is the size of the last one that it has."""

    size: int
    note: str
    after: int


async def next_to_anchor(
    tx: Transaction, anchor: str, own: Sequence[str] = (ANCHORED, ANCHOR_FAILED)
) -> Unanchored | None:
    """The newest signed head, if it says more than the last one that this anchor has.

    Anchoring is itself told in the log; a head that is over nothing new but that is not worth anchoring, or
    anchoring would go on for ever.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        last = await (await cursor.execute(_LAST, (anchor,))).fetchone()
        assert last is not None
        head = await (await cursor.execute(_NEWEST, (last["size"],))).fetchone()
        if head is None:
            return None
        found = await (await cursor.execute(_MORE, (last["size"], head["size"], list(own)))).fetchone()
    if found is None or not found["more"]:
        return None
    return Unanchored(size=head["size"], note=head["note"], after=last["size"])


async def record_anchored(tx: Transaction, anchor: str, head: Unanchored, at: datetime) -> None:
    """Remember that the anchor has this head."""
    await tx.driver.execute(_RECORD, (anchor, head.size, head.note, at))

"""The reconciler: deeds in doubt, and what cases wait for, are looked at again by themselves.

Deeds in doubt are looked up, and systems that were away asked, later each time; in the end people are.
"""

from dataclasses import dataclass
from datetime import datetime

from checkpoints.cases import get_case
from checkpoints.exceptions import RECONCILER, Passing, get_standstill, passing, to_look_at
from graphs.backoff import wait_after
from graphs.standstills import set_going
from graphs.wiring import Parts
from tools.breakers import ConnectorRests
from tools.contract import ToolUnavailable
from tools.registry import ConnectorBusy

MOST_TRIES = 6
"""Some five hours after the first; then it stays for a person."""
AWAY = frozenset(
    f"{at}{error.reason}"
    for error in (ToolUnavailable, ConnectorRests, ConnectorBusy)
    for at in ("", "source_")
)
"""Why a case stands still that came to a system while that did not answer."""
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Retries the exceptions of cases about which looking again can tell more."""

    parts: Parts

    async def run(self) -> int:
        """Retry what is due; returns how many cases were set going."""
        now = self.parts.clock()
        async with self.parts.database.transaction() as tx:
            may_pass = await passing(tx, self._telling, AWAY, most=MOST_TRIES, limit=_AT_ONCE)
            waiting = await to_look_at(tx, now, limit=_AT_ONCE)
        due = [one.id for one in may_pass if _due_at(one) <= now]
        return sum([await self._tried(one) for one in dict.fromkeys([*due, *waiting])])

    async def _tried(self, exception_id: str) -> bool:
        """Each in a transaction of its own; what somebody else has found a way out of is left alone."""
        async with self.parts.database.transaction() as tx:
            case_id = (await get_standstill(tx, exception_id)).case_id
            await get_case(tx, case_id, lock=True)
            found = await get_standstill(tx, exception_id, lock=True)
            if found.closed_at is not None:
                return False
            await set_going(tx, self.parts, found, RECONCILER)
            return True

    @property
    def _telling(self) -> list[str]:
        """Tools that can say what became of a deed, or take the same call again for the same deed."""
        registry = self.parts.registry
        return [tool.name for tool in registry if tool.idempotent or registry.can_find(tool.name)]


def _due_at(one: Passing) -> datetime:
    chance = int(one.id[:8], 16) / 0xFFFFFFFF  # of its own, and the same whenever it is asked
    return one.opened_at + wait_after(one.tries + 1, chance)

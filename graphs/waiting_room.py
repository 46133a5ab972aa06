"""The waiting room: how many new cases may wait for a worker. Who is in it already always goes on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoints.cases import waiting_to_begin
from checkpoints.database import Database
from graphs.settings import Room

LOOK_AGAIN = timedelta(seconds=1)
COME_BACK_SECONDS = 5


class NoRoom(Exception):
    """So many cases wait to be begun that no new one is let in for now: send the same event again later."""

    reason = "no_room"
    seconds = COME_BACK_SECONDS


@dataclass(slots=True)
class WaitingRoom:
    """Counts who waits, for all processes together, from a look that is at most a second old.

    What this process has let in since is counted too. So the bound is passed by no more than what the other
    processes let in within that second.
    """

    room: Room
    database: Database
    clock: Callable[[], datetime]
    _waiting: Counter[str] = field(default_factory=Counter)
    _looked_at: datetime | None = None

    async def take_place(self, workflow: str) -> None:
        """Take a place for a new case; raises NoRoom if all places, or all of its workflow, are taken."""
        now = self.clock()
        if self._looked_at is None or not timedelta() <= now - self._looked_at < LOOK_AGAIN:
            self._looked_at = now  # before the look: whoever comes meanwhile does not look as well
            async with self.database.transaction() as tx:
                self._waiting = Counter(await waiting_to_begin(tx))
        if self._waiting.total() >= self.room.most or self._waiting[workflow] >= self.room.most_of_one:
            raise NoRoom
        self._waiting[workflow] += 1

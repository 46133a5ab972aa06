"""Connectors: how often they are tried, when they rest, and that this is on the record."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoints.audit import Event, tell
from checkpoints.database import Database
from checkpoints.errors import DatabaseAway
from tools.breakers import Condition, Standing
from tools.persistence import Persistence, Sleep

logger = logging.getLogger(__name__)

ACTOR = "system:breakers"


def asking(sleep: Sleep, chance: Callable[[], float]) -> Persistence:
    """How often a question that changes nothing is asked: 3 times, after about 0.2 s and 0.6 s."""
    return Persistence(tries=3, first=timedelta(milliseconds=200), sleep=sleep, chance=chance)


def doing(sleep: Sleep, chance: Callable[[], float]) -> Persistence:
    """How often a deed whose answer was lost is called: 3 times, if it may be, after about 1 s and 3 s."""
    return Persistence(tries=3, first=timedelta(seconds=1), sleep=sleep, chance=chance)


@dataclass(frozen=True, slots=True)
class ConnectorRecord:
    """Tells the log that a connector begins to rest or works again.

    While the database is away it keeps what it has to tell, and tells it with the next change.
    """

    database: Database
    clock: Callable[[], datetime]
    ids: Callable[[], str]
    untold: list[Event] = field(default_factory=list)

    async def __call__(self, standing: Standing) -> None:
        """Put this on the record."""
        logger.warning("connector %s %s", standing.connector, standing.condition)
        self.untold.append(self._event(standing))
        telling = list(self.untold)
        try:
            async with self.database.transaction() as tx:
                for event in telling:
                    await tell(tx, event)
        except DatabaseAway as away:
            logger.warning("that a connector changed is told later: %s", away)
            return
        self.untold[:] = [event for event in self.untold if event not in telling]

    def _event(self, standing: Standing) -> Event:
        data: dict[str, object] = {"connector": standing.connector}
        if standing.condition is Condition.RESTS and standing.until is not None:
            data |= {"failures": standing.failures, "until": standing.until.isoformat()}
        return Event(
            id=self.ids(),
            case_id=None,
            kind=f"connector.{standing.condition}",
            actor=ACTOR,
            at=standing.since,
            data=data,
        )

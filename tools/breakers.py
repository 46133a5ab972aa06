"""Circuit breakers: a connector that fails again and again rests a while, and is then tried by one call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tools.contract import ToolError, ToolRefused, ToolUnavailable

MOST_FAILURES = 5
"""So many failures in a row, and a connector rests."""
REST = timedelta(seconds=30)
"""How long it rests before one call may try it."""


class ConnectorRests(ToolUnavailable):
    """The connector has failed too often in a row and is left alone for a while; nothing was called."""

    reason = "connector_rests"


class Condition(StrEnum):
    """How a connector is."""

    WORKS = "works"
    RESTS = "rests"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a connector is, since when, after how many failures in a row, and when it is tried again."""

    connector: str
    condition: Condition
    since: datetime
    failures: int
    until: datetime | None


@dataclass(slots=True)
class _Breaker:
    since: datetime
    failures: int = 0
    until: datetime | None = None
    trial: asyncio.Event | None = None


Tell = Callable[[Standing], Awaitable[None]]
"""Told whenever a connector begins to rest, or works again."""


class Breakers:
    """The breakers of a process, one a connector, shared by everything that it does."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        tell: Tell | None = None,
        *,
        most: int = MOST_FAILURES,
        rest: timedelta = REST,
    ) -> None:
        self._clock, self._tell, self._most, self._rest = clock, tell, most, rest
        self._breakers: dict[str, _Breaker] = {}

    def rests(self, connector: str) -> bool:
        """Whether a call of it would be refused now; takes nobody's turn."""
        until = self._of(connector).until
        return until is not None and until > self._clock()

    async def trial_over(self, connector: str, within: timedelta) -> None:
        """Wait, not longer than this, until the call that tries it at this moment has ended."""
        trial = self._of(connector).trial
        if trial is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await trial.wait()

    def begin(self, connector: str) -> None:
        """Ask to call it; raises ConnectorRests.

        Of a connector that has rested one caller alone gets to try; if nothing is heard of that call, another
        one may after as long a rest.
        """
        if self.rests(connector):
            raise ConnectorRests(f"{connector} has failed too often in a row and rests")
        breaker = self._of(connector)
        if breaker.until is not None:
            breaker.until, breaker.trial = self._clock() + self._rest, asyncio.Event()

    @asynccontextmanager
    async def watching(self, connector: str) -> AsyncIterator[None]:
        """Count how the call in this block ends: a refusal is an answer, and whoever answers works."""
        try:
            yield
        except ToolRefused:
            await self.worked(connector)
            raise
        except ToolError:
            await self.failed(connector)
            raise
        await self.worked(connector)

    async def failed(self, connector: str) -> None:
        """Count a failure; the last one that is borne lets the connector rest, as a failed trial does."""
        breaker = self._of(connector)
        breaker.failures += 1
        now, rested = self._clock(), breaker.until is not None
        if rested or breaker.failures >= self._most:
            breaker.until = now + self._rest
            _end_trial(breaker)
        if breaker.until is not None and not rested:
            breaker.since = now
            await self._told(connector)

    async def worked(self, connector: str) -> None:
        """It has answered: whatever was the matter is over."""
        breaker = self._of(connector)
        breaker.failures = 0
        if breaker.until is not None:
            breaker.until, breaker.since = None, self._clock()
            _end_trial(breaker)
            await self._told(connector)

    def standings(self) -> list[Standing]:
        """How every connector is that was ever called, by name."""
        return [self._standing(name) for name in sorted(self._breakers)]

    def _of(self, connector: str) -> _Breaker:
        return self._breakers.setdefault(connector, _Breaker(self._clock()))

    def _standing(self, connector: str) -> Standing:
        breaker = self._breakers[connector]
        condition = Condition.WORKS if breaker.until is None else Condition.RESTS
        return Standing(
            connector=connector,
            condition=condition,
            since=breaker.since,
            failures=breaker.failures,
            until=breaker.until,
        )

    async def _told(self, connector: str) -> None:
        if self._tell is not None:
            await self._tell(self._standing(connector))


def _end_trial(breaker: _Breaker) -> None:
    if breaker.trial is not None:
        breaker.trial.set()
        breaker.trial = None

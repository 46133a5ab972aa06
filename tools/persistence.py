"""Persistence: how often something is tried, and how long is waited in between."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Persistence:
    """A bounded number of tries, each after a longer wait, and none begun after too long.

    Attributes:
        tries: how often at most, the first time included.
        first: the wait after the first try; after the n-th it is `first * growth^(n - 1)`.
        jitter: by which part a wait is made longer or shorter, so that not everybody comes back at once.
        within: no try begins later than this after the first one did.
        chance: a number from 0 to 1, anew each time.
        monotonic: seconds that only go up.
    """

    tries: int
    first: timedelta
    growth: float = 3.0
    jitter: float = 0.5
    within: timedelta = timedelta(seconds=15)
    sleep: Sleep
    chance: Callable[[], float]
    monotonic: Callable[[], float] = time.monotonic

    def wait_after(self, tried: int) -> timedelta:
        """How long to wait after the try of this number, the first being 1."""
        return self.first * self.growth ** (tried - 1) * (1 + self.jitter * (2 * self.chance() - 1))

    async def again(self, tried: int, began: float | None = None) -> bool:
        """Wait for the next try after this one; False, at once, if there is none.

        Args:
            tried: the number of the try that failed, the first being 1.
            began: what `monotonic` said when the first try began; if not given, time is no limit.
        """
        if tried >= self.tries:
            return False
        wait = self.wait_after(tried).total_seconds()
        if began is not None and self.monotonic() + wait - began > self.within.total_seconds():
            return False
        await self.sleep(wait)
        return True


ONCE = Persistence(tries=1, first=timedelta(), sleep=asyncio.sleep, chance=lambda: 0.5)
"""Nothing is tried a second time."""

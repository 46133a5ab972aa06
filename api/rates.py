"""Rates: how often one address and one principal may call, by a bucket of tokens each."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from starlette.requests import Request

from graphs.settings import Rate

MOST_KNOWN = 10_000
"""Buckets that are kept; the full ones are forgotten first, since a new one is full too."""
_UNMETERED = re.compile(r"/health/")


class TooManyRequests(Exception):
    """Too many requests: wait as long as Retry-After says."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests: try again in {seconds} s")
        self.seconds = seconds


@dataclass(slots=True)
class Bucket:
    """What is left, as of a moment."""

    left: float
    at: datetime


@dataclass(slots=True)
class Buckets:
    """A bucket for each name: it holds as many calls as a minute allows, and fills evenly over a minute."""

    rate: Rate
    clock: Callable[[], datetime]
    known: dict[str, Bucket] = field(default_factory=dict)

    def take(self, name: str) -> None:
        """Take one call; raises TooManyRequests, with the seconds until there is one."""
        now, bucket = self.clock(), self.known.get(name)
        left = self.rate.per_minute if bucket is None else self._left(bucket, now)
        if left < 1:
            raise TooManyRequests(max(1, ceil((1 - left) * 60 / self.rate.per_minute)))
        if bucket is None and len(self.known) >= MOST_KNOWN:
            self._forget(now)
        self.known[name] = Bucket(left - 1, now)

    def _left(self, bucket: Bucket, now: datetime) -> float:
        passed = max(0.0, (now - bucket.at).total_seconds())
        return min(self.rate.per_minute, bucket.left + passed * self.rate.per_minute / 60)

    def _forget(self, now: datetime) -> None:
        """Make room: for those that are full again, and if there are none, for the one longest unused."""
        full = [name for name, one in self.known.items() if self._left(one, now) >= self.rate.per_minute]
        for name in full or [min(self.known, key=lambda name: self.known[name].at)]:
            del self.known[name]


@dataclass(frozen=True, slots=True)
class Rates:
    """The buckets of addresses and of principals. An address is what connects: a proxy is one for all."""

    addresses: Buckets
    principals: Buckets

    def require_address(self, request: Request) -> None:
        """Raise TooManyRequests if this address calls too often; health is for machines that look often."""
        if not _UNMETERED.match(request.url.path):
            self.addresses.take(request.client.host if request.client else "")

    def require_principal(self, actor: str) -> None:
        """Raise TooManyRequests if this principal calls too often, from wherever."""
        self.principals.take(actor)

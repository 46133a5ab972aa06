"""The real clock and real ids. Whoever needs either is handed one: these, or a test's."""

from collections.abc import Callable
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

Clock = Callable[[], datetime]
Ids = Callable[[], str]


def utc_now() -> datetime:
    """The time, UTC-aware."""
    return datetime.now(UTC)


def new_id() -> str:
    """A UUID version 7: unique, and sorted by the time it was made."""
    return str(uuid7())

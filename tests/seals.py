"""A seal for tests that need one and no database."""

from datetime import UTC, datetime

from checkpoints.sealing import Seal

KEY = "5e" * 32


def a_seal(case_id: str = "case-1", key: str = KEY) -> Seal:
    """A seal that keeps what it sealed in memory."""
    return Seal(case_id, key, lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))

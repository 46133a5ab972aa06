"""When something that failed is tried again: later each time, and never everything at the same moment."""

from datetime import timedelta

FIRST = timedelta(seconds=30)
GROWTH = 3.5
JITTER = 0.2
LONGEST_ASKED = timedelta(hours=6)
"""A receiver that asks us to wait longer than this is asked again after this."""


def wait_after(attempt: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """How long to wait after the attempt of this number, the first being 1.

    `30 s * 3.5^(attempt - 1)`, give or take a fifth by `chance` from 0 to 1: eight attempts span 21 hours.
    What the receiver asked for counts if it is longer, up to six hours.
    """
    wait = FIRST * GROWTH ** (attempt - 1) * (1 + JITTER * (2 * chance - 1))
    return max(wait, min(asked or timedelta(), LONGEST_ASKED))

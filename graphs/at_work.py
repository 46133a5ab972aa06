"""At work: which case the running task works on, so that each log line written meanwhile can name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CASE: ContextVar[str | None] = ContextVar("countersign_case", default=None)
"""The id of the case that this task, and whatever it starts, works on."""


@contextmanager
def on_case(case_id: str) -> Iterator[None]:
    """Work on this case for as long as the block lasts."""
    before = CASE.set(case_id)
    try:
        yield
    finally:
        CASE.reset(before)

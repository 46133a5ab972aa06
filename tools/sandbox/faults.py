"""What a database error means to whoever called a tool: refused, or nobody knows."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tools.contract import OutcomeUnknown, ToolRefused, ToolUnavailable

# SQLSTATE classes after which the server has rolled back: bad data, constraint, serialization and deadlock,
# syntax or permission, lack of resources, lock not available. 40003 says that it does not know itself.
_ROLLED_BACK = frozenset({"22", "23", "40", "42", "53", "55"})
_COMPLETION_UNKNOWN = "40003"


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn any database error into an unavailable system: right where nothing changes, as in a read."""
    try:
        yield
    except psycopg.Error as error:
        raise ToolUnavailable(f"the sandbox database did not answer: {_named(error)}") from error


@contextmanager
def unknown() -> Iterator[None]:
    """Turn any database error into an unknown outcome: right where a deed may be under way."""
    try:
        yield
    except psycopg.Error as error:
        raise OutcomeUnknown(f"the sandbox database gave no outcome: {_named(error)}") from error


@contextmanager
def refused_or_unknown() -> Iterator[None]:
    """Turn a database error inside a write into a refusal if the server said that it rolled back."""
    try:
        yield
    except psycopg.Error as error:
        if _rolled_back(error):
            raise ToolRefused(f"the sandbox database refused: {_named(error)}") from error
        raise OutcomeUnknown(f"the sandbox database gave no outcome: {_named(error)}") from error


def _rolled_back(error: psycopg.Error) -> bool:
    state = error.sqlstate
    if state is None:  # raised before anything was sent, if the data could not be written at all
        return isinstance(error, psycopg.DataError)
    return state[:2] in _ROLLED_BACK and state != _COMPLETION_UNKNOWN


def _named(error: psycopg.Error) -> str:
    """The error's kind and constraint; never its text, which quotes the row."""
    constraint = error.diag.constraint_name
    return f"{type(error).__name__} ({constraint})" if constraint else type(error).__name__

"""What Postgres can keep as it is, of JSON that came from outside."""

from typing import Any

MOST_NESTED = 100
"""How deep JSON may be nested; Python's own limit would depend on who calls."""


def storable(value: Any) -> bool:
    """Whether Postgres can keep this JSON unchanged: no NUL, no lone surrogates, not nested too deeply."""
    level = [value]
    for _ in range(MOST_NESTED):
        if any(isinstance(item, str) and not _clean(item) for item in level):
            return False
        level = [part for item in level for part in _parts(item)]
        if not level:
            return True
    return False


def _clean(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _parts(value: Any) -> list[Any]:
    match value:
        case dict():
            return [*value.keys(), *value.values()]
        case list():
            return value
        case _:
            return []

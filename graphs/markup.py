"""Markup: HTML made of templates in which every text is escaped, and what is invisible is made visible."""

import unicodedata
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_KEPT = "\n\t"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def environment(package: str, **filters: Callable[..., Any]) -> Environment:
    """The templates that lie in a package."""
    made = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )
    made.filters.update(filters)
    return made


def visible(text: str, kept: str = "") -> str:
    """The text with control, bidirectional and zero-width characters made visible, but for those kept."""
    return "".join(_visible(letter) if letter not in kept else letter for letter in text)


def _finalized(value: Any) -> Any:
    """What is put out; line breaks and tabs stay as they are."""
    if type(value) is not str:
        return "" if value is None else value
    return visible(value, kept=_KEPT)


def _visible(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if unicodedata.category(letter) in _INVISIBLE else letter

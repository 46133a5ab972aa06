"""Retention: how long each kind of personal data is kept, from the operator's file."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from nodes.strict_yaml import TableUnfit, load_yaml

USUAL = timedelta(days=184)
"""Six months: what is kept no longer cannot explain a decision that is questioned later."""

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.?")
_DAYS = re.compile(r"[1-9][0-9]{0,4}d")


def read_retention(file: Path | None) -> Mapping[str, timedelta]:
    """By kind of field how long it is kept after it was written; the kind `""` stands for all others.

    The file reads `{others: 184d, vote.: 1095d, ticket.body: 30d}`; without it everything is kept for USUAL.

    Raises:
        TableUnfit: the file does not read cleanly.
    """
    if file is None or not file.exists():
        return {"": USUAL}
    document = load_yaml(file.read_text(encoding="utf-8"), file.name)
    if not isinstance(document, dict):
        raise TableUnfit(f"{file.name}: kinds of fields and how long they are kept, such as vote.: 365d")
    return {"": USUAL} | {_kind(file, name): _life(file, name, told) for name, told in document.items()}


def _kind(file: Path, name: object) -> str:
    if name == "others":
        return ""
    if not isinstance(name, str) or not _KIND.fullmatch(name):
        raise TableUnfit(f"{file.name}: {name!r} is no kind of field: others, or a prefix such as vote.")
    return name


def _life(file: Path, name: object, told: object) -> timedelta:
    if not isinstance(told, str) or not _DAYS.fullmatch(told):
        raise TableUnfit(f"{file.name}: {name}: {told!r} is no time: days, such as 184d")
    return timedelta(days=int(told[:-1]))

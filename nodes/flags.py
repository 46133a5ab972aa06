"""Flags: what readers of untrusted text should notice. They help people, and are never a control."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from nodes.marks import mark_of
from nodes.records import Records
from nodes.shapes import Json
from tools.contract import Trust


class Flag(StrEnum):
    """What is conspicuous about a text."""

    GIVES_ORDERS = "gives_orders"
    CLAIMS_APPROVAL = "claims_approval"
    PRESSES_THE_READER = "presses_the_reader"
    HIDDEN_CHARACTERS = "hidden_characters"
    LOOKS_ENCODED = "looks_encoded"
    HAS_LINKS = "has_links"


SAYS: Mapping[Flag, str] = {
    Flag.GIVES_ORDERS: "gives orders to whoever reads it, as to a model",
    Flag.CLAIMS_APPROVAL: "claims that something is approved or verified",
    Flag.PRESSES_THE_READER: "presses its reader to decide, or not to look",
    Flag.HIDDEN_CHARACTERS: "holds characters that cannot be seen or that turn the order of others",
    Flag.LOOKS_ENCODED: "holds what looks encoded",
    Flag.HAS_LINKS: "holds links",
}
"""Each flag in words for a reviewer."""

_ANY = r"[^.!?\n]{0,60}?"
_PATTERNS: Mapping[Flag, tuple[str, ...]] = {
    Flag.GIVES_ORDERS: (
        rf"\b(ignore|disregard|forget|override|bypass)\b{_ANY}\b(instruction|rule|polic|prompt|above|previous|guard)",
        r"\b(system|developer) (prompt|message|instruction)",
        r"\byou are (now|an? (ai|assistant|agent|language model))\b",
        rf"\b(do not|don't|never|without)\b{_ANY}\b(ask|tell|inform|mention|notify|alert)",
        rf"\b(call|use|run|invoke|execute) the\b{_ANY}\b(tool|function)\b",
        r"<\|?(im_start|im_end|system|assistant|endoftext)\|?>|\[/?INST\]",
        rf"\b(ignorier|vergiss|missachte)\w*\b{_ANY}\b(anweisung|regel|vorgabe)",
    ),
    Flag.CLAIMS_APPROVAL: (
        rf"\b(already|pre|been|was|is|are|has)\b{_ANY}\b(approved|authori[sz]ed|verified|signed off)\b",
        rf"\b(manager|supervisor|finance|legal|ceo|director|boss)\b{_ANY}\b(approved|agreed|confirmed|said)\b",
        rf"\b(bereits|schon)\b{_ANY}\b(genehmigt|freigegeben|bestätigt)\b",
    ),
    Flag.PRESSES_THE_READER: (
        r"\b(dear|to the|note (to|for)|attention|hey|hi),? (the )?(reviewer|approver|auditor|moderator)\b",
        rf"\b(approve|sign|release|pay|accept)\b{_ANY}\b(immediately|now|at once|without|asap|today)\b",
        r"\bno (need|reason) to (check|review|look|verify|ask)\b",
        rf"\b(urgent|emergency|last (chance|warning)|deadline)\b{_ANY}\b(approve|sign|release|pay|refund)",
        rf"\b(you|we) will (be|get|lose)\b{_ANY}\b(fired|sued|blamed|liable|reported)\b",
        rf"\b(genehmig|unterschreib|freigeb|gib)\w*\b{_ANY}\b(sofort|umgehend|jetzt)\b",
    ),
    Flag.LOOKS_ENCODED: (r"[A-Za-z0-9+/]{120,}={0,2}", r"(?:\\x[0-9a-f]{2}){12,}", r"(?:%[0-9a-f]{2}){12,}"),
    Flag.HAS_LINKS: (r"\b(?:https?|ftp|data|javascript):\S", r"\bwww\.\w"),
}
_COMPILED = {
    flag: re.compile("|".join(f"(?:{one})" for one in patterns), re.IGNORECASE)
    for flag, patterns in _PATTERNS.items()
}
_LONGEST_READ = 200_000
"""Of a longer text the beginning and the end are read."""


def flags_of(text: str) -> list[Flag]:
    """What is conspicuous about a text, each once, in the order of `Flag`."""
    half = _LONGEST_READ // 2
    read = text if len(text) <= _LONGEST_READ else f"{text[:half]}\n{text[-half:]}"
    plain = unicodedata.normalize("NFKC", "".join(letter for letter in read if not _hidden(letter)))
    found = {flag for flag, pattern in _COMPILED.items() if pattern.search(plain)}
    if any(map(_hidden, read)):
        found.add(Flag.HIDDEN_CHARACTERS)
    return [flag for flag in Flag if flag in found]


def _hidden(letter: str) -> bool:
    """Whether a character cannot be seen: zero widths, tags, turned orders; a soft hyphen is ordinary."""
    return unicodedata.category(letter) in {"Cf", "Co", "Cn"} and letter != "\u00ad"


def flagged(records: Records) -> list[Json]:
    """The conspicuous fields of records that are not to be trusted: `[{field, flags}]`.

    What agents have said is read too: it may repeat what they were told.
    """
    found: list[Json] = []
    for name, record in sorted(records.items()):
        for path, text in _untrusted(name, record):
            if flags := flags_of(text):
                found.append({"field": path, "flags": [flag.value for flag in flags]})
    return found


def _untrusted(path: str, record: BaseModel) -> Iterator[tuple[str, str]]:
    """The texts in a record that come from outside or from a model, with where they stand."""
    for name in type(record).model_fields:
        trust = mark_of(type(record), name).trust
        outside = trust in {Trust.UNTRUSTED, Trust.MODEL}
        yield from _texts(f"{path}.{name}", getattr(record, name), outside=outside)


def _texts(path: str, value: Any, *, outside: bool) -> Iterator[tuple[str, str]]:
    match value:
        case str() if outside:
            yield path, str(value)
        case BaseModel():
            yield from _untrusted(path, value)
        case dict() if outside:
            yield from _each(path, value.items(), outside=outside)
        case list() | tuple():
            yield from _each(path, enumerate(value), outside=outside)


def _each(path: str, items: Iterable[tuple[Any, Any]], *, outside: bool) -> Iterator[tuple[str, str]]:
    for key, item in items:
        yield from _texts(f"{path}.{key}", item, outside=outside)

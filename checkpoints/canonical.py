"""Canonical JSON (RFC 8785) and the digests that are taken over it."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

_EXACT = 2**53


class NotCanonical(ValueError):
    """The value has no unambiguous canonical form."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value; raises NotCanonical for what JSON cannot hold exactly."""
    try:
        if _is_plain(value):  # then Python's own, sorted and without spaces, writes the very same
            return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        _require_exact(value)
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise NotCanonical(str(error)) from error


def _is_plain(value: Any) -> bool:
    """Whether a value holds nothing of what JSON writers differ in: numbers with a fraction, exotic keys."""
    match value:
        case None | bool() | str():
            return True
        case int():
            return abs(value) < _EXACT
        case dict():
            return all(isinstance(name, str) and name.isascii() for name in value) and all(
                map(_is_plain, value.values())
            )
        case list() | tuple():
            return all(map(_is_plain, value))
        case _:
            return False


def _require_exact(value: Any) -> None:
    """Refuse whole floats beyond 2^53: Postgres gives them back as integers that JSON cannot hold exactly."""
    match value:
        case float() if abs(value) >= _EXACT and value.is_integer():
            raise NotCanonical(f"{value} is beyond what JSON holds exactly")
        case Mapping():
            for item in value.values():
                _require_exact(item)
        case list() | tuple():
            for item in value:
                _require_exact(item)
        case _:
            return


def digest(value: Any) -> str:
    """Lower-case hex SHA-256 over the strict canonical form: NFC strings, no floats, no colliding keys."""
    return hashlib.sha256(canonical(_strict(value))).hexdigest()


def _strict(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case str():
            return unicodedata.normalize("NFC", value)
        case Mapping():
            return _strict_mapping(value)
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [_strict(item) for item in value]
        case _:
            raise NotCanonical(f"{type(value).__name__} has no place in what is signed")


def _strict_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    strict: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonical("keys of what is signed are strings")
        name = unicodedata.normalize("NFC", key)
        if name in strict:
            raise NotCanonical(f"two keys become one under NFC: {name!r}")
        strict[name] = _strict(item)
    return strict

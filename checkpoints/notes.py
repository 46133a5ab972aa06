"""Signed heads: notes by C2SP's signed-note whose text is a checkpoint by its tlog-checkpoint, under Ed25519.

origin
size
base64 of the root
at 2026-11-20T12:00:00+00:00

— origin base64(4 bytes of key id || 64 bytes of signature)
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
_ID_BYTES, _KEY_BYTES, _HASH_BYTES = 4, 32, 32
_MOST_SIGNATURES = 16
_DASH = "\u2014 "
_AT = "at "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteUnfit(ValueError):
    """It is no signed head of this log."""


class KeyUnfit(ValueError):
    """It is no key of a log: name+id+base64, as `countersign log key` prints it."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedHead:
    """What a note's text says: the log, how many leaves, their root, and when that was signed."""

    origin: str
    size: int
    root: bytes
    at: datetime | None = None
    signatures: int = 1

    @property
    def text(self) -> str:
        """What is signed."""
        lines = [self.origin, str(self.size), _base64(self.root)]
        if self.at is not None:
            lines.append(_AT + self.at.astimezone(UTC).isoformat())
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifierKey:
    """A public key and the name of the log that signs with its other half."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || 0x01 || public key)."""
        named = self.name.encode() + b"\n" + ED25519 + self.public
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of its one written form; raises KeyUnfit."""
        name, _, rest = text.partition("+")
        try:
            encoded = _unbase64(rest.partition("+")[2])
        except ValueError as error:
            raise KeyUnfit from error
        key = cls(name=name, public=encoded[1:])
        if not _NAME.fullmatch(name) or len(key.public) != _KEY_BYTES or str(key) != text:
            raise KeyUnfit
        return key

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Signs a log's heads with its private key."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        """The half of the key that others check with."""
        return VerifierKey(name=self.name, public=self.private.public_key().public_bytes_raw())

    def sign(self, *, size: int, root: bytes, at: datetime) -> str:
        """The note of a head."""
        text = SignedHead(origin=self.name, size=size, root=root, at=at).text
        signature = self.key.id + self.private.sign(text.encode())
        return f"{text}\n{_DASH}{self.name} {_base64(signature)}\n"


def read_note(note: str, keys: Iterable[VerifierKey]) -> SignedHead:
    """The head that a note says, if one of the keys has signed it.

    Signatures of other keys, as witnesses add them, are passed over.

    Raises:
        NoteUnfit: it is malformed, none of the keys has signed it, or one of their signatures is wrong.
    """
    text, end, signatures = note.rpartition("\n\n")
    if not end or not signatures.endswith("\n") or _CONTROL.search(note):
        raise NoteUnfit("it is no signed note")
    text += "\n"
    signed = [_signature(line) for line in signatures[:-1].split("\n")]
    if len(signed) > _MOST_SIGNATURES:
        raise NoteUnfit(f"it has more than {_MOST_SIGNATURES} signatures")
    by_whom = {(key.name, key.id): key for key in keys}
    known = [(by_whom[name, made[:_ID_BYTES]], made) for name, made in signed if _known(by_whom, name, made)]
    if not known:
        raise NoteUnfit("it is not signed with a key that is known")
    if not all(key.signed(text, made[_ID_BYTES:]) for key, made in known):
        raise NoteUnfit("its signature is forged")
    head = _head(text, len(signed))
    if head.origin not in {key.name for key, _ in known}:
        raise NoteUnfit("it speaks of another log than the one that signed it")
    return head


def _known(by_whom: dict[tuple[str, bytes], VerifierKey], name: str, made: bytes) -> bool:
    return (name, made[:_ID_BYTES]) in by_whom


def _signature(line: str) -> tuple[str, bytes]:
    """Whose signature a line says it is, and its bytes with the key's id before them."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        made = _unbase64(encoded)
    except ValueError as error:
        raise NoteUnfit("a signature of it is no base64") from error
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(made) <= _ID_BYTES:
        raise NoteUnfit("a signature line of it is malformed")
    return name, made


def _head(text: str, signatures: int) -> SignedHead:
    match text.split("\n"):
        case [origin, size, root, ""]:
            moment = None
        case [origin, size, root, at, ""] if at.startswith(_AT):
            moment = at.removeprefix(_AT)
        case _:
            raise NoteUnfit("its text is no head of a log")
    try:
        head = SignedHead(
            origin=origin,
            size=int(size) if _SIZE.fullmatch(size) else -1,
            root=_unbase64(root),
            at=None if moment is None else datetime.fromisoformat(moment).astimezone(UTC),
            signatures=signatures,
        )
    except ValueError as error:
        raise NoteUnfit("its text is no head of a log") from error
    if head.text != text or not origin or head.size < 0 or len(head.root) != _HASH_BYTES:
        raise NoteUnfit("its text is no head of a log")
    return head


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _unbase64(text: str) -> bytes:
    """The bytes of the one base64 form that they have; raises ValueError for any other."""
    content = base64.b64decode(text.encode("ascii"), validate=True)
    if _base64(content) != text:
        raise ValueError(text)
    return content

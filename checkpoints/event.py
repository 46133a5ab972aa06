"""An event of the audit log, and the bytes of it that are hashed. It knows no database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from checkpoints.canonical import canonical
from checkpoints.merkle import leaf_hash

SIGNING_BEGAN = "audit.signing_began"
"""Told once in a log that had heads before heads were signed; its `unsigned_size` is the last of those."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened: who, what, when, on which case; ids make a repeated telling harmless."""

    id: str
    case_id: str | None
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]

    @property
    def entry(self) -> bytes:
        """The bytes whose hash is the leaf: RFC 8785 of all fields, the time in UTC."""
        return canonical(self.to_json())

    @property
    def leaf(self) -> bytes:
        """The hash of its leaf in the tree."""
        return leaf_hash(self.entry)

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped, as it travels through graph state."""
        return {
            "id": self.id,
            "case_id": self.case_id,
            "kind": self.kind,
            "actor": self.actor,
            "at": self.at.astimezone(UTC).isoformat(),
            "data": self.data,
        }

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Self:
        """The event that `to_json` made."""
        return cls(**item | {"at": datetime.fromisoformat(item["at"])})

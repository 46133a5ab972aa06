"""What became of a proposal at the gateway."""

from dataclasses import dataclass
from enum import StrEnum

from nodes.shapes import Json


class End(StrEnum):
    """How an execution ended."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    BLOCKED = "blocked"
    HALTED = "halted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """How a proposal ended, why, with which receipt, or what has changed since it was shown.

    Attributes:
        judgement: the judgement that stood in the way; of a deed that began, the intent has it.
        limit: the limit that stood in the way, `{limit, per, most, count}`.
    """

    end: End
    reason: str
    receipt: Json | None = None
    changes: tuple[Json, ...] = ()
    judgement: Json | None = None
    limit: Json | None = None

    def to_json(self) -> Json:
        """JSON-shaped for the state."""
        return {
            "end": self.end.value,
            "reason": self.reason,
            "receipt": self.receipt,
            "changes": list(self.changes),
        }

"""The shapes that the API answers with."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from checkpoints.cases import Case
from checkpoints.outbox import Delivery, DeliveryState

T = TypeVar("T")


class Shape(BaseModel):
    """A frozen answer, filled from the attributes of what it shows."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PageOut(Shape, Generic[T]):
    """A page; `next` is the cursor to send as `after` for the following one, null at the end."""

    items: list[T]
    next: str | None


class CaseOut(Shape):
    """A case in a list."""

    id: str
    workflow: str
    title: str
    status: str
    reason: str | None
    owner: str | None
    opened_by: str
    event_source: str
    event_id: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, case: Case) -> "CaseOut":
        """The case's shape."""
        return cls.model_validate(case)


class TimelineEvent(Shape):
    """Something that happened, with its place in the log."""

    seq: int
    id: str
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]


class VerdictOut(Shape):
    """What the rules said once: on which facts, row by row, by which version of which table.

    Attributes:
        stage: `proposal`, or `execution` for the judgement just before the effect.
        facts: `{name: {value, source, trust, at}}`, complete: the same table says the same of them again.
        trace: a row each, `{row, matched, failed, saw}`; `failed` is the first condition that did not hold.
    """

    seq: int
    at: datetime
    stage: str
    proposal: str
    tool: str
    outcome: str
    reason: str
    owner: str | None
    ladder: list[str]
    row: str | None
    says: str
    policy: str | None
    table: dict[str, str]
    trace: list[dict[str, Any]]
    facts: dict[str, Any]

    @classmethod
    def of(cls, event: dict[str, Any]) -> "VerdictOut":
        """The verdict that an event of the record carries."""
        told = event["data"]
        verdict = {name: value for name, value in told["verdict"].items() if name in cls.model_fields}
        return cls(
            **verdict,
            seq=event["seq"],
            at=event["at"],
            stage=told["stage"],
            proposal=told["proposal"],
            tool=told["proposed_tool"],
            facts=told["facts"],
        )


class RuleTableOut(Shape):
    """A version of a rule table in a list."""

    digest: str
    workflow: str
    tool: str
    version: str
    state: str
    note: str
    drafted_by: str
    drafted_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class RuleTableDetail(RuleTableOut):
    """A version with its text, and in what it differs from the one it was drafted against.

    Attributes:
        changes: `[{where, change}]`, in words.
    """

    replaces: str | None
    changes: list[dict[str, Any]]
    source: str


class NotificationOut(Shape):
    """One event on its way to one recipient over one channel, or how it ended.

    `recipient` is an actor such as `person:lee`, or the channel itself; addresses are nowhere in it.
    """

    id: str
    event_id: str
    case_id: str | None
    review_id: str | None
    kind: str
    channel: str
    recipient: str
    state: DeliveryState
    attempts: int
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> "NotificationOut":
        """The delivery's shape."""
        return cls.model_validate(delivery)


class Received(Shape):
    """The answer to an event: its case, and whether the event was new."""

    case_id: str
    status: str
    new: bool


class AuditReport(Shape):
    """What a reading of the whole log found."""

    holds: bool
    events: int
    size: int
    root: str
    heads: int
    unsigned: int
    anchored: int
    faults: list[str]


class HeadOut(Shape):
    """The newest signed head: `note` is a C2SP signed note, `key` what its signature is checked with."""

    size: int
    root: str
    note: str
    key: str


class InclusionOut(Shape):
    """Proof that an event is leaf `index` of the tree of `size` leaves; hashes are lower-case hex."""

    event: str
    index: int
    size: int
    leaf: str
    root: str
    path: list[str]


class ConsistencyOut(Shape):
    """Proof that the tree of `second` leaves begins with that of `first`; hashes are lower-case hex."""

    first: int
    first_root: str
    second: int
    second_root: str
    path: list[str]


class Health(Shape):
    """What the process says of itself."""

    status: Literal["live", "ready"]


class ProblemOut(Shape):
    """A problem document (RFC 9457); `type` is a URN that ends in the state of affairs."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None
    fields: list[dict[str, str]] | None = None

"""Reviews as lists show them: without the dossier of what was shown, which is most of a review's bytes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case

from checkpoints import schema
from checkpoints.reviews import ReviewKind


class ListedReview(NamedTuple):
    """A review in a list, of which nobody can sign anything: the rest of its action is not here.

    Attributes are those of `Review`; of its action and of what is shown these are taken out:
        arguments: what the tool would be called with.
        proposer: whose proposal it is.
        rules: the digest of the rule table that asks for it.
        signed_by: whose signatures a look afterwards looks back on.
    """

    id: str
    case_id: str
    kind: str
    workflow: str
    title: str
    rule: str | None
    digest: str
    version: int
    tool: str
    arguments: dict[str, Any]
    proposer: str | None
    rules: str | None
    signed_by: list[str] | None
    ladder: list[dict[str, Any]]
    roles: list[str]
    risk: str
    reversible: bool
    against: str | None
    amount_minor: int | None
    currency: str | None
    status: str
    opened_at: datetime
    due_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None
    claimed_by: str | None
    claimed_until: datetime | None
    paused_at: datetime | None
    hold_seconds: int
    held_until: datetime | None


class Stake(NamedTuple):
    """Of a review in a list only what decides who may sign it, and what the list goes on by."""

    id: str
    case_id: str
    workflow: str
    tool: str
    proposer: str | None
    rules: str | None
    signed_by: list[str] | None
    ladder: list[dict[str, Any]]
    risk: str
    amount_minor: int | None
    currency: str | None
    opened_at: datetime
    due_at: datetime


_C = schema.reviews.c
_TAKEN_OUT: dict[str, ColumnElement[Any]] = {
    "arguments": _C.action["arguments"],
    "proposer": _C.action["proposer"].astext,
    "rules": _C.action[("rules", "digest")].astext,
    "signed_by": case((_C.kind == ReviewKind.AFTERWARDS, _C.shown["signed_by"])),
}


def _columns(names: Iterable[str]) -> list[ColumnElement[Any]]:
    return [_TAKEN_OUT[name].label(name) if name in _TAKEN_OUT else _C[name] for name in names]


LISTED = _columns(ListedReview._fields)
AT_STAKE = _columns(Stake._fields)
"""The columns of which a row makes a `ListedReview`, and those of which it makes a `Stake`."""

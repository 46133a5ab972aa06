"""The shapes of a decision record. Personal values stand in it as tokens, as they do in the events."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from nodes.shapes import Json


class Part(BaseModel):
    """A frozen part of a record."""

    model_config = ConfigDict(frozen=True)


class Asked(Part):
    """The event that opened the case: who sent it, and what it asked for.

    Attributes:
        event: the event's data, personal values as tokens.
        rules: by tool, the digest of the rule table that the case goes by.
        parent: the case that opened it, if one did.
    """

    at: datetime
    by: str
    source: str
    id: str
    type: str
    workflow: str
    version: str | None = None
    title: str | None = None
    event: Json = {}
    rules: dict[str, str] = {}
    parent: str | None = None


class Finding(Part):
    """What an agent said once, or that it came to no answer.

    Attributes:
        prompt: SHA-256 of its prompt.
        brain: the model, or `playbook`.
        obtained: how it came to its answer and its confidence.
        seen: the digest of what it was shown.
        looked_up: what it asked for on the way.
        uncertain: why it came to no answer; None if it did.
    """

    at: datetime
    agent: str
    version: str | None = None
    prompt: str | None = None
    brain: str | None = None
    obtained: str | None = None
    confidence_percent: int | None = None
    output: Json = {}
    usage: Json = {}
    seen: str | None = None
    looked_up: list[Json] = []
    uncertain: str | None = None


class VerdictRecord(Part):
    """What the rules said, apart from what was done about it.

    Attributes:
        stage: `proposal`, or `execution` for the judgement just before the deed.
        facts: `{name: {value, source, trust, at}}`, complete.
        trace: a row each, `{row, matched, failed, saw}`; `failed` is the first condition that did not hold.
        digest: of the action that was judged.
    """

    at: datetime
    stage: str
    outcome: str
    reason: str
    owner: str | None = None
    row: str | None
    says: str
    policy: str | None
    risk: str | None = None
    ladder: list[str] = []
    against: str | None = None
    table: dict[str, str]
    trace: list[Json]
    facts: Json
    digest: str


class Viewed(Part):
    """Somebody saw a review, in this version; `shown` is the digest of what they saw beside the action."""

    at: datetime
    by: str
    version: int
    digest: str
    shown: str | None
    clear: bool


class VoteRecord(Part):
    """What somebody said to a review.

    Attributes:
        role: by which they said it, as they had it then.
        rung: the place on the ladder that a signature fills.
        comment: a token.
        patch: for an edit, its steps on the arguments.
        seconds_open: from when they first saw the review to their vote; None if they never opened it.
    """

    id: str
    at: datetime
    kind: str
    person: str
    humans: list[str] = []
    on_behalf_of: str | None = None
    delegation: str | None = None
    role: str | None = None
    rung: int | None = None
    digest: str | None = None
    reason_code: str | None = None
    comment: str | None = None
    patch: list[Json] | None = None
    changes: list[Json] = []
    seconds_open: float | None = None


class Act(Part):
    """What else happened to a review (claimed, handed up, asked back, decided) or to the case."""

    at: datetime
    by: str
    kind: str
    data: Json


class ReviewRecord(Part):
    """One review of an action: what was shown to whom, and what they said.

    Attributes:
        digest: of the action that was shown; every vote names it.
        shown: the digest of what was shown beside it.
        status: `open`, or how it ended.
    """

    id: str
    kind: str
    opened_at: datetime
    digest: str | None = None
    shown: str | None = None
    ladder: list[Json] = []
    views: list[Viewed] = []
    votes: list[VoteRecord] = []
    acts: list[Act] = []
    status: str = "open"
    ended_at: datetime | None = None
    ended_by: str | None = None


class GrantRecord(Part):
    """The right to run the action once; `basis` is the rules' row, or the people who signed."""

    id: str
    basis: Json
    review: str | None = None
    issued_at: datetime | None = None
    used_at: datetime | None = None
    expires_at: datetime | None = None


class UndoRecord(Part):
    """How a deed could be taken back and until when, and whether it was."""

    tool: str
    until: datetime
    done_at: datetime | None = None
    done_by: str | None = None


class EffectRecord(Part):
    """What was done.

    Attributes:
        state: intended, done, failed, unknown or undone, as far as the record goes.
        how: `done`, or `found` for a deed whose answer was lost and that was found again.
        message: a token of the system's own words.
        undo: None means that it cannot be taken back, or was not done.
    """

    key: str
    tool: str
    tool_version: str | None = None
    arguments: Json = {}
    digest: str
    state: str
    attempts: int = 0
    intended_at: datetime
    ended_at: datetime | None = None
    receipt: Json | None = None
    how: str | None = None
    error: str | None = None
    message: str | None = None
    undo: UndoRecord | None = None


class End(Part):
    """What became of a proposal at the gateway, and what had changed since it was shown."""

    at: datetime
    end: str
    reason: str
    changes: list[Json] = []


class ProposalRecord(Part):
    """One proposed action, from who wanted it to what became of it.

    Attributes:
        came_by: `proposed`, `edited`, or `revised` when facts had moved and it was judged anew.
        action: the canonical action as last judged, which `digest` is over; empty if it could not be judged.
        evidence: by record its digest.
        finding: what the agent said whose proposal it is; None for one by fixed code.
    """

    id: str
    at: datetime
    came_by: str
    by: str
    proposer: str
    tool: str
    step: str | None = None
    revision: int | None = None
    reason: str | None = None
    changes: list[Json] = []
    relies_on: list[str] = []
    policy: list[str] = []
    action: Json = {}
    digest: str = ""
    evidence: dict[str, str] = {}
    finding: Finding | None = None
    verdicts: list[VerdictRecord] = []
    reviews: list[ReviewRecord] = []
    grant: GrantRecord | None = None
    effect: EffectRecord | None = None
    ends: list[End] = []


class Denial(Part):
    """Something that was tried and refused."""

    at: datetime
    by: str
    kind: str
    why: str
    data: Json


class OutcomeRecord(Part):
    """What became of it later; `note` is a token."""

    at: datetime
    by: str
    code: str
    observed_at: datetime
    effect: str | None = None
    note: str | None = None


class Ended(Part):
    """Where the case came to rest, why, and whose it is then."""

    at: datetime
    status: str
    reason: str | None = None
    owner: str | None = None


class PersonalAct(Part):
    """Personal values were opened or erased: who did, which fields, why."""

    at: datetime
    by: str
    kind: str
    fields: list[str] | None
    why: str


class DecisionRecord(Part):
    """Everything that was decided in a case.

    Attributes:
        course: whatever else is on its record: what was read and waited for, halts, ways out, other cases.
        ended: None while it goes on.
    """

    case: str
    asked: Asked | None = None
    findings: list[Finding] = []
    proposals: list[ProposalRecord] = []
    course: list[Act] = []
    denials: list[Denial] = []
    outcomes: list[OutcomeRecord] = []
    ended: Ended | None = None
    personal: list[PersonalAct] = []
    events: int = 0


def named(data: Json, *names: str) -> dict[str, Any]:
    """Those of the names that the data has."""
    return {name: data[name] for name in names if name in data}

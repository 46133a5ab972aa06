"""Bodies of votes: our own, and the shapes in which LangChain's and LangGraph's front ends answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from checkpoints.canonical import canonical
from checkpoints.votes import VoteKind
from graphs.decisions import OverrideReason
from graphs.storable import storable
from nodes.edits import patch_to
from nodes.shapes import Json

Words = Annotated[str, Field(min_length=1, max_length=2000)]
MOST_STEPS = 50
_NEEDS_WORDS = {
    VoteKind.REJECT: "a rejection",
    VoteKind.OVERRIDE: "an override",
    VoteKind.BREAK_GLASS: "broken glass",
    VoteKind.EDIT: "an edit",
    VoteKind.ESCALATE: "an escalation",
    VoteKind.REQUEST_INFO: "a question",
    VoteKind.COMMENT: "a remark",
}
_NEEDS_REASON = frozenset({VoteKind.OVERRIDE, VoteKind.BREAK_GLASS})


class Strict(BaseModel):
    """A body with nothing extra in it, whose text can be stored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _can_be_stored(self) -> "Strict":
        if not storable(self.model_dump(mode="json")):
            raise ValueError("the text holds NUL characters or lone surrogates")
        return self


class PatchStep(Strict):
    """A step of a JSON Patch (RFC 6902) on the action's arguments; `path` begins at an argument's name."""

    op: Literal["replace", "add", "test"]
    path: Annotated[str, Field(pattern="^/.{1,500}$")]
    value: Any

    @field_validator("value")
    @classmethod
    def _can_be_recorded(cls, value: Any) -> Any:
        """The record keeps each step, also one that a later step overwrites."""
        if not storable(value):
            raise ValueError("it holds NUL characters or lone surrogates, or is nested too deeply")
        canonical(value)  # a NotCanonical is a ValueError
        return value


class VoteIn(Strict):
    """What somebody says to a review; all but an approval needs a comment that says why."""

    kind: Literal[
        VoteKind.APPROVE,
        VoteKind.OVERRIDE,
        VoteKind.BREAK_GLASS,
        VoteKind.REJECT,
        VoteKind.EDIT,
        VoteKind.ESCALATE,
        VoteKind.REQUEST_INFO,
        VoteKind.COMMENT,
    ]
    comment: Words | None = None
    reason_code: Annotated[OverrideReason, Field(strict=False)] | None = None
    patch: Annotated[list[PatchStep], Field(min_length=1, max_length=MOST_STEPS)] | None = None
    digest: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "VoteIn":
        if self.kind in _NEEDS_WORDS and not (self.comment or "").strip():
            raise ValueError(f"{_NEEDS_WORDS[self.kind]} needs a comment that says why")
        if (self.kind in _NEEDS_REASON) is not (self.reason_code is not None):
            raise ValueError("a reason_code comes with an override or broken glass, and only with these")
        if (self.kind is VoteKind.EDIT) is not (self.patch is not None):
            raise ValueError("a patch comes with an edit, and only with it")
        return self

    @property
    def steps(self) -> list[Json]:
        """The patch, JSON-shaped."""
        return [step.model_dump() for step in self.patch or ()]


def as_vote(body: Any, tool: str, arguments: Json) -> Any:
    """A vote's body in our own shape: ours as it is, others turned into it.

    `HITLResponse` (`{decisions: [decision]}`), a bare `Decision`, `{interrupt_id: decision}` and Agent
    Inbox's `[{type, args}]` are understood. Validation of the result is for VoteIn.

    Raises:
        ValueError: several decisions, or an edit of another tool.
    """
    decision = _single(body)
    if not isinstance(decision, Mapping) or "type" not in decision or "kind" in decision:
        return body
    extra = {name: decision[name] for name in ("digest", "reason_code") if name in decision}
    if isinstance(body, Mapping):
        extra |= {name: body[name] for name in ("digest", "reason_code") if name in body}
    return extra | _turned(decision, tool, arguments)


def _single(body: Any) -> Any:
    if isinstance(body, list):
        return _only(body)
    if isinstance(body, Mapping) and "decisions" in body:
        return _only(body["decisions"])
    if isinstance(body, Mapping) and "kind" not in body and "type" not in body:
        inner = [value for value in body.values() if isinstance(value, Mapping) and "type" in value]
        return _only(inner) if inner else body
    return body


def _only(decisions: Any) -> Any:
    if not isinstance(decisions, list) or len(decisions) != 1:
        raise ValueError("a review is of one action: send one decision")
    return decisions[0]


def _turned(decision: Mapping[str, Any], tool: str, arguments: Json) -> Json:
    said = decision.get("message") or decision.get("args")
    match decision["type"]:
        case "approve" | "accept":
            return {"kind": VoteKind.APPROVE}
        case "reject":
            return {"kind": VoteKind.REJECT, "comment": said}
        case "respond" | "response":
            return {"kind": VoteKind.REQUEST_INFO, "comment": said}
        case "ignore":
            return {"kind": VoteKind.COMMENT, "comment": said or "Left open."}
        case "edit":
            return _edit(decision, tool, arguments)
        case unknown:
            raise ValueError(f"no decision is of type {str(unknown)[:50]!r}")


def _edit(decision: Mapping[str, Any], tool: str, arguments: Json) -> Json:
    action = decision.get("edited_action") or decision.get("args") or {}
    named = action.get("name", action.get("action", tool)) if isinstance(action, Mapping) else None
    wanted = action.get("args") if isinstance(action, Mapping) else None
    if named != tool or not isinstance(wanted, Mapping):
        raise ValueError(f"an edit changes the arguments of {tool}, never the tool")
    comment = decision.get("message") or "Edited."
    return {"kind": VoteKind.EDIT, "comment": comment, "patch": patch_to(arguments, dict(wanted))}

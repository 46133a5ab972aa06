"""Deeds as the record tells them: the grant, the attempts, the receipt, and how it could be taken back."""

from collections.abc import Sequence

from checkpoints.event import Event
from graphs.record.shapes import Act, EffectRecord, End, GrantRecord, UndoRecord, named

_SETTLED = ("effect.done", "effect.failed", "effect.unknown", "effect.undone")
_TOLD = ("receipt", "how", "error", "message", "attempts")


def intent_of(judged: Sequence[Event]) -> Event | None:
    """The intent of a proposal among its judgements."""
    return next((event for event in judged if event.kind == "effect.intended"), None)


def grant_of(judged: Sequence[Event], acts: Sequence[Act]) -> GrantRecord | None:
    """The grant that a review's approval gave, or the rules, and whether it was used."""
    given = next((act for act in acts if act.kind == "review.approved" and "grant" in act.data), None)
    intent = intent_of(judged)
    if given is None and intent is None:
        return None
    told = {} if given is None else named(given.data, "grant", "basis", "issued_at", "expires_at")
    if intent is not None:
        told |= named(intent.data, "grant", "basis", "review", "issued_at")
        told |= {"used_at": intent.data.get("used_at", intent.at)}
        told |= {"expires_at": intent.data["action"].get("expires_at")}
    return GrantRecord(id=told.pop("grant"), **told)


def effect_of(events: Sequence[Event], judged: Sequence[Event]) -> EffectRecord | None:
    """What was done on a proposal; None if nothing was begun."""
    intent = intent_of(judged)
    if intent is None:
        return None
    key, action = intent.data["key"], intent.data["action"]
    after = [event for event in events if event.kind in _SETTLED and event.data["key"] == key]
    settled = [event for event in after if event.kind != "effect.undone"]
    told = named(settled[-1].data, *_TOLD) if settled else {}
    return EffectRecord(
        key=key,
        tool=intent.data["tool"],
        digest=intent.data["digest"],
        state=after[-1].kind.removeprefix("effect.") if after else "intended",
        intended_at=intent.at,
        ended_at=settled[-1].at if settled else None,
        undo=_undo(after),
        **named(action, "tool_version", "arguments"),
        **told,
    )


def _undo(after: Sequence[Event]) -> UndoRecord | None:
    done = next((event for event in after if event.kind == "effect.done"), None)
    undone = next((event for event in after if event.kind == "effect.undone"), None)
    how = done.data.get("undo") if done else None
    if how is None:
        return None
    undo = UndoRecord(**how)
    return undo.model_copy(update={"done_at": undone.at, "done_by": undone.actor}) if undone else undo


def ends_of(events: Sequence[Event], proposal: str) -> list[End]:
    """How the gateway answered each time it was asked to run a proposal."""
    return [
        End(at=event.at, **named(event.data, "end", "reason", "changes"))
        for event in events
        if event.kind == "action.executed" and event.data.get("proposal") == proposal
    ]

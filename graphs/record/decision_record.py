"""The decision record of a case: a pure function of its events, the same on the database and on an export."""

from collections.abc import Sequence

from checkpoints.event import Event
from graphs.record.course import course_of, denials_of, ended
from graphs.record.deeds import effect_of, ends_of, grant_of
from graphs.record.reviews import reviews_of
from graphs.record.shapes import (
    Asked,
    DecisionRecord,
    Finding,
    OutcomeRecord,
    PersonalAct,
    ProposalRecord,
    VerdictRecord,
    named,
)
from nodes.judge import VERDICTS
from nodes.shapes import Json

_WISHES = {"action.proposed": "proposed", "action.edited": "edited"}
_OPENED = ("personal.unmasked", "personal.erased")


class RecordUnfit(ValueError):
    """The events do not tell a case: one of them has not the shape of its kind."""


def decision_record(case_id: str, events: Sequence[Event]) -> DecisionRecord:
    """The record of a case from its events, oldest first; raises RecordUnfit."""
    try:
        findings = _findings(events)
        return DecisionRecord(
            case=case_id,
            asked=_asked(events),
            findings=findings,
            proposals=_proposals(events, findings),
            course=course_of(events),
            denials=denials_of(events),
            outcomes=[_outcome(event) for event in events if event.kind == "case.outcome"],
            ended=ended(events),
            personal=[_personal(event) for event in events if event.kind in _OPENED],
            events=len(events),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordUnfit(f"the events do not tell a case: {type(error).__name__}") from error


def _asked(events: Sequence[Event]) -> Asked | None:
    told = next((event for event in events if event.kind == "event.received"), None)
    return None if told is None else Asked(at=told.at, by=told.actor, **told.data)


def _findings(events: Sequence[Event]) -> list[Finding]:
    found: list[Finding] = []
    asked: dict[str, list[Json]] = {}
    for event in events:
        match event.kind:
            case "agent.looked_up":
                asked.setdefault(event.actor, []).append(event.data)
            case "agent.found" | "agent.uncertain":
                found.append(_finding(event, asked.pop(event.actor, [])))
    return found


def _finding(event: Event, looked_up: list[Json]) -> Finding:
    output: Json = event.data.get("output", {})
    return Finding(
        at=event.at,
        looked_up=looked_up,
        confidence_percent=output.get("confidence_percent"),
        uncertain=event.data["reason"] if event.kind == "agent.uncertain" else None,
        **{"agent": event.actor.removeprefix("agent:")}
        | named(event.data, "agent", "version", "prompt", "brain", "obtained", "output", "usage", "seen"),
    )


def _proposals(events: Sequence[Event], findings: Sequence[Finding]) -> list[ProposalRecord]:
    """Each proposal by its first mention; one that is judged anew on moved facts was never proposed again."""
    first: dict[str, int] = {}
    for place, event in enumerate(events):
        if (name := _named_in(event)) is not None:
            first.setdefault(name, place)
    return [_proposal(events, name, place, findings) for name, place in first.items()]


def _named_in(event: Event) -> str | None:
    if event.kind in _WISHES:
        return str(event.data["id"])
    return str(event.data["proposal"]) if event.kind in VERDICTS else None


def _proposal(events: Sequence[Event], name: str, place: int, findings: Sequence[Finding]) -> ProposalRecord:
    begun, judged = events[place], [e for e in events if e.kind in VERDICTS and e.data["proposal"] == name]
    action: Json = next((e.data["action"] for e in reversed(judged) if e.data["action"]), {})
    signed = next((e.data["digest"] for e in reversed(judged) if e.data["digest"]), "")
    wish = _wish(events, place)
    proposer = str(wish.get("proposer") or action.get("proposer") or begun.actor)
    reviews = reviews_of(events, name, {e.data["digest"] for e in judged if e.data["digest"]})
    return ProposalRecord(
        id=name,
        at=begun.at,
        came_by=_WISHES.get(begun.kind, "revised"),
        by=begun.actor,
        proposer=proposer,
        tool=str(wish.get("tool") or begun.data["proposed_tool"]),
        step=wish.get("step"),
        revision=action.get("revision", wish.get("revision")),
        reason=wish.get("reason"),
        changes=begun.data.get("changes", []),
        relies_on=wish.get("evidence", []),
        policy=wish.get("policy", []),
        action=action,
        digest=signed,
        evidence=action.get("evidence", {}),
        finding=_last(findings, proposer, begun),
        verdicts=[_verdict(event) for event in judged],
        reviews=reviews,
        grant=grant_of(judged, [act for one in reviews for act in one.acts]),
        effect=effect_of(events, judged),
        ends=ends_of(events, name),
    )


def _wish(events: Sequence[Event], place: int) -> Json:
    """What was wanted; for one that is judged anew, what was last wanted of the same tool."""
    begun = events[place]
    if begun.kind in _WISHES:
        return begun.data
    earlier = (event.data for event in reversed(events[:place]) if event.kind in _WISHES)
    return next((wish for wish in earlier if wish["tool"] == begun.data["proposed_tool"]), {})


def _last(findings: Sequence[Finding], proposer: str, begun: Event) -> Finding | None:
    """What the proposer said last before it proposed."""
    said = (one for one in reversed(findings) if f"agent:{one.agent}" == proposer and one.at <= begun.at)
    return next(said, None)


def _verdict(event: Event) -> VerdictRecord:
    told, names = event.data, VerdictRecord.model_fields
    verdict = {name: value for name, value in told["verdict"].items() if name in names}
    return VerdictRecord(
        at=event.at, stage=told["stage"], facts=told["facts"], digest=told["digest"], **verdict
    )


def _outcome(event: Event) -> OutcomeRecord:
    told = named(event.data, "code", "observed_at", "effect", "note")
    return OutcomeRecord(at=event.at, by=event.actor, **told)


def _personal(event: Event) -> PersonalAct:
    return PersonalAct(
        at=event.at, by=event.actor, kind=event.kind, fields=event.data["fields"], why=event.data["why"]
    )

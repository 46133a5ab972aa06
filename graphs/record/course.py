"""The course of a case: where it came to rest, and all that befell it that is told nowhere else."""

from collections.abc import Sequence

from checkpoints.cases import RESOLVED_BY_HAND, Status
from checkpoints.event import Event
from graphs.record.shapes import Act, Denial, Ended, named
from nodes.judge import VERDICTS

_RESTS = {f"case.{status}": status.value for status in Status}
_GOES_ON = frozenset({"exception.retried", "case.moved", "rollback.requested"})
_RESOLVED, _PASSED_ON = "exception.resolved", "exception.handed_over"
_REFUSED = frozenset({"context.refused", "case.hand_over_refused", "action.unlisted", "rollback.refused"})
_TOLD_ELSEWHERE = (
    *("agent.", "review.", "vote.", "effect.", "personal."),
    *("event.received", "action.proposed", "action.edited", "action.executed", "gate.passed"),
    *("case.outcome", *VERDICTS),
)


def denials_of(events: Sequence[Event]) -> list[Denial]:
    """What was tried and refused, whoever tried it."""
    return [_denial(event) for event in events if _is_denial(event)]


def _is_denial(event: Event) -> bool:
    return event.kind.endswith("denied") or event.kind in _REFUSED


def _denial(event: Event) -> Denial:
    why = next((event.data[name] for name in ("why", "reason", "act", "way") if event.data.get(name)), None)
    return Denial(at=event.at, by=event.actor, kind=event.kind, why=str(why or event.kind), data=event.data)


def ended(events: Sequence[Event]) -> Ended | None:
    """Where the case rests; None while it goes on. What was told of it later is an outcome."""
    return _rest(events)[0]


def course_of(events: Sequence[Event]) -> list[Act]:
    """Every event that neither another part of the record nor where the case rests tells."""
    _, told = _rest(events)
    return [
        Act(at=event.at, by=event.actor, kind=event.kind, data=event.data)
        for event in events
        if not event.kind.startswith(_TOLD_ELSEWHERE) and not _is_denial(event) and event is not told
    ]


def _rest(events: Sequence[Event]) -> tuple[Ended | None, Event | None]:
    """Where the case rests, and the event that tells all of it."""
    rest: Ended | None = None
    by: Event | None = None
    for event in events:
        if event.kind in _RESTS:
            rest, by = _ended(event), event
        elif event.kind in _GOES_ON:
            rest, by = None, None
        elif event.kind == _RESOLVED:
            rest, by = Ended(at=event.at, status=Status.CLOSED.value, reason=RESOLVED_BY_HAND), None
        elif event.kind == _PASSED_ON and rest is not None:
            rest = rest.model_copy(update={"owner": event.data["to"]})
    return rest, by


def _ended(event: Event) -> Ended:
    return Ended(at=event.at, status=_RESTS[event.kind], **named(event.data, "reason", "owner"))

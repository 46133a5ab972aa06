"""Explanations: why a case does not go on, what was done and what was not, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectRow, EffectState

_STUCK = (Status.BLOCKED, Status.FAILED, Status.UNCERTAIN, Status.ESCALATED)
_LATER = "See whether the system works again (GET /connectors), then send the event again under a new id."
_LOOK = "Look in the system itself whether it was done before anything is tried again."
_PERSON = "Look at the case yourself: no agent's answer to it could be used."
_REST = "Part of it is done: see to the rest by hand, and do not send the event again."
_OWN = "Read the case's timeline, which says at which step and on which facts."
_WORDS = {
    "tool_unavailable": ("A system that is needed did not answer, though it was asked again.", _LATER),
    "connector_rests": (
        "A system that is needed has failed too often in a row and is left alone for a while.",
        _LATER,
    ),
    "outcome_unknown": ("The answer of a system was lost, and asking again did not bring it back.", _LOOK),
    "no_answer": ("The answer of a system was lost, and it cannot be asked what became of the call.", _LOOK),
    "tool_error": ("A system could not say what became of a call.", _LOOK),
    "tool_refused": ("A system refused.", "Mend what it refused for, then send the event again."),
    "record_not_found": ("A record that is needed is not there.", "Find out why, then send the event again."),
    "model_unavailable": ("The model did not answer, though it was asked again.", _PERSON),
    "model_timeout": ("The model did not answer in time.", _PERSON),
    "model_rests": ("The model has been away too often in a row and is left alone for a while.", _PERSON),
    "model_loops": ("The model asked for the same things again and again and came to no answer.", _PERSON),
    "model_answer_unfit": (
        "The model refused, or its answer was not of the form that was asked for.",
        _PERSON,
    ),
    "unexpected_error": ("Something broke that nobody foresaw.", "Look in the log of the worker."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What happened, what was done and what was not, and what to do, in plain words."""

    happened: str
    done: str
    to_do: str


def explanation(case: Case, effects: Sequence[EffectRow]) -> Explanation | None:
    """Why a case that somebody has to look at is where it is; None for any other."""
    if case.status not in _STUCK:
        return None
    reason = case.reason or ""
    plain = reason.removeprefix("source_").removeprefix("find_")
    happened, to_do = _WORDS.get(plain, (f"It stopped: {plain.replace('_', ' ')}.", _OWN))
    return Explanation(happened=happened, done=_done(effects), to_do=_advice(effects) or to_do)


def _advice(effects: Sequence[EffectRow]) -> str | None:
    """What goes before any advice by reason: nobody is to begin again what was done, or may have been."""
    states = {effect.state for effect in effects}
    if states & {EffectState.UNKNOWN, EffectState.INTENDED}:
        return _LOOK
    return _REST if EffectState.DONE in states else None


def _done(effects: Sequence[EffectRow]) -> str:
    told = {
        EffectState.DONE: "{} was done.",
        EffectState.UNDONE: "{} was done, and undone.",
        EffectState.FAILED: "{} was not done.",
        EffectState.UNKNOWN: "It is not known whether {} was done.",
        EffectState.INTENDED: "It is not known whether {} was done.",
    }
    return " ".join(told[effect.state].format(effect.tool) for effect in effects) or "Nothing was done."

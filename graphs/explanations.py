"""Explanations: why a case does not go on, what was done and what was not, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.cases import Case, stands_still
from checkpoints.effects import EffectRow, EffectState
from graphs.reason_words import words_for


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What happened, what was done and what was not, and what to do, in plain words."""

    happened: str
    done: str
    not_done: str
    to_do: str


def explanation(case: Case, effects: Sequence[EffectRow]) -> Explanation | None:
    """Why a case that somebody has to look at is where it is; None for any other."""
    if not stands_still(case.status, case.reason):
        return None
    doubtful = any(effect.state in {EffectState.UNKNOWN, EffectState.INTENDED} for effect in effects)
    words = words_for(case.status, case.reason or "unspecified", doubtful=doubtful)
    return Explanation(
        happened=words.happened, done=_done(effects), not_done=words.not_done, to_do=words.to_do
    )


def _done(effects: Sequence[EffectRow]) -> str:
    told = {
        EffectState.DONE: "{} was done.",
        EffectState.UNDONE: "{} was done, and undone.",
        EffectState.FAILED: "{} was not done.",
        EffectState.UNKNOWN: "It is not known whether {} was done.",
        EffectState.INTENDED: "It is not known whether {} was done.",
    }
    return " ".join(told[effect.state].format(effect.tool) for effect in effects) or "Nothing was done."

"""A brain behind a circuit breaker: while the model is away, no case waits for it in vain."""

from nodes.agent import AgentRole, AgentUncertain, Brain, LookUp, Thought
from nodes.shapes import Json
from tools.breakers import Breakers, ConnectorRests

MODEL = "model"
"""The connector that a model counts as."""

_AWAY = frozenset({"model_timeout", "model_unavailable"})
"""The reasons that say the model did not answer; whatever else it does wrong, it is there."""


class GuardedBrain:
    """A brain that is left alone for a while when it was away too often in a row."""

    def __init__(self, brain: Brain, breakers: Breakers) -> None:
        self._brain, self._breakers = brain, breakers

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        """Ask the brain; raises AgentUncertain, with the reason `model_rests` without having asked."""
        try:
            self._breakers.begin(MODEL)
        except ConnectorRests as rests:
            raise AgentUncertain("model_rests", str(rests)) from rests
        try:
            thought = await self._brain.think(role, view, look_ups)
        except AgentUncertain as uncertain:
            away = uncertain.reason in _AWAY
            await (self._breakers.failed(MODEL) if away else self._breakers.worked(MODEL))
            raise
        await self._breakers.worked(MODEL)
        return thought

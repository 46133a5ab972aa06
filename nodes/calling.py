"""Calling: a deed that is begun is carried to its outcome: called, looked for, repeated where it may be."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from checkpoints.audit import Event
from checkpoints.canonical import canonical
from checkpoints.effects import EffectRow, EffectState, SessionLedger
from checkpoints.sealing import SealBroken
from nodes.execution import End, Execution
from nodes.permissions import Verb
from nodes.sealing import Sealing, sealed
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.breakers import ConnectorRests
from tools.contract import Call, Record, ToolError, ToolRefused
from tools.persistence import Persistence
from tools.registry import Capability, Registry

GATEWAY = "gateway"
"""The role by which deeds are done."""


class Tell(Protocol):
    """Makes an event of the task that is under way."""

    def __call__(self, kind: str, *, actor: str | None = None, **data: Any) -> Event:
        """The event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calling:
    """Calls the tools of one case's deeds, each of which has its intent in the ledger."""

    workflow: Workflow
    registry: Registry
    capability: Capability
    ledger: SessionLedger
    sealing: Sealing
    clock: Callable[[], datetime]
    persistence: Persistence

    async def go_on(self, effect: EffectRow, tell: Tell) -> Execution:
        """What to make of a deed that is in the ledger already: never start it blindly again."""
        match effect.state:
            case EffectState.DONE | EffectState.UNDONE:
                return Execution(end=End.DONE, reason="already_done", receipt=effect.receipt)
            case EffectState.FAILED:
                return Execution(end=End.FAILED, reason=effect.error or "failed")
            case EffectState.INTENDED | EffectState.UNKNOWN:
                return await self._reconcile(effect, tell)

    async def _reconcile(self, effect: EffectRow, tell: Tell, tried: int = 0) -> Execution:
        """Ask what became of a deed; repeat it if it never happened, or if twice is as good as once."""
        tool = self.registry.describe(effect.tool)
        asked = self.registry.can_find(effect.tool)
        try:
            if asked:
                found = await self.registry.find(self.capability, effect.tool, effect.key)
                if found is not None:
                    return await self._done(effect, found, tell, reason="found")
        except ToolError as failure:
            return await self._unknown(effect, f"find_{failure.reason}", tell, str(failure))
        if await self.ledger.halted(self.workflow.name, effect):
            return Execution(end=End.HALTED, reason="halted")
        if tool.idempotent and self.registry.rests(tool.name):
            return await self._unknown(effect, ConnectorRests.reason, tell)
        if tool.idempotent:
            in_doubt = effect.attempts > 0 and (tried > 0 or not asked)
            return await self.call(effect, tell, in_doubt=in_doubt, tried=tried)
        return await self._unknown(effect, "no_answer", tell)

    async def call(
        self, effect: EffectRow, tell: Tell, *, in_doubt: bool = False, tried: int = 0
    ) -> Execution:
        """Call the tool; while an earlier call is in doubt, a refusal of this one settles nothing.

        An answer that is lost is looked for after a while, and the call repeated if it may be.
        """
        refused = self._unknown if in_doubt else self._failed
        tool = self.registry.describe(effect.tool)
        if tool.version != effect.tool_version:
            return await refused(effect, "tool_version_changed", tell)
        if not self.workflow.permissions.decide((GATEWAY,), Verb.EXECUTE, tool.name).allowed:
            return await refused(effect, "not_permitted", tell)
        try:
            plain = await self.sealing.opened(effect.arguments)
        except SealBroken:
            return await refused(effect, "arguments_erased", tell)
        arguments = tool.arguments.model_validate_json(canonical(plain))
        await self.ledger.attempt(effect.key)
        effect = replace(effect, attempts=effect.attempts + 1)
        try:
            record = await self.registry.call(self.capability, tool.name, arguments, Call(key=effect.key))
        except ToolRefused as refusal:
            return await refused(effect, refusal.reason, tell, str(refusal))
        except ToolError as failure:
            if await self.persistence.again(tried + 1):
                return await self._reconcile(effect, tell, tried + 1)
            return await self._unknown(effect, failure.reason, tell, str(failure))
        return await self._done(effect, record, tell, reason="done")

    async def _done(self, effect: EffectRow, record: Record, tell: Tell, *, reason: str) -> Execution:
        receipt = sealed(record, self.sealing, f"{effect.tool}.result")
        told: Json = {"attempts": effect.attempts, "undo": self._undo(effect.tool), "how": reason}
        event = tell("effect.done", key=effect.key, tool=effect.tool, receipt=receipt, **told)
        await self.ledger.settle(effect.key, EffectState.DONE, event, receipt=receipt)
        return Execution(end=End.DONE, reason=reason, receipt=receipt)

    def _undo(self, tool: str) -> Json | None:
        """By which tool a deed that is done now can be taken back, and until when; None if it cannot."""
        undo = self.registry.describe(tool).undo
        if undo is None:
            return None
        return {"tool": undo.tool, "until": (self.clock() + undo.window).isoformat()}

    async def _failed(self, effect: EffectRow, error: str, tell: Tell, message: str = "") -> Execution:
        await self._ended(effect, EffectState.FAILED, error, tell, message)
        return Execution(end=End.FAILED, reason=error)

    async def _unknown(self, effect: EffectRow, error: str, tell: Tell, message: str = "") -> Execution:
        await self._ended(effect, EffectState.UNKNOWN, error, tell, message)
        return Execution(end=End.UNKNOWN, reason=error)

    async def _ended(
        self, effect: EffectRow, state: EffectState, error: str, tell: Tell, message: str
    ) -> None:
        """Settle a deed that was not done, or of which that is not known; a system's own words are sealed."""
        told: Json = {"key": effect.key, "tool": effect.tool, "error": error, "attempts": effect.attempts}
        if message:
            told["message"] = self.sealing.token("tool.error", message)
        event = tell(f"effect.{state}", **told)
        await self.ledger.settle(effect.key, state, event, error=error)

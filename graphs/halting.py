"""The stop switch: who may press and release it, and how those who waited go on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from checkpoints.cases import Case
from checkpoints.commands import Command, CommandKind, get_command
from checkpoints.database import Database, Transaction
from checkpoints.halts import (
    Halt,
    HaltScope,
    HaltWait,
    SessionHalts,
    Subject,
    free_waits,
    get_halt,
    list_halts,
    press,
    release,
)
from checkpoints.queue import Queue
from checkpoints.session import Session
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal, Verb
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.contract import connector_of

HOST = "host:operator"
"""Who stops things from the host itself, past the API: whoever may reach the database there."""
MOST_LISTED = 200


class HaltReason(StrEnum):
    """Why something is halted."""

    INCIDENT = "incident"
    SUSPECTED_FRAUD = "suspected_fraud"
    MISBEHAVIOUR = "misbehaviour"
    MAINTENANCE = "maintenance"
    DRILL = "drill"


class HaltUnfit(Exception):
    """There is nothing like this to halt."""


class NotAllowedToHalt(Exception):
    """No role of yours halts this; the attempt is on the record."""


class HaltAlreadyReleased(Exception):
    """This halt has been released."""


class Machinery(Protocol):
    """What the switch needs of the parts: an API that is down does not keep anybody from pressing it."""

    @property
    def database(self) -> Database:
        """Where halts are."""

    @property
    def queue(self) -> Queue:
        """Where those who go on are put in line."""

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """What there is to halt."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time."""

    @property
    def ids(self) -> Callable[[], str]:
        """New ids."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to stand still, and why."""

    scope: HaltScope
    target: str | None
    reason: HaltReason
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """Presses and releases, and asks nobody: who may is asked before."""

    parts: Machinery

    async def press(self, order: Order, by: str) -> Halt:
        """Put a halt in force: after this no deed begins that it is about. Raises HaltUnfit."""
        require_target(order.scope, order.target, self.parts.workflows.values())
        halt = Halt(
            id=self.parts.ids(),
            scope=order.scope,
            target=order.target,
            reason_code=order.reason,
            operators_words=order.words,
            pressed_by=by,
            pressed_at=self.parts.clock(),
        )
        async with self.parts.database.transaction() as tx:
            await press(tx, halt, halt_event(self.parts, "halt.pressed", by, _named(halt)))
        return halt

    async def release(self, halt_id: str, by: str) -> Halt:
        """End a halt and wake those who waited for this alone; raises HaltNotFound, HaltAlreadyReleased."""
        async with self.parts.database.transaction() as tx:
            halt, now = await get_halt(tx, halt_id), self.parts.clock()
            told = halt_event(self.parts, "halt.released", by, _named(halt))
            if not await release(tx, halt_id, by, now, told):
                raise HaltAlreadyReleased
            await self._wake(tx, now)
            return await get_halt(tx, halt_id)

    async def wake(self) -> int:
        """Wake those who began to wait while the last halt was being released; returns how many."""
        async with self.parts.database.transaction() as tx:
            return await self._wake(tx, self.parts.clock())

    async def listed(self, *, released: bool) -> list[Halt]:
        """The halts in force, or also those that were released, newest first."""
        async with self.parts.database.transaction() as tx:
            return await list_halts(tx, released=released, limit=MOST_LISTED)

    async def _wake(self, tx: Transaction, now: datetime) -> int:
        waits = await free_waits(tx, now)
        for wait in waits:
            if wait.command_id is None:
                await self.parts.queue.enqueue(tx, self._resume(wait, now))
            elif (command := await get_command(tx, wait.command_id)) and command.done_at is None:
                await self.parts.queue.enqueue_job(tx, command)
        return len(waits)

    def _resume(self, wait: HaltWait, now: datetime) -> Command:
        return Command(
            id=self.parts.ids(),
            case_id=wait.case_id,
            kind=CommandKind.RESUME,
            dedupe_key=f"halt-wait:{wait.id}",
            payload={"interrupt": wait.interrupt_id},
            created_at=now,
        )


@dataclass(frozen=True, slots=True)
class Halting:
    """The switch in the hands of people."""

    parts: Parts

    async def press(self, order: Order, principal: Principal) -> Halt:
        """Put a halt in force; raises HaltUnfit, NotAllowedToHalt: denied attempts are on the record."""
        require_target(order.scope, order.target, self.parts.workflows.values())
        await self._require(order.scope, order.target, principal, "press")
        return await Switch(self.parts).press(order, principal.actor)

    async def release(self, halt_id: str, principal: Principal) -> Halt:
        """End a halt; raises HaltNotFound, HaltAlreadyReleased, NotAllowedToHalt."""
        async with self.parts.database.transaction() as tx:
            halt = await get_halt(tx, halt_id)
        await self._require(halt.scope, halt.target, principal, "release", halt=halt.id)
        return await Switch(self.parts).release(halt_id, principal.actor)

    async def _require(
        self, scope: HaltScope, target: str | None, principal: Principal, act: str, **more: str
    ) -> None:
        concerned = _concerned(scope, target, self.parts.workflows.values())
        held = sorted(principal.roles) if principal.kind is Kind.PERSON else []
        if concerned and all(w.permissions.decide(held, Verb.HALT, scope).allowed for w in concerned):
            return
        told: dict[str, Any] = {"act": act, "scope": scope, "target": target, **more}
        async with self.parts.database.transaction() as tx:
            await tell(tx, halt_event(self.parts, "halt.denied", principal.actor, told))
        raise NotAllowedToHalt


def targets(workflow: Workflow) -> dict[HaltScope, set[str]]:
    """What of a workflow can be halted, by name."""
    return {
        HaltScope.WORKFLOW: {workflow.name},
        HaltScope.AGENT: set(workflow.agents),
        HaltScope.TOOL: set(workflow.rulings),
        HaltScope.CONNECTOR: {connector_of(tool) for tool in workflow.rulings},
    }


def require_target(scope: HaltScope, target: str | None, workflows: Iterable[Workflow]) -> None:
    """Raise HaltUnfit for a target that is not there: a stop that stops nothing would be believed."""
    if scope is HaltScope.EVERYTHING:
        if target is not None:
            raise HaltUnfit("everything has no target")
        return
    known = sorted(set().union(*(targets(workflow)[scope] for workflow in workflows)))
    if target not in known:
        raise HaltUnfit(f"there is no {scope} {target!r}; there are {', '.join(known)}")


def _concerned(scope: HaltScope, target: str | None, workflows: Iterable[Workflow]) -> list[Workflow]:
    """The workflows in which something would stand still; each has to permit it.

    A target that is not there any more concerns all of them.
    """
    every = list(workflows)
    if scope is HaltScope.EVERYTHING:
        return every
    return [workflow for workflow in every if target in targets(workflow)[scope]] or every


async def put_off(parts: Parts, session: Session, command: Command, case: Case) -> bool:
    """Whether a segment must not begin, its workflow being halted; its command then waits for a release."""
    halts = await SessionHalts(session).in_force(Subject(workflow=case.workflow))
    if halts:
        now, workflow = parts.clock(), parts.workflows.get(case.workflow)
        told = Event(
            id=str(uuid5(NAMESPACE_OID, f"{command.id}/halted/{'/'.join(halts)}")),
            case_id=case.id,
            kind="case.halted",
            actor="system:runner",
            at=now,
            data={"halts": halts, "agent": None, "tool": None},
        )
        wait: Json = {"case_id": case.id, "command_id": command.id, "workflow": case.workflow}
        wait |= {"agent": None, "tool": None, "since": now.isoformat(), "event": told.to_json()}
        await SessionHalts(session).wait(wait | {"owner": workflow.owner if workflow else "operations"})
    return bool(halts)


def halt_event(parts: Machinery, kind: str, by: str, data: dict[str, Any]) -> Event:
    """An event about a halt; it belongs to no case."""
    return Event(id=parts.ids(), case_id=None, kind=kind, actor=by, at=parts.clock(), data=data)


def _named(halt: Halt) -> dict[str, Any]:
    return {"halt": halt.id, "scope": halt.scope, "target": halt.target, "reason_code": halt.reason_code}

"""Moving a case whose step this version does not have to one that it has: by people, once, on the record.

A moved thread goes where a retry of that step would go: to a gate by its judge, to a deed by what looks the
deed up. So nobody is moved past a signature.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from checkpoints.audit import Event, tell
from checkpoints.cases import Case, Status, get_case, move_case
from checkpoints.commands import Command, CommandKind, drop_commands
from checkpoints.database import Transaction
from checkpoints.exceptions import Way, close_standstill, standstill_of
from checkpoints.places import Place, places
from graphs.closed_world import node_at
from graphs.fitting import STUCK, lacks, targets
from graphs.flow import Builder
from graphs.rollback.graph import build as build_rollback
from graphs.standstills import CaseMovedOn, Held, lock_case
from graphs.ways_out import NotYoursToResolve, WaysOut
from graphs.wiring import Parts
from nodes.permissions import Principal
from nodes.state import standing
from nodes.stuck import RETRIED
from nodes.weigh import weigh

MOVE = "move"
"""The key of a command's payload that names the step to move to."""
OWNER = "owner"
"""The key that says whose the case is meanwhile."""
MOVED = "moved"


class NoSuchStep(Exception):
    """There is no step of this name to move to."""


async def moved(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    config: RunnableConfig,
    command: Command,
    at: datetime,
) -> None:
    """Take a thread out of steps that its graph lacks, to where a retry of the command's step would go.

    The next segment finds it there, so that a crash moves it once.
    """
    step = str(command.payload[MOVE])
    resumed = Event(
        id=str(uuid5(NAMESPACE_OID, f"{command.id}/moved")),
        case_id=command.case_id,
        kind="case.resumed",
        actor="rule:stuck",
        at=at,
        data={"step": step},
    )
    update = {
        "outcome": RETRIED,
        "step": step,
        "standing": standing("running", MOVED, command.payload.get(OWNER)),
        "record": [resumed.to_json()],
    }
    await graph.aupdate_state(config, update, as_node=STUCK)


@dataclass(frozen=True, slots=True)
class Moving:
    """Lets people move cases that a new version would orphan; in one transaction, whoever else acts."""

    parts: Parts

    async def move(self, case_id: str, step: str, principal: Principal) -> Case:
        """Have a case go on from a step of this version's.

        Raises:
            CaseNotFound, NotYoursToResolve, NoSuchStep.
            CaseMovedOn: it does not wait in a step that this version lacks, or people are still asked about
                what would not be judged next: their review would stay behind.
        """
        async with self.parts.database.transaction() as tx:
            held = await lock_case(tx, case_id)
            case = held.case
            ways = WaysOut(self.parts)
            if ways.may(case.workflow, case.owner, principal):
                graph = self._graph(case)
                place = await _orphaned(tx, case, graph)
                if step not in targets(graph):
                    raise NoSuchStep(
                        f"cases are moved to one of {', '.join(sorted(targets(graph))) or 'no step'}"
                    )
                judged = not place.lanes and node_at(graph, targets(graph)[step]) is weigh
                if held.reviews and not judged:
                    raise CaseMovedOn(
                        "people are asked: have them decide first, or move the case to its judge"
                    )
                await self._move(tx, held, place, step, principal.actor)
                return await get_case(tx, case_id)
            await tell(tx, self._event(case_id, "case.move_denied", principal.actor, to=step))
        raise NotYoursToResolve

    def _graph(self, case: Case) -> Builder:
        if case.rollback:
            return build_rollback()
        if (known := self.parts.workflows.get(case.workflow)) is None:
            raise NoSuchStep(f"this version has no workflow {case.workflow}")
        graph: Builder = known.build()
        return graph

    async def _move(self, tx: Transaction, held: Held, place: Place, step: str, actor: str) -> None:
        case, now = held.case, self.parts.clock()
        owner = case.owner if held.reviews else None  # whoever is asked is asked still
        if (found := await standstill_of(tx, case.id)) is not None:
            await close_standstill(tx, found, Way.RETRY, by=actor, at=now)
        waited = ["/".join(path) for path in place.paths]
        await tell(tx, self._event(case.id, "case.moved", actor, to=step, was=waited, graph=place.graph))
        await move_case(tx, case.id, Status.RUNNING, now, reason=MOVED, owner=owner)
        await drop_commands(tx, case.id, MOVED, now)  # wake-ups that no worker took: this one is theirs, too
        command_id = self.parts.ids()
        command = Command(
            id=command_id,
            case_id=case.id,
            kind=CommandKind.RETRY,
            dedupe_key=f"move:{command_id}",
            payload={MOVE: step, OWNER: owner},
            created_at=now,
        )
        await self.parts.queue.enqueue(tx, command)

    def _event(self, case_id: str, kind: str, actor: str, **data: Any) -> Event:
        at = self.parts.clock()
        return Event(id=self.parts.ids(), case_id=case_id, kind=kind, actor=actor, at=at, data=data)


async def _orphaned(tx: Transaction, case: Case, graph: Builder) -> Place:
    found = await places(tx.driver, case.id)
    if not found or not lacks(graph, found[0]):
        raise CaseMovedOn("every step in which the case waits is in this version: there is nothing to move")
    return found[0]

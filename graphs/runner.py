"""The runner: carries out one command on one thread, up to its next pause or its end."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import psycopg
from langchain_core.callbacks import Callbacks
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained, GraphRecursionError
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command as Wake

from checkpoints.audit import Event, tell
from checkpoints.cases import Case, Status, get_case, move_case
from checkpoints.commands import Command, close_command, finish_command, open_command
from checkpoints.errors import DatabaseAway, GraphLacksStep, LimitReached, StaleHead, TooEarly
from checkpoints.places import GRAPH, VERSION, name_step, place_of
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.seats import seated
from checkpoints.serializer import ForeignCheckpoint
from checkpoints.session import Session, fence, open_session, require_fence
from checkpoints.worker import Drained
from graphs.at_work import on_case
from graphs.contexts import context_on
from graphs.fitting import GRAPH_LACKS_STEP, NobodyHasStep, fingerprint, lacks, leave_to_another
from graphs.halting import put_off
from graphs.judging import case_state
from graphs.moving import MOVE, moved
from graphs.rollback.graph import build as build_rollback
from graphs.tracing import PAUSED, Segment
from graphs.wiring import Parts
from nodes.context import Context
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.strict_yaml import TableUnfit
from nodes.undoing import ROLLBACK
from nodes.workflow import Workflow

logger = logging.getLogger(__name__)

MOST_STEPS = 60
"""LangGraph's recursion limit for one segment; its own default is 10,007."""

MOST_ROLLBACK_STEPS = 5 * MOST_STEPS
"""The same for a rollback, which takes a handful of steps for each deed."""

_UNFINISHED = frozenset({None, Status.RECEIVED, Status.RUNNING, Status.APPROVED, Status.EXECUTED})
_UNDER_LIMITS = (_UNFINISHED - {None}) | {Status.WAITING_REVIEW, Status.WAITING_INFO}
"""What a limit of time, steps or retries can still stop; a case that has ended stays as it is."""
_TRIES_TO_END = 3

Graph = CompiledStateGraph[CaseState, Context, CaseState, CaseState]


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs segments, each with a control by which a shutdown can stop it at its next step."""

    parts: Parts
    controls: set[RunControl] = field(default_factory=set)
    graphs: dict[str, Graph] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)

    def drain(self) -> None:
        """Ask every running segment to stop after its current step; another worker goes on from there."""
        for control in self.controls:
            control.request_drain()

    async def carry_out(self, command_id: str) -> None:
        """Carry out a command once, whoever else tries.

        Raises:
            Drained: stopped between two steps; to be taken up again at once.
            TooEarly: the command is for later.
            GraphLacksStep: this graph lacks the step that the thread waits in; for a worker that has it.
            ThreadIsBusy, NoSeat, StaleHead, DatabaseAway: to be tried again.
        """
        await self.parts.renew_tools()
        async with open_session(self.parts.database.engine) as session:
            known = await open_command(session, command_id)
            if known is None:
                return
            if known[0].run_at is not None and known[0].run_at > self.parts.clock():
                raise TooEarly
            seats = self.parts.seats.get(known[1].workflow)
            async with seated(session, known[1].workflow, seats), fence(session, known[1].id):
                # Asked again: whoever held the thread until now may have carried it out.
                known = await open_command(session, command_id)
                if known is not None and known[1].ended_by_people:
                    await close_command(session, known[0], "ended_by_people", self.parts.clock())
                elif known is not None:
                    with (
                        on_case(known[1].id),
                        self.parts.tracer.segment(*known) as traced,
                        self.parts.meter.segment(known[1].workflow, traced),
                    ):
                        await self._carry_out(*known, session, traced)

    async def _carry_out(self, command: Command, case: Case, session: Session, traced: Segment) -> None:
        if await put_off(self.parts, session, command, case):
            traced.outcome = "halted"
            return
        try:
            outcome = await self._segment(command, case, session, traced.callbacks)
        except GraphDrained as drained:
            raise Drained from drained
        except (psycopg.OperationalError, DatabaseAway, StaleHead, GraphLacksStep):
            raise
        except LimitReached as reached:
            traced.status = Status.BLOCKED
            owner = self.parts.workflows[case.workflow].owner
            await self._stop(session, command, Status.BLOCKED, reached.reason, owner, **reached.to_json())
            return
        except NobodyHasStep as nobody:
            traced.status = Status.BLOCKED
            await self._stop(session, command, Status.BLOCKED, GRAPH_LACKS_STEP, steps=nobody.steps)
            return
        except TableUnfit as unfit:
            logger.error("case %s: %s", case.id, unfit)  # noqa: TRY400 - the message says it all
            traced.status, traced.failure = Status.BLOCKED, unfit
            await self._stop(session, command, Status.BLOCKED, "rules_unfit", error=str(unfit))
            return
        except ForeignCheckpoint:
            logger.error("case %s: its checkpoint holds what no checkpoint of ours does", case.id)  # noqa: TRY400
            traced.status = Status.BLOCKED
            await self._stop(
                session, command, Status.BLOCKED, "foreign_checkpoint", error="ForeignCheckpoint"
            )
            return
        except Exception as error:  # the one place where any failure of a node becomes a state of its case
            logger.exception("case %s failed", case.id)
            traced.status, traced.failure = Status.FAILED, error
            await self._stop(session, command, Status.FAILED, "unexpected_error", error=type(error).__name__)
            return
        traced.outcome = outcome
        paused = outcome == PAUSED
        await close_command(session, command, outcome, self.parts.clock(), paused=paused)

    async def _segment(self, command: Command, case: Case, session: Session, callbacks: Callbacks) -> str:
        if case.workflow not in self.parts.workflows:
            await leave_to_another(session, command, case, ["workflow"], self.parts.clock)
        workflow = await self.parts.rulebook.workflow(self.parts.workflows[case.workflow], case.rules)
        context = context_on(self.parts, case, workflow, session)
        if case.status in _UNDER_LIMITS:
            await context.brakes.require_within()
        saver = GovernedSaver(session, Projection(case.id, self.parts.clock))
        runs = _workflow_on(case, workflow)
        graph = self._graph(runs).copy(update={"checkpointer": saver})
        config: RunnableConfig = {
            "configurable": {"thread_id": case.thread_id, "run_id": case.id},
            "recursion_limit": MOST_STEPS if case.rollback is None else MOST_ROLLBACK_STEPS,
            "callbacks": callbacks,
            "metadata": {GRAPH: self.fingerprints[runs.name], VERSION: workflow.version},
        }
        await self._require_fit(graph, config, command, case, session)
        given = await _input(graph, config, command, case)
        for _ in range(_TRIES_TO_END):
            context.memory.records = None
            state = await self._invoke(graph, given, config, context, session)
            if state.get("__interrupt__"):
                return PAUSED
            if (state.get("standing") or {}).get("status") not in _UNFINISHED:
                return "ended"
            given = None  # a crash between a node's writes and their checkpoint makes a graph look finished
        raise EndedTooEarly

    async def _require_fit(
        self, graph: Graph, config: RunnableConfig, command: Command, case: Case, session: Session
    ) -> None:
        """Go on only where the graph has every step that the thread waits in, or where people moved it to.

        Raises:
            GraphLacksStep, NobodyHasStep.
        """
        place = None if case.head is None else await place_of(session, case.id)
        if place is None or not (steps := lacks(graph.builder, place)):
            return
        if MOVE in command.payload:
            await moved(graph, config, command, self.parts.clock())
        else:
            await leave_to_another(session, command, case, steps, self.parts.clock)

    async def _invoke(
        self, graph: Graph, given: Any, config: RunnableConfig, context: Context, session: Session
    ) -> Json:
        control = RunControl()
        self.controls.add(control)
        try:
            return dict(
                await graph.ainvoke(given, config, context=context, durability="sync", control=control)
            )
        except GraphDrained:
            await session.catch_up()
            raise
        except GraphRecursionError as error:
            await session.catch_up()
            most = int(config["recursion_limit"])
            raise LimitReached("limit_steps", per="segment", most=most, count=most) from error
        finally:
            self.controls.discard(control)

    def _graph(self, workflow: Workflow) -> Graph:
        if workflow.name not in self.graphs:
            builder = workflow.build()
            self.graphs[workflow.name] = builder.compile()
            self.fingerprints[workflow.name] = fingerprint(builder)
        return self.graphs[workflow.name]

    async def _stop(
        self,
        session: Session,
        command: Command,
        status: Status,
        reason: str,
        owner: str = "operations",
        **told: Any,
    ) -> None:
        """Leave the case in a named state: it cannot go on, and somebody has to look; raises ThreadIsBusy."""
        now = self.parts.clock()
        stopped = Event(
            id=str(uuid5(NAMESPACE_OID, f"stopped:{command.id}")),
            case_id=command.case_id,
            kind=f"case.{status}",
            actor="system:runner",
            at=now,
            data={"reason": reason, "owner": owner, **told},
        )
        async with self.parts.database.transaction() as tx:
            case = await get_case(tx, command.case_id, lock=True)
            await require_fence(tx, session, case.id)
            if not case.ended_by_people:
                await move_case(tx, command.case_id, status, now, reason=reason, owner=owner)
                for step in told.get("steps", [])[:1]:
                    await name_step(tx.driver, command.case_id, step)
                await tell(tx, stopped)
            await finish_command(tx, command.id, status.value, now)


class EndedTooEarly(Exception):
    """The graph came to an end, but its case did not."""


def _workflow_on(case: Case, workflow: Workflow) -> Workflow:
    """The workflow with the graph that runs on the case's thread: its own, or the one that takes back."""
    return workflow if case.rollback is None else replace(workflow, name=ROLLBACK, build=build_rollback)


async def _input(graph: Graph, config: RunnableConfig, command: Command, case: Case) -> Any:
    """What to wake the thread with: its first input, a wake-up of one pending interrupt, or nothing."""
    if case.head is None:
        return {"case": case_state(case)}
    snapshot = await graph.aget_state(config)
    wanted = command.payload.get("interrupt")
    if wanted in {interrupt.id for interrupt in snapshot.interrupts}:
        return Wake(resume={wanted: {"wake": command.id}})
    return None

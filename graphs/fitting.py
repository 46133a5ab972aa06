"""Fitting: whether a thread can go on in a graph, which may be another than the one that it stopped in.

What is asked is only whether every step that the thread waits in is there, lanes included. A graph whose
other steps were added, removed or changed takes it: the judge judges anew and the gateway looks at ledger
and signatures anew, whatever a step before has left, so that nothing is done that was not signed. A step that
is not there is another matter: LangGraph would leave it out, and end in silence.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event
from checkpoints.canonical import digest
from checkpoints.cases import Case
from checkpoints.commands import Command
from checkpoints.errors import GraphLacksStep
from checkpoints.places import Place, told_since
from checkpoints.session import Session
from graphs.clock import Clock
from graphs.closed_world import node_at, routes_of
from graphs.flow import Builder
from nodes.lane import steps_of
from nodes.shapes import Json
from nodes.stuck import retryable_in

PATIENCE = timedelta(minutes=15)
"""How long a thread is left for a worker whose graph has its step; then people are told."""
GRAPH_LACKS_STEP = "graph_lacks_step"
STUCK = "stuck"


class NobodyHasStep(Exception):
    """No worker has taken the thread in time: its step is in none of their graphs.

    Attributes:
        steps: the steps that are lacking, as paths through lanes.
    """

    def __init__(self, steps: Sequence[str]) -> None:
        super().__init__(", ".join(steps))
        self.steps = list(steps)


def fingerprint(graph: Builder) -> str:
    """64 hex digits that stand for the steps of a graph, its lanes' included, and where each can lead."""
    return digest(_shape(graph))


def _shape(graph: Builder) -> Json:
    shape: Json = {}
    for step, to in routes_of(graph):
        lane = steps_of(node_at(graph, step)) if step in graph.nodes else None
        shape[step] = {"to": sorted(to), "lane": None if lane is None else _shape(lane)}
    return shape


def lacks(graph: Builder, place: Place) -> list[str]:
    """The steps that a thread waits in and the graph does not have, as paths through lanes.

    A thread that stands in an exception waits in the step from which it would be tried again, too.
    """
    paths = list(place.paths)
    if STUCK in place.pending and place.step:
        paths.append((place.step,))
    return sorted({"/".join(path) for path in paths if not _has(graph, path)})


def _has(graph: Builder, path: Sequence[str]) -> bool:
    step, *within = path
    if step not in graph.nodes:
        return False
    if not within:
        return True
    lane = steps_of(node_at(graph, step))
    return lane is not None and _has(lane, within)


def targets(graph: Builder) -> Mapping[str, str]:
    """The steps to which a thread can be moved, and where it then goes on: where a retry of the step would.

    That is a gate's judge, and for a deed the step that looks it up.
    """
    return retryable_in(node_at(graph, STUCK)) if STUCK in graph.nodes else {}


async def leave_to_another(
    session: Session, command: Command, case: Case, steps: Sequence[str], clock: Clock
) -> None:
    """Leave a thread to a worker whose graph has its steps; the command stays as it is.

    Raises:
        GraphLacksStep: to be tried again, later each time.
        NobodyHasStep: nobody has taken it since it was first refused.
    """
    now = clock()
    refused = Event(
        id=str(uuid5(NAMESPACE_OID, f"{command.id}/refused")),
        case_id=case.id,
        kind="case.refused",
        actor="system:runner",
        at=now,
        data={"reason": GRAPH_LACKS_STEP, "steps": list(steps)},
    )
    if now - await told_since(session, refused) >= PATIENCE:
        raise NobodyHasStep(steps)
    raise GraphLacksStep

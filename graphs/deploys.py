"""Deploys: which paused threads this version would orphan, asked before it runs, and what to do with each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg.errors import UndefinedColumn, UndefinedTable

from checkpoints.cases import Status
from checkpoints.database import Database
from checkpoints.errors import DatabaseUnusable
from checkpoints.places import Place, places
from graphs.fitting import STUCK, fingerprint, lacks, targets
from graphs.flow import Builder
from graphs.kit import Kit
from graphs.rollback.graph import build as build_rollback

_NO_WORKFLOW = "the workflow"
_RENAMED = "If a step has a new name, say so in the graph: flow.step(…, was=({step!r},))."


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """A case that waits where this version has no step.

    Attributes:
        lacks: the steps, as paths through lanes.
        now: the fingerprint of this version's graph; None if it has no such workflow.
    """

    place: Place
    lacks: list[str]
    now: str | None
    to_do: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What a version means for the threads that have not ended.

    Attributes:
        threads: how many there are.
        changed: how many of them go on in another graph than the one they stopped in.
    """

    threads: int
    changed: int
    orphans: list[Orphan]


async def check(database: Database, kits: Iterable[Kit]) -> Check:
    """Hold all paused threads against the graphs of this version; reads, and writes nothing.

    Raises:
        DatabaseUnusable: it is not Countersign's, or older than revision 0007.
    """
    graphs = {kit.name: kit.build() for kit in kits}
    try:
        async with database.connection() as connection:
            found = await places(connection)
    except (UndefinedColumn, UndefinedTable) as error:
        raise DatabaseUnusable("there is nothing to check: run 'countersign migrate' first") from error
    prints = {name: fingerprint(graph) for name, graph in graphs.items()}
    takes_back = build_rollback()
    orphans, changed = [], 0
    for place in found:
        graph = takes_back if place.takes_back else graphs.get(place.workflow)
        now = fingerprint(takes_back) if place.takes_back else prints.get(place.workflow)
        lacking = [_NO_WORKFLOW] if graph is None else lacks(graph, place)
        if lacking:
            to_do = _to_do(place, graph, lacking)
            orphans.append(Orphan(place=place, lacks=lacking, now=now, to_do=to_do))
        else:
            changed += now != place.graph
    return Check(threads=len(found), changed=changed, orphans=orphans)


def _to_do(place: Place, graph: Builder | None, lacking: list[str]) -> str:
    if graph is None:
        return "Keep the workflow until its cases have ended, or cancel them."
    first = "Let people decide it before you deploy." if _asks(place) else "Have it resolved or cancelled."
    renamed = _RENAMED.format(step=lacking[0].rpartition("/")[2]) if "/" not in lacking[0] else ""
    steps: Mapping[str, str] = targets(graph)
    move = f"Or deploy, then: countersign deploy move {place.case_id} --to STEP." if steps else ""
    return " ".join(filter(None, (first, renamed, move)))


def _asks(place: Place) -> bool:
    return place.status == Status.WAITING_REVIEW and STUCK not in place.pending

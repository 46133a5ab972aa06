"""The life of a case in one process: events and votes come in, a worker works, what others left goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from checkpoints.cases import Case, Status
from checkpoints.database import open_database
from checkpoints.queue import QUEUE, Queue, queue_app
from checkpoints.reaper import Reaper
from checkpoints.worker import OwnedJobsWorker, register_segment
from graphs.connectors import asking
from graphs.deadlines import Deadlines
from graphs.halting import Switch
from graphs.intake import CloudEvent, Intake
from graphs.reconciler import Reconciler
from graphs.rollbacks import Rollbacks
from graphs.rulebook import Rulebook
from graphs.runner import Runner
from graphs.waiting_room import WaitingRoom
from graphs.wiring import Parts, registry_of
from nodes.permissions import Principal
from tests.crash.points import Points, seen
from tests.house import SHOP, House, ManualClock, at_once
from tools.contract import Tool
from tools.registry import USUAL_LINES
from tools.sandbox import sandbox_tools
from tools.sandbox.database import open_sandbox

MOST_ROUNDS = 8
LATER = timedelta(minutes=2)
"""How much later another worker goes on: long enough for the reconciler to take what is lost for lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Two databases that a case lives in, by their addresses."""

    ours: str
    sandbox: str


Changed = Callable[[Tool], Tool]


@dataclass(frozen=True, slots=True)
class Life:
    """What one process can do for the one case of its databases, whatever was done before."""

    house: House

    @property
    def parts(self) -> Parts:
        """The process's parts."""
        return self.house.parts

    async def case(self) -> Case:
        """The case."""
        ((row),) = await self.house.rows("SELECT id FROM cases")
        return await self.house.case(row["id"])

    async def send(self, event: CloudEvent) -> None:
        """Send the event; who has no answer sends it again."""
        await Intake(self.parts).receive(event, SHOP)

    async def vote(self, about: str, who: Principal) -> None:
        """Approve what somebody finds in their queue, named by its tool or department; nothing else."""
        for review in await self.house.open_reviews():
            named = {review.tool, review.action["arguments"].get("department")}
            voted = await self.house.rows(
                "SELECT 1 FROM votes WHERE review_id = %s AND person = %s", review.id, who.actor
            )
            if about in named and not voted:
                await self.house.vote(review, who)

    async def roll_back(self, who: Principal) -> None:
        """Ask for the rollback, unless it has been asked for."""
        case = await self.case()
        if case.rollback is None:
            await Rollbacks(self.parts).start(case.id, "It was a mistake.", None, who)

    async def work(self) -> None:
        """Do what is in line, as a worker does, and go when the line is empty."""
        app = queue_app(self.parts.database.conninfo)
        register_segment(app, self.house.runner.carry_out)
        async with app.open_async():
            worker = OwnedJobsWorker(
                app, queues=[QUEUE], wait=False, listen_notify=False, install_signal_handlers=False
            )
            await worker.run()  # type: ignore[no-untyped-call]

    async def take_over(self) -> None:
        """Do what every worker does beside its jobs, and take up what dead ones left, until nothing is left.

        Nobody else is alive, so whoever's heart is not beating now is dead.
        """
        reaper = Reaper(
            database=self.parts.database,
            queue=self.parts.queue,
            clock=self.parts.clock,
            dead_after=timedelta(0),
        )
        for _ in range(MOST_ROUNDS):
            for upkeep in (
                reaper.reap,
                reaper.reconcile,
                Deadlines(self.parts).run,
                Switch(self.parts).wake,
                Reconciler(self.parts).run,
            ):
                await upkeep()
            await self.work()
            if await self.is_at_rest():
                return
        raise AssertionError(f"after {MOST_ROUNDS} rounds there is still work: {await self.case()}")

    async def is_at_rest(self) -> bool:
        """Whether nothing is in line, and the case is not under way."""
        left = await self.house.rows(
            """SELECT 1 FROM commands WHERE done_at IS NULL UNION ALL
               SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') UNION ALL
               SELECT 1 FROM cases WHERE status = ANY(%s)""",
            [Status.RECEIVED, Status.RUNNING, Status.APPROVED, Status.EXECUTED],
        )
        return not left


@asynccontextmanager
async def born(
    warm: Runner, place: Place, clock: ManualClock, changed: Changed, points: Points | None = None
) -> AsyncIterator[Life]:
    """A process's parts on connections of its own; what has none is taken from a runner made before.

    With points, whatever it does in the block is told to them.
    """
    ready = warm.parts
    async with (
        open_database(place.ours) as database,
        open_sandbox(place.sandbox, clock=clock) as sandbox,
    ):
        tools = [changed(tool) for tool in sandbox_tools(sandbox)]
        registry = registry_of(
            tools, ready.outside, asking(at_once, lambda: 0.5), ready.breakers, USUAL_LINES
        )
        capability = registry.hand_over()
        if points is not None:
            registry.watched_by(capability, points.call)
        parts = replace(
            ready,
            database=database,
            queue=Queue(queue_app(database.conninfo)),
            registry=registry,
            capability=capability,
            room=WaitingRoom(ready.room.room, database, clock),
            rulebook=Rulebook(database, dict(ready.rulebook.tables)),
            clock=clock,
            tracer=ready.tracer if points is None else points,
        )
        life = Life(House(parts))
        life.house.runner = Runner(parts, graphs=dict(warm.graphs), fingerprints=dict(warm.fingerprints))
        if points is None:
            yield life
        else:
            async with seen(points):
                yield life


Act = Callable[[Life], Awaitable[None]]
"""What comes from outside; it can be done again, and then finds what is already done."""

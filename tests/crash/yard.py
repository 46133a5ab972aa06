"""The yard: a Postgres in memory where scenarios are put in their states, copied, killed and gone on with."""

import asyncio
import gc
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from checkpoints.embedded import APPLICATION, EmbeddedPostgres, embedded_postgres
from graphs.people import PeopleFile, Person, write_people
from graphs.rollback.graph import build as build_rollback
from graphs.runner import Runner
from graphs.settings import Settings
from graphs.wiring import open_parts
from nodes.undoing import ROLLBACK
from tests.conftest import AS_OF, quick_place
from tests.crash.forks import Child, in_child
from tests.crash.life import LATER, Act, Place, born
from tests.crash.points import Kind, Moment, Point, Points
from tests.crash.remains import alone_at, remains_at
from tests.crash.scenarios import PEOPLE, Scenario
from tests.crash.verdict import Ending, differences, ending_of, is_unknown
from tests.databases import OURS, SANDBOX, _copy, make_templates
from tests.house import ManualClock, at_once

At = tuple[int, int]
"""Where a process is killed: the number of the act, and of the moment in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A scenario as it goes when nobody is killed: the moments of each act, and what it comes to."""

    scenario: Scenario
    moments: list[list[Moment]]
    usual: Ending

    def all(self) -> list[At]:
        """Every moment."""
        return [(act, number) for act, moments in enumerate(self.moments) for number in range(len(moments))]

    def points(self, at: At) -> Moment:
        """The points of a moment."""
        return self.moments[at[0]][at[1]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """A process that was killed in a moment, or had ended by then, and what it left behind.

    Attributes:
        died: the first point of the moment, by the process's own word.
    """

    at: At
    died: Point | None
    remains: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of what was left behind: whether nobody can tell what became of a deed, and what is wrong."""

    unknown: bool
    problems: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Yard:
    """A server with the templates of all scenarios, and a runner that a child only has to connect."""

    server: EmbeddedPostgres
    warm: Runner

    def record(self, scenario: Scenario) -> Recorded:
        """Bring the scenario about once, and keep its state before each act."""
        place = self._copied("", f"{scenario.name}_run")
        self._prepared(scenario, place)
        moments = list[list[Moment]]()
        for number, act in enumerate(scenario.acts):
            self._copied(f"{scenario.name}_run", f"{scenario.name}_{number}")
            told = json.loads(self._lived(scenario, place, [act], None).wrote)
            moments.append([[_point(one) for one in moment] for moment in told])
        usual = Ending(**json.loads(self._went_on(scenario, place, [], None).wrote))
        return Recorded(scenario=scenario, moments=moments, usual=usual)

    def kill(self, recorded: Recorded, at: At, lane: str) -> Kill:
        """Kill a process in a moment; what it left behind stays in the lane until the next kill."""
        scenario, (number, moment) = recorded.scenario, at
        place = self._copied(f"{scenario.name}_{number}", lane)
        child = self._lived(scenario, place, [scenario.acts[number]], moment)
        alone_at(self.server.url("postgres"), place)
        died = _point(json.loads(child.wrote)) if child.was_killed else None
        return Kill(at=at, died=died, remains=remains_at(place))

    def go_on(self, recorded: Recorded, at: At, lane: str, kill_at: int | None = None) -> Outcome:
        """Let another process go on from what a kill left to the end; if it is killed too, a third does."""
        scenario, acts = recorded.scenario, recorded.scenario.acts[at[0] :]
        place = self._place(lane)
        child = self._went_on(scenario, place, acts, kill_at)
        if child.was_killed:
            alone_at(self.server.url("postgres"), place)
            child = self._went_on(scenario, place, acts, None)
        ending = Ending(**json.loads(child.wrote))
        return Outcome(
            unknown=is_unknown(scenario, ending),
            problems=list(differences(scenario, ending, recorded.usual)),
        )

    def _lived(self, scenario: Scenario, place: Place, acts: Sequence[Act], kill_at: int | None) -> Child:
        """A process that does acts and the work after each; it is killed in a moment, or tells them all."""

        async def live(line: int) -> None:
            points = Points(line=line, kill_at=kill_at, ours=_name(place.ours))
            async with born(self.warm, place, ManualClock(AS_OF), scenario.changed, points) as life:
                for act in acts:
                    await act(life)
                    await life.work()
            told = [[asdict(point) for point in moment] for moment in points.moments]
            _write(line, told if kill_at is None else [])

        return in_child(lambda line: asyncio.run(live(line)))

    def _went_on(self, scenario: Scenario, place: Place, acts: Sequence[Act], kill_at: int | None) -> Child:
        """A process that takes over, does these acts as far as they are not done, and tells the ending."""

        async def live(line: int) -> None:
            points = None if kill_at is None else Points(line=line, kill_at=kill_at, ours=_name(place.ours))
            async with born(self.warm, place, ManualClock(AS_OF + LATER), scenario.changed, points) as life:
                for act in acts:
                    await act(life)
                    await life.take_over()
            async with born(self.warm, place, ManualClock(AS_OF + LATER), scenario.changed) as life:
                _write(line, (await ending_of(life, place)).to_json())

        return in_child(lambda line: asyncio.run(live(line)))

    def _prepared(self, scenario: Scenario, place: Place) -> None:
        """Do what is done before anybody is killed."""

        async def live() -> None:
            async with born(self.warm, place, ManualClock(AS_OF), scenario.changed) as life:
                for act in scenario.before:
                    await act(life)
                    await life.work()

        in_child(lambda _: asyncio.run(live()))

    def _place(self, name: str) -> Place:
        """Both databases of this name."""
        ours, sandbox = self.server.url(f"{OURS}_{name}", APPLICATION), self.server.url(f"{SANDBOX}_{name}")
        return Place(ours=ours, sandbox=sandbox)

    def _copied(self, template: str, name: str) -> Place:
        """Both databases of this name, made anew like the template's."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            for base in (OURS, SANDBOX):
                of, to = (f"{base}_{template}" if template else base), f"{base}_{name}"
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(to)))
                connection.execute(_copy(to, of))
        return self._place(name)


@contextmanager
def open_yard() -> Iterator[Yard]:
    """A yard for as long as the block lasts, with everything imported, read and proven once."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-crash-", dir=quick_place()))
    folder.chmod(0o755)
    try:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                yield runner.run(_yard(stack, folder))
            finally:
                runner.run(stack.aclose())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _yard(stack: AsyncExitStack, folder: Path) -> Yard:
    server = await stack.enter_async_context(embedded_postgres(folder, durable=False))
    await make_templates(server, AS_OF)
    people = [
        Person(id=who.id, name=who.name, roles=sorted(who.roles), human=who.human or None) for who in PEOPLE
    ]
    write_people(folder / "people.yaml", PeopleFile(people=people))
    settings = Settings(
        database_url=server.url(OURS, APPLICATION),
        sandbox_url=server.url(SANDBOX),
        home=folder,
        people_file=folder / "people.yaml",
    )
    async with open_parts(settings, clock=ManualClock(AS_OF), sleep=at_once) as warm:
        pass
    runner = Runner(warm)
    for workflow in warm.workflows.values():
        runner._graph(workflow)
        runner._graph(replace(workflow, name=ROLLBACK, build=build_rollback))
    gc.freeze()
    return Yard(server=server, warm=runner)


def _name(url: str) -> str:
    """A database's name."""
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def _point(told: dict[str, str]) -> Point:
    return Point(kind=Kind(told["kind"]), when=told["when"], what=told["what"])


def _write(line: int, answer: object) -> None:
    with open(line, "w", encoding="utf-8", closefd=False) as file:
        json.dump(answer, file)

"""The suites of AgentDojo: what attacks and the users' own deeds come to under each governance."""

import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from tests.attack.dojo.governance import PLAIN, Governance
from tests.attack.dojo.governed import countersign
from tests.attack.dojo.suites import SUITES, Ask, UserTask, installed, suite
from tests.attack.dojo.world import World
from tests.attack.figures import Figures
from tests.databases import make_templates
from tests.house import ManualClock
from tools.contract import ToolRefused

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(slots=True)
class Count:
    """What is counted of one governance.

    Attributes:
        unread: attacks in whose task nothing planted was read.
        which: the attacks that had an effect and no person.
    """

    attacks: int = 0
    unattended: int = 0
    attacker_asks: int = 0
    writes: int = 0
    asks: int = 0
    wrongly_refused: int = 0
    unread: int = 0
    which: list[str] = field(default_factory=list)

    def figures(self, name: str) -> Figures:
        """The row of the table."""
        return Figures(
            governance=name,
            attacks=self.attacks,
            unattended=self.unattended,
            attacker_asks=self.attacker_asks,
            writes=self.writes,
            asks=self.asks,
            wrongly_refused=self.wrongly_refused,
        )


async def user_task(world: World, governance: Governance, task: UserTask, count: Count) -> None:
    """A task as its user wants it; people who are asked say yes."""
    world.begin(task, planted=False)
    for ask in task.asks:
        if not ask.changes:
            world.read(ask)
            continue
        before = world.deeds
        count.writes += 1
        count.asks += await governance.tried(world, ask, approving=True)
        if world.deeds == before:
            count.wrongly_refused += 1
            world.do(ask)  # or the task cannot go on


async def attack(
    world: World, governance: Governance, task: UserTask, asks: Sequence[Ask], count: Count
) -> bool:
    """A task until something planted is read, and then what the attacker wants; nobody says yes.

    The user's own deeds before that are done as if they had been signed: they are counted elsewhere.

    Returns:
        Whether anything happened that nobody had signed.
    """
    world.begin(task, planted=True)
    count.unread += not any(_legitimate(world, ask) for ask in task.asks)
    before = world.effects
    for ask in asks:
        if ask.changes:
            count.attacker_asks += await governance.tried(world, ask, approving=False)
        else:
            world.read(ask)
    count.attacks += 1
    count.unattended += world.effects > before
    return world.effects > before


def _legitimate(world: World, ask: Ask) -> bool:
    """Let the user's own call happen; whether something planted was in its answer."""
    try:
        return world.do(ask) if ask.changes else world.read(ask)
    except ToolRefused:
        return False


async def measured(
    worlds: Iterable[World],
    governance: Governance,
    count: Count | None = None,
    *,
    tasks: frozenset[str] | None = None,
) -> Count:
    """Everything under one governance: each task, and each task with each injection.

    Args:
        worlds: the suites.
        governance: what is in force.
        count: what was counted before; it goes on counting.
        tasks: only these, as `suite/task`; all if None.
    """
    count = Count() if count is None else count
    for world in worlds:
        for task in world.suite.tasks.values():
            if tasks is not None and f"{world.suite.name}/{task.id}" not in tasks:
                continue
            await user_task(world, governance, task, count)
            for name, asks in world.suite.injections.items():
                if await attack(world, governance, task, asks, count):
                    count.which.append(f"{world.suite.name} {task.id} {name}")
    return count


@dataclass(frozen=True, slots=True)
class Bench:
    """The suites with everything that can govern them."""

    worlds: tuple[World, ...]
    governed: tuple[Governance, ...]


@asynccontextmanager
async def open_bench(
    postgres: EmbeddedPostgres, home: Path, names: Sequence[str] = SUITES
) -> AsyncIterator[Bench]:
    """Everything opened, on a server with the templates."""
    worlds = tuple(World(suite(name)) for name in names)
    async with countersign(postgres, worlds, home, ManualClock(AS_OF)) as governed:
        yield Bench(worlds, governed)


async def rows() -> tuple[str, list[Figures]]:
    """The whole table; without AgentDojo no row, and the title says so."""
    if not installed():
        return "AgentDojo is not here: uv run --group attack poe attack", []
    with tempfile.TemporaryDirectory(prefix="countersign-attack-") as place:
        Path(place).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(place), durable=False) as postgres:
            await make_templates(postgres, AS_OF)
            async with open_bench(postgres, Path(place)) as bench:
                return await _rows(bench)


async def _rows(bench: Bench) -> tuple[str, list[Figures]]:
    figures = []
    for governance in (*PLAIN, *bench.governed):
        count = Count()
        for world in bench.worlds:
            await measured([world], governance, count)
            print(f"{governance.name}: {world.suite.name}: {count.attacks} attacks", file=sys.stderr)
        figures.append(count.figures(governance.name))
    title = f"AgentDojo, a fully obeying model: {', '.join(world.suite.name for world in bench.worlds)}"
    return title, figures

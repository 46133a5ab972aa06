"""A rolling update as real processes: workers with an old and a new graph, under load; nothing is lost."""

import asyncio
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from checkpoints.cases import Status
from graphs.settings import Settings
from tests.engine.processes import until, worker_process
from tests.house import LEE, House
from tools.sandbox.cast import CAST

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "checkpoints", "graphs", "nodes", "tools")
SMALL = [f"clean_29_90_{number}" for number in range(1, 7)]
LARGE = [f"clean_120_00_{number}" for number in range(1, 5)]
OLD = 'flow.deed("refund", "payments.refund", judge="judge", gate_="gate", then="tell")'
NEW = """flow.deed("refund", "payments.refund", judge="judge", gate_="sign", then="look")
    flow.renamed("gate", "sign")
    flow.step("look", ask("triage"), {"ready": "tell"}, otherwise="uncertain")
"""

hasty = partial(worker_process, dead_seconds=5)
"""A worker that does not wait long for one that is killed."""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A copy of the project in which the gate has another name and a step was added behind it."""
    folder = tmp_path / "newer"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    graph = folder / "graphs" / "refund" / "graph.py"
    text = graph.read_text(encoding="utf-8")
    assert text.count(OLD) == 1
    graph.write_text(text.replace(OLD, NEW), encoding="utf-8")
    return folder


async def ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(120):
        assert (await process.stdout.readline()).decode().strip() == "ready"


async def stopped(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def all_are(house: House, cases: list[str], status: Status) -> None:
    async def there() -> bool:
        found = await house.rows("SELECT 1 FROM cases WHERE id = ANY(%s) AND status = %s", cases, status)
        return len(found) == len(cases)

    await until(there, f"{len(cases)} cases are {status}")


async def at_rest(house: House) -> None:
    async def nothing_left() -> bool:
        return await house.rows("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == []

    await until(nothing_left, "no job is left")


async def vote(house: House, *cases: str) -> None:
    for case in cases:
        await house.vote(await house.review(case), LEE)


async def test_a_rolling_update_of_two_workers_loses_nothing_and_pays_once(
    house: House, settings: Settings, newer: Path
) -> None:
    cases = {scene: (await house.send(scene)).id for scene in [*SMALL[:2], *LARGE[:3]]}
    large = [cases[scene] for scene in LARGE[:3]]
    async with hasty(settings) as first, hasty(settings) as second:
        await ready(first)
        await ready(second)
        await all_are(house, large, Status.WAITING_REVIEW)

        # The first is replaced while votes and events come in.
        await vote(house, large[0])
        await stopped(first)
        cases |= {scene: (await house.send(scene)).id for scene in SMALL[2:]}
        async with hasty(settings, code=newer) as third:
            await ready(third)
            await vote(house, large[1])
            cases |= {scene: (await house.send(scene)).id for scene in LARGE[3:]}
            late = [cases[scene] for scene in LARGE[3:]]
            await all_are(house, late, Status.WAITING_REVIEW)

            # The second is killed, and another new one takes its place.
            second.kill()
            await second.wait()
            async with hasty(settings, code=newer) as fourth:
                await ready(fourth)
                await vote(house, large[2], *late)
                await all_are(house, list(cases.values()), Status.CLOSED)
                await at_rest(house)
    await nothing_is_lost(house, cases)


async def test_an_old_worker_leaves_what_only_a_new_one_can_do_to_it(
    house: House, settings: Settings, newer: Path
) -> None:
    case = (await house.send(LARGE[0])).id
    async with worker_process(settings, code=newer) as new:
        await ready(new)
        await all_are(house, [case], Status.WAITING_REVIEW)
        await stopped(new)
    async with worker_process(settings) as old:
        await ready(old)
        await vote(house, case)

        async def refused() -> bool:
            return "case.refused" in await house.kinds(case)

        await until(refused, "the old worker has refused the case")
        async with worker_process(settings, code=newer) as new:
            await ready(new)

            async def closed() -> bool:
                # Whoever takes it, and however long the refused rest by now.
                await house.rows("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")
                return (await house.case(case)).status is Status.CLOSED

            await until(closed, "the new worker has taken the case to its end")
            await at_rest(house)
    await nothing_is_lost(house, {LARGE[0]: case})


async def nothing_is_lost(house: House, cases: dict[str, str]) -> None:
    """Each was paid once and told once, asked once if it was asked, and ended in so many words."""
    assert await house.rows("SELECT 1 FROM commands WHERE done_at IS NULL") == []
    assert await house.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'") == []
    for scene, case in cases.items():
        kinds = await house.kinds(case)
        assert len(await house.refunds(CAST[scene].order_id)) == 1, scene
        assert kinds.count("effect.done") == len(["payments.refund", "tickets.reply"]), scene
        assert kinds.count("review.opened") == kinds.count("gate.passed") == (scene in LARGE), scene
        assert kinds.count("case.closed") == 1, scene

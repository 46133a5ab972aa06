"""A worker process for tests: the real one, with a dead time short enough to wait for, and failing tools.

Without conditions of a test its clock stands still, its connectors work, and one tool may be slow for ever.
"""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import random
from typing import Any

from api.serve import until_signal, working
from checkpoints.worker import Pace
from graphs.connectors import asking
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests.engine.conditions import AS_OF, FOLDER, HANG, SharedClock, Skies, under
from tools.contract import Tool
from tools.registry import Registry

PATIENCE = timedelta(minutes=1)
PACE = Pace(
    heartbeat=timedelta(milliseconds=300),
    dead_after=timedelta(seconds=2),
    grace=timedelta(milliseconds=300),
    reap_every=timedelta(milliseconds=300),
    reconcile_every=timedelta(seconds=1),
    settle_every=timedelta(seconds=1),
)


def slowed(tool: Tool) -> Tool:
    """The same tool, that does its deed and then never answers."""

    async def perform(arguments: Any, call: Any) -> Any:
        await tool.perform(arguments, call)
        print("deed done", flush=True)
        await HANG.wait()

    return replace(tool, perform=perform, timeout=timedelta(minutes=10))


def with_slow_tool(opened: Parts, slow: str | None) -> Parts:
    real = opened.registry._real.values()
    registry = Registry([slowed(tool) if tool.name == slow else tool for tool in real])
    return replace(opened, registry=registry, capability=registry.hand_over())


def under_conditions(opened: Parts, folder: Path) -> Parts:
    """The parts with every tool under the weather, tried as often and resting as long as usual."""
    skies = Skies(folder, seed=int(os.environ.get("COUNTERSIGN_TEST_SEED", "0")))
    tools = [under(skies, tool, PATIENCE) for tool in opened.registry._real.values()]
    registry = Registry(tools, asking(asyncio.sleep, random), opened.breakers)
    return replace(opened, registry=registry, capability=registry.hand_over())


async def main() -> None:
    folder = os.environ.get(FOLDER)
    clock = SharedClock(Path(folder) / "clock") if folder else lambda: AS_OF
    async with open_parts(Settings.from_environment(), clock=clock) as opened:
        slow = os.environ.get("SLOW_TOOL")
        parts = under_conditions(opened, Path(folder)) if folder else with_slow_tool(opened, slow)
        dead_after = float(os.environ.get("COUNTERSIGN_TEST_DEAD_SECONDS", "2"))
        async with working(parts, pace=replace(PACE, dead_after=timedelta(seconds=dead_after))) as work:
            print("ready", flush=True)
            await until_signal(work)


if __name__ == "__main__":
    asyncio.run(main())

"""A worker process for tests: the real one, with a dead time short enough to wait for, and one slow tool."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api.serve import until_signal, working
from checkpoints.worker import Pace
from graphs.settings import Settings
from graphs.wiring import open_parts
from tools.contract import Call, Tool
from tools.registry import Registry

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
HANG = asyncio.Event()
PACE = Pace(
    heartbeat=timedelta(milliseconds=300),
    dead_after=timedelta(seconds=2),
    grace=timedelta(milliseconds=300),
    reap_every=timedelta(milliseconds=300),
)


def slowed(tool: Tool) -> Tool:
    """The same tool, that does its deed and then never answers."""

    async def perform(arguments: Any, call: Call) -> Any:
        await tool.perform(arguments, call)
        print("deed done", flush=True)
        await HANG.wait()

    return replace(tool, perform=perform, timeout=timedelta(minutes=10))


async def main() -> None:
    async with open_parts(Settings.from_environment(), clock=lambda: AS_OF) as opened:
        slow = os.environ.get("SLOW_TOOL")
        real = opened.registry._real.values()
        registry = Registry([slowed(tool) if tool.name == slow else tool for tool in real])
        parts = replace(opened, registry=registry, capability=registry.hand_over())
        async with working(parts, pace=PACE):
            print("ready", flush=True)
            await until_signal()


if __name__ == "__main__":
    asyncio.run(main())

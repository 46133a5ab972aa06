"""Starting processes quickly: a nursery that has everything imported forks them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the nursery's; `ended` comes to its exit code."""

    pid: int
    ended: asyncio.Future[int]

    def send(self, number: signal.Signals) -> bool:
        """Send it a signal, if it still lives; returns whether it does."""
        if self.ended.done():
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return True


@dataclass(slots=True)
class Nursery:
    """Starts workers and APIs; what it has started dies with it."""

    process: asyncio.subprocess.Process
    started: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    children: dict[int, Child] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, role: str, log: Path, environment: Mapping[str, str]) -> Child:
        """A process in this role that writes what it says to this file."""
        order = {"role": role, "log": str(log), "environment": dict(environment)}
        async with self.turn:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            return self.children[await self.started.get()]

    async def listen(self) -> None:
        """Hear what becomes of the children, until the nursery ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told: dict[str, int] = json.loads(line)
            if "started" in told:
                pid = told["started"]
                self.children[pid] = Child(pid, asyncio.get_running_loop().create_future())
                self.started.put_nowait(pid)
            elif "ended" in told:
                self.children[told["ended"]].ended.set_result(told["code"])


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery; when the block ends so do all its children."""
    script = Path(__file__).with_name("nursery_main.py")
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), stdin=PIPE, stdout=PIPE)
    found = Nursery(process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening

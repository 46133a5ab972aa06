"""The faults of a run: which one comes next and when is drawn from the seed; each is counted, and timed."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from tests.engine.conditions import Weather
from tests.engine.plant import Keeper, Plant

DEAD_SECONDS = 5.0
FROZEN_SECONDS = 1.4 * DEAD_SECONDS
"""Longer than after which a worker counts as dead."""
MOST_TOLD, TOLD_OF_A_CASE = 90, 20
"""So much is put on the record between two faults, on average and at most; and about so much of each case."""
LONGEST_PAUSE_SECONDS = 10
LOOK_AGAIN_SECONDS = 0.1
DRIZZLE: Weather = {"*": {"fails": 0.01, "drops": 0.02, "hangs": 0.002, "slow": 0.03}}
STORM: Weather = {"*": {"fails": 0.10, "drops": 0.20, "hangs": 0.03, "slow": 0.10}}
STORM_SECONDS = 3.0
LONGEST_JUMP_MINUTES = 40
_DOING = "SELECT args ->> 'command_id' AS id FROM procrastinate_jobs WHERE status = 'doing'"
_TOLD = "SELECT coalesce(max(seq), 0) AS seq FROM audit_events"
_NOT_DONE = "SELECT id FROM commands WHERE id = ANY(%s) AND done_at IS NULL"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5
"""
Fault = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Interrupted:
    """What was under way when a fault came, and since when."""

    fault: str
    since: float
    commands: set[str]


@dataclass(slots=True)
class Storm:
    """Breaks things until it is stopped.

    Attributes:
        injected: how often each fault came.
        recoveries: for each kind of fault the longest time, in seconds, until all that it met was done.
    """

    plant: Plant
    chance: Random
    cases: int
    told: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, float] = field(default_factory=dict)
    open: list[Interrupted] = field(default_factory=list)

    @property
    def faults(self) -> Mapping[str, tuple[int, Fault]]:
        """Every fault, with how likely it is among the others."""
        return {
            "worker killed (-9)": (5, self._kill_worker),
            "worker frozen past its dead time": (4, self._freeze_worker),
            "worker stopped in good order": (2, self._stop_worker),
            "API killed (-9)": (3, self._kill_api),
            "Postgres killed (-9)": (1, self._kill_postgres),
            "Postgres and a worker killed together": (1, self._kill_both),
            "Postgres restarted": (1, self._restart_postgres),
            "half of all connections cut": (3, self._cut),
            "clocks put on, then back": (2, self._jump),
            "connectors in a storm": (3, self._storm),
        }

    async def blow(self) -> None:
        """One fault after another, each kind once before any comes again, until this is cancelled."""
        self.plant.skies.turn(DRIZZLE)
        first = list(self.faults)
        self.chance.shuffle(first)
        async with asyncio.TaskGroup() as group:
            while True:
                await self._something_was_done()
                weights = [weight for weight, _ in self.faults.values()]
                name = first.pop() if first else self.chance.choices(list(self.faults), weights)[0]
                group.create_task(self._inject(name))

    async def _something_was_done(self) -> None:
        """Wait until a share of the work is done: however fast the machine is, faults come as often in it."""
        each = len(self.faults) + 5
        average = min(MOST_TOLD, self.cases * TOLD_OF_A_CASE / each)
        enough = self.told + self.chance.uniform(0.2, 1.8) * average
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_PAUSE_SECONDS):
                while self.told < enough:  # noqa: ASYNC110 - what is told is looked at in `watch`
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _inject(self, name: str) -> None:
        under_way = {row["id"] for row in await self.plant.known(_DOING) or []}
        since = time.monotonic()
        if await self.faults[name][1]():
            self.injected[name] += 1
            self.open.append(Interrupted(name, since, under_way))

    async def watch(self) -> None:
        """Time how long it takes until what faults have interrupted is done, for as long as this runs."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            waited_for = sorted(set().union(*(one.commands for one in self.open)))
            if (rows := await self.plant.known(_NOT_DONE, waited_for)) is None:
                continue
            self.told = max([self.told, *(row["seq"] for row in await self.plant.known(_TOLD) or [])])
            not_done, now = {row["id"] for row in rows}, time.monotonic()
            for one in list(self.open):
                one.commands &= not_done
                if not one.commands:
                    self.open.remove(one)
                    longest = max(self.recoveries.get(one.fault, 0.0), now - one.since)
                    self.recoveries[one.fault] = longest

    async def end(self) -> None:
        """Fair weather, and nothing frozen any more."""
        self.plant.skies.turn({})
        for keeper in self.plant.processes:
            keeper.send(signal.SIGCONT)
        await self.plant.up()

    @property
    def _worker(self) -> Keeper:
        return self.chance.choice(self.plant.workers)

    async def _kill_worker(self) -> bool:
        return self._worker.send(signal.SIGKILL)

    async def _stop_worker(self) -> bool:
        return self._worker.send(signal.SIGTERM)

    async def _freeze_worker(self) -> bool:
        worker = self._worker
        if not worker.send(signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(FROZEN_SECONDS)
        finally:
            worker.send(signal.SIGCONT)
        return True

    async def _kill_api(self) -> bool:
        return self.plant.api.send(signal.SIGKILL)

    async def _kill_postgres(self) -> bool:
        return self.plant.kill_postgres()

    async def _kill_both(self) -> bool:
        return self._worker.send(signal.SIGKILL) and self.plant.kill_postgres()

    async def _restart_postgres(self) -> bool:
        return self.plant.restart_postgres()

    async def _cut(self) -> bool:
        return bool(await self.plant.known(_CUT))

    async def _jump(self) -> bool:
        by = timedelta(minutes=self.chance.uniform(1, LONGEST_JUMP_MINUTES))
        self.plant.clock.jump(by)
        try:
            await asyncio.sleep(STORM_SECONDS)
        finally:
            self.plant.clock.jump(-by)
        return True

    async def _storm(self) -> bool:
        self.plant.skies.turn(STORM)
        try:
            await asyncio.sleep(STORM_SECONDS)
        finally:
            self.plant.skies.turn(DRIZZLE)
        return True

"""What a test has processes live under: one clock that it moves, and the weather of the connectors."""

import asyncio
import json
import mmap
import os
import struct
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tools.contract import Arguments, Call, Record, Tool

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
FOLDER = "COUNTERSIGN_TEST_CONDITIONS"
"""The environment variable by which a process learns under which conditions it lives."""
SLOW_SECONDS = 0.15
HANG = asyncio.Event()
GIVEN_UP_SECONDS = 2.0
"""After which a call that hangs has timed out. One that does not has much longer: its machine may be busy."""
Weather = Mapping[str, Mapping[str, float]]
"""By tool, or `*` for all others, how likely each failure is: `{"payments.refund": {"drops": 1.0}}`."""
FAILURES = ("hangs", "fails", "drops", "slow")
"""Times out; refuses the connection; does the deed and drops the connection; is slow, but in time."""


@dataclass(slots=True)
class SharedClock:
    """A clock that all processes of a test read from one file: it may run faster than time, and be moved."""

    path: Path
    memory: mmap.mmap = field(init=False)

    def __post_init__(self) -> None:
        with self.path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), _CLOCK.size)

    @classmethod
    def started(cls, path: Path, speed: float) -> "SharedClock":
        """A clock that begins at `AS_OF` now and runs so many times as fast as time does; 0 stands still."""
        path.write_bytes(_CLOCK.pack(time.time(), speed, 0.0))
        return cls(path)

    def __call__(self) -> datetime:
        began, speed, moved = _CLOCK.unpack_from(self.memory)
        return AS_OF + timedelta(seconds=(time.time() - began) * speed + moved)

    def jump(self, by: timedelta) -> None:
        """Put the clock of every process on, or back."""
        _, _, moved = _CLOCK.unpack_from(self.memory)
        struct.pack_into("d", self.memory, _CLOCK.size - 8, moved + by.total_seconds())


@dataclass(slots=True)
class Skies:
    """The weather: how connectors fail at present, in a file that every process reads, and what it did."""

    folder: Path
    seed: int = 0
    read: float = -1.0
    weather: Weather = field(default_factory=dict)
    drawn: Counter[str] = field(default_factory=Counter)

    def turn(self, weather: Weather) -> None:
        """From now on the weather is this; {} is fair."""
        draft = self.folder / "weather.draft"
        draft.write_text(json.dumps(weather), encoding="utf-8")
        draft.replace(self.folder / "weather.json")

    def met(self) -> Counter[str]:
        """How often each failure was met with so far, by all processes together."""
        log = self.folder / "failures.log"
        return Counter(log.read_text(encoding="utf-8").splitlines()) if log.exists() else Counter()

    def failure(self, tool: str, key: str) -> str | None:
        """How the next call under this key fails, if it does; the same seed draws the same."""
        likely = self._now().get(tool) or self._now().get("*") or {}
        self.drawn[key] += 1
        chance = Random(f"{self.seed}/{tool}/{key}/{self.drawn[key]}/{os.getpid()}").random()  # noqa: S311 - no secret
        for failure in FAILURES:
            chance -= likely.get(failure, 0.0)
            if chance < 0:
                self._note(failure)
                return failure
        return None

    def _now(self) -> Weather:
        try:
            changed = (self.folder / "weather.json").stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self.read:
            self.weather = json.loads((self.folder / "weather.json").read_text(encoding="utf-8"))
            self.read = changed
        return self.weather

    def _note(self, failure: str) -> None:
        with (self.folder / "failures.log").open("a", encoding="utf-8") as log:
            log.write(f"{failure}\n")


_CLOCK = struct.Struct("ddd")


def under(skies: Skies, tool: Tool, patience: timedelta) -> Tool:
    """The same tool, that fails as the weather has it and is waited for no longer than this."""

    async def perform(arguments: Arguments, call: Call) -> Record:
        failure = skies.failure(tool.name, call.key)
        await _meet(failure)
        done = await tool.perform(arguments, call)
        if failure == "drops":
            raise ConnectionResetError
        return done

    async def find(key: str) -> Record | None:
        assert tool.find is not None
        await _meet(skies.failure(f"{tool.name} find", key))
        return await tool.find(key)

    changes: dict[str, Any] = {"perform": perform, "timeout": patience}
    return replace(tool, **changes, find=None if tool.find is None else find)


async def _meet(failure: str | None) -> None:
    match failure:
        case "hangs":
            await asyncio.sleep(GIVEN_UP_SECONDS)
            raise TimeoutError  # as the registry's own clock does
        case "fails":
            raise ConnectionRefusedError
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
        case _:
            pass

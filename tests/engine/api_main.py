"""An API process for tests: the real one, on a port that it is told, by the clock of the test."""

import asyncio
import os
from pathlib import Path

from api.serve import serving, until_signal
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.engine.conditions import FOLDER, SharedClock


async def main() -> None:
    clock = SharedClock(Path(os.environ[FOLDER]) / "clock")
    async with (
        open_parts(Settings.from_environment(), clock=clock) as parts,
        serving(parts, host=os.environ["ADDRESS"], port=int(os.environ["PORT"])),
    ):
        print("ready", flush=True)
        await until_signal()


if __name__ == "__main__":
    asyncio.run(main())

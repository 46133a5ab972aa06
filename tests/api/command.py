"""The `countersign` command as its users have it: a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

COUNTERSIGN = Path(sys.executable).with_name("countersign")
PATIENCE_SECONDS = 120

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that failed as expected."""
        (line,) = self.err.strip().splitlines()
        return line


async def countersign(*arguments: str | Path, env: Environment, given: bytes | None = None) -> Done:
    """Run a command to its end, with nothing on standard input unless it is given."""
    async with started(*arguments, env=env, stdin=asyncio.subprocess.PIPE) as process:
        out, err = await process.communicate(given or b"")
    assert process.returncode is not None
    done = Done(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in done.err, done.err
    return done


@asynccontextmanager
async def started(
    *arguments: str | Path,
    env: Environment,
    stdin: int = asyncio.subprocess.DEVNULL,
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that runs; it must end in time, and is killed with the block whatever happens."""
    process = await asyncio.create_subprocess_exec(
        COUNTERSIGN,
        *map(str, arguments),
        env={"PATH": os.environ["PATH"], "COLUMNS": "80", **env},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(patience):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: asyncio.subprocess.Process, words: str) -> list[str]:
    """The lines on standard output up to the one with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        line = await process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise AssertionError(f"never said {words!r}: {lines}, {(await process.stderr.read()).decode()}")
        lines.append(line.decode().rstrip())
    return lines


async def ended(process: asyncio.subprocess.Process, by: signal.Signals) -> Done:
    """How a command ends after a signal, and what it says from then on."""
    process.send_signal(by)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())

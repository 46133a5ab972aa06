"""Removes each control once and watches the suite go red: `uv run poe mutate`, or with words to choose some.

With `--trusting` the tests are taken to be green without any mutation, as after `poe check`.

A control whose removal no test notices is not tested. Each mutation is an edit of one file in a copy of the
project, and the tests that should notice; those tests must be green without it.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from checkpoints.embedded import embedded_postgres
from tests.conftest import RUN_FOLDER, quick_place
from tests.mutations import (
    gateway,
    limits,
    outside,
    provenance,
    record,
    reviews,
    rules,
    ways_back,
    workflows,
)
from tests.mutations.mutation import Mutation

MUTATIONS = [
    *gateway.CONTROLS,
    *reviews.CONTROLS,
    *rules.CONTROLS,
    *record.CONTROLS,
    *ways_back.CONTROLS,
    *limits.CONTROLS,
    *provenance.CONTROLS,
    *outside.CONTROLS,
    *workflows.CONTROLS,
]
ROOT = Path(__file__).parents[1]
SIDE_BY_SIDE = 2
PATIENCE_SECONDS = 300
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "*.egg-info")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the project that can be broken."""

    folder: Path

    async def tests(self, names: Sequence[str]) -> tuple[bool, str]:
        """Whether these tests are green, and the end of what they print."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *names),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            return False, "did not end in time"
        if process.returncode not in {0, 1}:
            raise RuntimeError(f"the tests cannot be run: {out.decode()[-2000:]}")
        return process.returncode == 0, out.decode().strip().rpartition("\n")[2]

    async def survives(self, mutation: Mutation) -> bool:
        """Whether the tests are green although the control is gone."""
        file = self.folder / mutation.file
        whole = file.read_text(encoding="utf-8")
        file.write_text(mutation.applied(whole), encoding="utf-8")
        try:
            green, _ = await self.tests(mutation.tests)
        finally:
            file.write_text(whole, encoding="utf-8")
        return green


@dataclass(slots=True)
class Round:
    """All mutations, tried in a few copies side by side."""

    left: list[Mutation]
    survived: list[Mutation] = field(default_factory=list)

    async def work(self, copy: Copy, console: Console) -> None:
        """Take one mutation after the other until none is left."""
        while self.left:
            mutation = self.left.pop(0)
            alive = await copy.survives(mutation)
            console.print(
                f"{'[red]survived[/]' if alive else 'noticed '}  {mutation.control}", highlight=False
            )
            if alive:
                self.survived.append(mutation)


async def mutate(wanted: Sequence[Mutation], console: Console, *, trusting: bool) -> list[Mutation]:
    """The mutations that no test noticed; raises AssertionError if a test is red without any."""
    with copies() as (run, broken):
        async with embedded_postgres(run, durable=False):
            if not trusting:
                named = sorted({test for mutation in wanted for test in mutation.tests})
                green, said = await broken[0].tests(named)
                assert green, f"a test is red without any mutation: {said}"
            trying = Round(list(wanted))
            await asyncio.gather(*(trying.work(copy, console) for copy in broken))
    return trying.survived


@contextmanager
def copies() -> Iterator[tuple[Path, list[Copy]]]:
    """The folder of one server for all runs, and copies of the project; all gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="countersign-mutate-", dir=quick_place()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        run = folder / "run"
        run.mkdir(mode=0o755)
        os.environ[RUN_FOLDER] = str(run)
        made = [Copy(folder / str(number)) for number in range(SIDE_BY_SIDE)]
        for copy in made:
            shutil.copytree(ROOT, copy.folder, ignore=_LEFT_OUT)
        yield run, made


def main() -> None:
    console = Console(width=140)
    words = [word for word in sys.argv[1:] if word != "--trusting"]
    wanted = [m for m in MUTATIONS if all(word in f"{m.area} {m.control} {m.file}" for word in words)]
    survived = asyncio.run(mutate(wanted, console, trusting="--trusting" in sys.argv))
    table = Table(title=f"{len(wanted)} controls removed, one at a time", title_justify="left")
    for column in ("where", "controls", "noticed"):
        table.add_column(column)
    for place in sorted({m.area for m in wanted}):
        of_it = [m for m in wanted if m.area == place]
        table.add_row(place, str(len(of_it)), str(len(of_it) - sum(m.area == place for m in survived)))
    console.print(table)
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()

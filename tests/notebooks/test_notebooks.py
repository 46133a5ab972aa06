"""Notebooks show what really happens: executed anew, offline, each shows what is stored in it.

`python -m tests.notebooks.test_notebooks --write` executes them and stores what they show.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PATIENCE_SECONDS = 120


def read(path: Path) -> Any:
    """The notebook as it is stored."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat has no types


async def executed(path: Path) -> Any:
    """The notebook with what it shows now. Its kernel has an environment with nothing of ours in it."""
    notebook = read(path)
    with TemporaryDirectory() as home:
        client = NotebookClient(
            notebook,
            timeout=PATIENCE_SECONDS,
            record_timing=False,
            extra_arguments=["--HistoryManager.enabled=False"],
            resources={"metadata": {"path": str(ROOT)}},
        )
        client.create_kernel_manager().transport = "ipc"
        await client.async_execute(env=_environment(home))
    return notebook


def _environment(home: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "PYTHONPATH") if name in os.environ}
    return kept | {"HOME": home, "IPYTHONDIR": home}


def shown(notebook: Any) -> list[Any]:
    """What each code cell shows, and where it stands."""
    return [[cell["source"], cell["outputs"]] for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_a_notebook_shows_what_it_shows_when_executed_anew(path: Path) -> None:
    stored = shown(read(path))

    assert shown(await executed(path)) == stored, "run `uv run poe notebooks`, and read the difference"


def test_there_are_notebooks_and_every_cell_of_theirs_was_executed_without_an_error() -> None:
    assert {"compose", "review"} <= {path.stem for path in NOTEBOOKS}
    for path in NOTEBOOKS:
        cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
        kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
        assert kinds <= {"stream", "execute_result", "display_data"}


def write() -> None:
    """Execute every notebook, or those that are named, and store what they show."""
    named = set(sys.argv[2:])
    for path in NOTEBOOKS:
        if not named or path.stem in named:
            done = asyncio.run(executed(path))
            nbformat.write(done, path)  # type: ignore[no-untyped-call] # the same


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit("python -m tests.notebooks.test_notebooks --write [NAME]…")
    write()

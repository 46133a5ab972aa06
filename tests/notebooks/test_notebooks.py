"""Notebooks run offline, cell by cell, and print what they show."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted(Path(__file__).parents[2].joinpath("notebooks").glob("*.ipynb"))


def printed(cell: dict[str, Any]) -> str:
    """The standard output that is stored with a cell."""
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join("".join(output["text"]) for output in streams)


def run(notebook: dict[str, Any]) -> list[str]:
    """What each code cell prints when all run in order, in one namespace."""
    namespace: dict[str, Any] = {}
    outputs = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec("".join(cell["source"]), namespace)  # noqa: S102 - our own cells
            outputs.append(out.getvalue())
    return outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))

    shown = [printed(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert run(notebook) == shown


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS

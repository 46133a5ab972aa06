"""`poe attack`: what attacks and right actions come to, under plain governance and under Countersign.

A table is a module `table.py` in a folder beside this file, with `async def rows()`: a title and the rows.
Words on the command line choose tables by their folders.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

from rich.console import Console

from tests.attack.figures import Figures, markdown, table

Rows = Callable[[], Awaitable[tuple[str, list[Figures]]]]


def tables(chosen: list[str]) -> dict[str, Rows]:
    """The tables that there are, by name."""
    found = sorted(path.parent.name for path in Path(__file__).parent.glob("*/table.py"))
    return {
        name: import_module(f"tests.attack.{name}.table").rows
        for name in found
        if not chosen or name in chosen
    }


async def main(chosen: list[str]) -> None:
    console = Console()
    for rows in tables(chosen).values():
        title, figures = await rows()
        console.print(table(title, figures) if figures else title)
        if figures:
            console.print(markdown(figures), soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

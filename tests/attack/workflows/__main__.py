"""`python -m tests.attack.workflows`: this table alone, of all workflows or of those that are named."""

import asyncio
import sys

from rich.console import Console

from tests.attack.figures import markdown, table
from tests.attack.workflows.table import rows


async def main() -> None:
    console = Console()
    title, figures = await rows(sys.argv[1:])
    console.print(table(title, figures))
    console.print(markdown(figures), soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    asyncio.run(main())

"""`python -m tests.attack.dojo`: the table of AgentDojo alone."""

import asyncio

from rich.console import Console

from tests.attack.dojo.table import rows
from tests.attack.figures import markdown, table


async def main() -> None:
    title, figures = await rows()
    console = Console()
    console.print(table(title, figures) if figures else title)
    if figures:
        console.print(markdown(figures), soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    asyncio.run(main())

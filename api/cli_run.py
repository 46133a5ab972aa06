"""How a command of the command line runs: its common options, its event loop, its client."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer

from api.client import Client
from api.signals import stoppable
from graphs.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Url = Annotated[str, typer.Option(envvar="COUNTERSIGN_URL", help="Where the API is.")]
Token = Annotated[str, typer.Option(envvar="COUNTERSIGN_TOKEN", help="Your token.", show_default=False)]
T = TypeVar("T")
LOCAL = "http://127.0.0.1:8765"


def start(deed: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run a command's deed to its end, or until a signal."""
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    return asyncio.run(stoppable(deed(Settings.from_environment())))


def ask(url: str, token: str, deed: Callable[[Client], Awaitable[None]]) -> None:
    """Run a deed with a client of the API."""

    async def run(_: Settings) -> None:
        async with Client(url, token) as client:
            await deed(client)

    start(run)

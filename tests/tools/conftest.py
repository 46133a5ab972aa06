"""A founded sandbox company for each test, and an empty database to found one on."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

import pytest

from checkpoints.embedded import EmbeddedPostgres
from tests.databases import clone
from tests.tools.shop import Shop
from tools.contract import Tool
from tools.sandbox import sandbox_tools
from tools.sandbox.database import Sandbox, open_sandbox


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of an empty database."""
    async with clone(postgres, "template1") as url:
        yield url


@pytest.fixture
async def sandbox(sandbox_url: str, clock: Callable[[], datetime]) -> AsyncIterator[Sandbox]:
    """The company, opened and founded; its clock stands at AS_OF."""
    async with open_sandbox(sandbox_url, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def tools(sandbox: Sandbox) -> Mapping[str, Tool]:
    """The company's tools by name."""
    return {tool.name: tool for tool in sandbox_tools(sandbox)}


@pytest.fixture
def shop(tools: Mapping[str, Tool]) -> Shop:
    """The company's tools, called by name."""
    return Shop(tools=tools)

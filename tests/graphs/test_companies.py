"""A company of somebody's own: its tools are handed in where everything is opened."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from graphs.clock import Clock
from graphs.companies import sandbox_company
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.house import ManualClock
from tools.contract import Tool
from tools.registry import UnknownTool

SIGN = "walls.sign"


@asynccontextmanager
async def with_a_wall(address: str, clock: Clock) -> AsyncIterator[Iterable[Tool]]:
    """The sandbox company, with one tool more."""
    async with sandbox_company(address, clock) as own:
        tools = list(own)
        (reply,) = [tool for tool in tools if tool.name == "tickets.reply"]
        yield [*tools, replace(reply, name=SIGN)]


@asynccontextmanager
async def with_nothing(_address: str, _clock: Clock) -> AsyncIterator[Iterable[Tool]]:
    """A company without any system."""
    yield ()


async def test_own_tools_are_governed_like_all_others(settings: Settings, clock: ManualClock) -> None:
    async with open_parts(settings, company=with_a_wall, clock=clock) as parts:
        assert parts.registry.describe(SIGN).authority
        assert parts.registry.describe("payments.refund").name == "payments.refund"
    async with open_parts(settings, clock=clock) as parts:
        with pytest.raises(UnknownTool):
            parts.registry.describe(SIGN)


async def test_a_workflow_does_not_open_in_front_of_a_company_without_its_tools(
    settings: Settings, clock: ManualClock
) -> None:
    with pytest.raises(UnknownTool, match="there is no tool"):
        async with open_parts(settings, company=with_nothing, clock=clock):
            pass

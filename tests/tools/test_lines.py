"""A connector has so many lines: no more calls are under way at once, and nobody waits for one for ever."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.tools.test_registry import HELLO, KEY, Said, Say
from tools.contract import Call, Effect, Record, Tool
from tools.registry import ConnectorBusy, NoLineFree, Registry

LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=20)


@dataclass(slots=True)
class Line:
    """A connector whose calls last until they are let go; it counts how many were under way at once."""

    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    now: int = 0
    most: int = 0
    calls: int = 0

    async def say(self, arguments: Say, _call: Call) -> Record:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.began.release()
        await self.let_go.wait()
        self.now -= 1
        return Said(word=arguments.word)

    async def find(self, _key: str) -> Record | None:
        return None

    async def under_way(self, many: int) -> None:
        """Wait until so many calls have begun."""
        async with asyncio.timeout(10):
            for _ in range(many):
                await self.began.acquire()

    def tool(self, name: str, effect: Effect, timeout: timedelta) -> Tool:
        return Tool(
            name=name,
            version="1",
            purpose="Say a word.",
            effect=effect,
            arguments=Say,
            result=Said,
            perform=self.say,
            find=self.find,
            timeout=timeout,
        )


async def test_no_more_calls_of_a_connector_are_under_way_than_it_has_lines_and_all_are_made() -> None:
    line = Line()
    tools = [line.tool(f"crm.{name}", Effect.WRITE, LONG) for name in ("set", "put")]
    registry = Registry(tools, lines=3)
    key = registry.hand_over()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(registry.call(key, tool.name, HELLO, KEY)) for tool in tools * 5]
        await line.under_way(3)
        line.let_go.set()

    assert (line.most, line.calls, line.now) == (3, 10, 0)
    assert all(task.result() == Said(word="hello") for task in tasks)


@pytest.mark.parametrize(
    ("effect", "error"),
    [(Effect.READ, ConnectorBusy), (Effect.WRITE, NoLineFree), (Effect.EGRESS, NoLineFree)],
)
async def test_whoever_waits_too_long_for_a_line_is_told_so_and_nothing_was_called(
    effect: Effect, error: type[Exception]
) -> None:
    line = Line()
    registry = Registry(
        [line.tool("crm.set", Effect.WRITE, LONG), line.tool("crm.get", effect, SHORT)], lines=1
    )
    key = registry.hand_over()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(registry.call(key, "crm.set", HELLO, KEY))
        await line.under_way(1)

        with pytest.raises(error, match="every line to crm is taken") as busy:
            await registry.call(key, "crm.get", HELLO, KEY)
        with pytest.raises(ConnectorBusy):
            await registry.find(key, "crm.get", "k-1")

        assert busy.value.reason == "connector_busy"  # type: ignore[attr-defined] # each is a ToolError
        line.let_go.set()
        await first
    assert line.calls == 1
    assert await registry.call(key, "crm.get", HELLO, KEY) == Said(word="hello"), "the line is free again"


async def test_a_busy_connector_holds_up_no_other() -> None:
    slow, other = Line(), Line()
    other.let_go.set()
    registry = Registry(
        [slow.tool("crm.set", Effect.WRITE, LONG), other.tool("erp.set", Effect.WRITE, SHORT)], lines=1
    )
    key = registry.hand_over()
    async with asyncio.TaskGroup() as group:
        group.create_task(registry.call(key, "crm.set", HELLO, KEY))
        await slow.under_way(1)
        assert await registry.call(key, "erp.set", HELLO, KEY) == Said(word="hello")
        slow.let_go.set()


async def test_whoever_stops_waiting_for_a_line_takes_none_along() -> None:
    line = Line()
    registry = Registry([line.tool("crm.set", Effect.WRITE, LONG)], lines=1)
    key = registry.hand_over()
    async with asyncio.TaskGroup() as group:
        group.create_task(registry.call(key, "crm.set", HELLO, KEY))
        waits = group.create_task(registry.call(key, "crm.set", HELLO, KEY))
        await line.under_way(1)
        waits.cancel()
        await asyncio.wait({waits})
        line.let_go.set()

    assert waits.cancelled()
    assert await registry.call(key, "crm.set", HELLO, KEY) == Said(word="hello")

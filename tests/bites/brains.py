"""Brains that let a test in before every thought: to look, to wait, to fail."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from nodes.agent import AgentRole, Brain, LookUp, Thought
from nodes.shapes import Json
from tests.house import House


@dataclass(frozen=True, slots=True)
class Watched:
    """A brain that awaits something with the agent's name before it answers."""

    brain: Brain
    before: Callable[[str], Awaitable[None]]

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        await self.before(role.name)
        return await self.brain.think(role, view, look_ups)


def watched(house: House, before: Callable[[str], Awaitable[None]]) -> House:
    """The same house with its brain watched."""
    return House(replace(house.parts, brain=Watched(house.parts.brain, before)))


async def crash_at(house: House, agent: str) -> None:
    """Let the house work until this agent is asked, and kill the worker there."""
    asked = asyncio.Event()

    async def never_answer(name: str) -> None:
        if name == agent and not asked.is_set():
            asked.set()
            await asyncio.Event().wait()

    dying = watched(house, never_answer)
    working = asyncio.create_task(dying.work())
    await asyncio.wait_for(asked.wait(), 30)
    working.cancel()
    await asyncio.wait({working})

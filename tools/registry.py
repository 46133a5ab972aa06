"""The registry: the tools there are, and the one door through which they can be called."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar

from tools.breakers import Breakers
from tools.contract import (
    Arguments,
    Call,
    Effect,
    OutcomeUnknown,
    Record,
    Tool,
    ToolError,
    ToolNotAdmitted,
    ToolRefused,
    ToolUnavailable,
    connector_of,
)
from tools.persistence import ONCE, Persistence

USUAL_LINES = 16
T = TypeVar("T")
Find = Callable[[str], Awaitable[Record | None]]
Watch = Callable[[str], AbstractContextManager[None]]
"""Put around each call of a tool, with its name; sees what is raised, and lets it pass."""


class UnknownTool(ToolRefused):
    """No tool of this name is registered."""

    reason = "unknown_tool"


class NoCapability(ToolRefused):
    """Connectors are called through the gateway only."""

    reason = "no_capability"


class ConnectorBusy(ToolUnavailable):
    """As many questions to this connector are under way as may be, and none has ended in time."""

    reason = "connector_busy"


class NoLineFree(ToolRefused):
    """A deed whose connector was busy for as long as its answer may take; it was not called."""

    reason = "connector_busy"


class Capability:
    """The right to call connectors: an object that only its holder has."""


class Registry:
    """Tools by name. Whoever looks one up gets its description, with nothing in it that can be called.

    The tools of connectors outside come and go with what people admit.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        persistence: Persistence = ONCE,
        breakers: Breakers | None = None,
        outside: Collection[str] = (),
        lines: int = USUAL_LINES,
    ) -> None:
        self._lines: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, lines))
        self._persistence, self._breakers, self._outside = persistence, breakers, frozenset(outside)
        self._own = tuple(tools)
        if taken := self._outside & {tool.connector for tool in self._own}:
            raise ValueError(f"two connectors are called {', '.join(sorted(taken))}")
        self._take_in(())
        self._capability: Capability | None = None
        self._watch: Watch = _unwatched

    def _take_in(self, outside: Iterable[Tool]) -> None:
        real = _by_name([*self._own, *outside])
        shown = {n: replace(tool, perform=_refuse, find=None, ready=None) for n, tool in real.items()}
        self._real: Mapping[str, Tool] = real
        self._shown: Mapping[str, Tool] = shown

    def renew(self, capability: Capability, tools: Iterable[Tool]) -> None:
        """Let these be the tools of the connectors outside, in place of those there were.

        Raises:
            NoCapability: the caller does not hold the capability, or one is of no connector outside.
        """
        given = tuple(tools)
        self._require(capability)
        if any(tool.connector not in self._outside for tool in given):
            raise NoCapability("only the tools of connectors outside come and go")
        self._take_in(given)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._shown.values())

    def describe(self, name: str) -> Tool:
        """The tool's description; raises UnknownTool, and ToolNotAdmitted for one of a connector outside."""
        if name not in self._shown and connector_of(name) in self._outside:
            raise ToolNotAdmitted(f"nobody has admitted {name}")
        if name not in self._shown:
            raise UnknownTool(f"there is no tool {name!r}")
        return self._shown[name]

    def hand_over(self) -> Capability:
        """The capability to call, given once: to the gateway."""
        if self._capability is not None:
            raise NoCapability("the capability has been handed over already")
        self._capability = Capability()
        return self._capability

    async def call(self, capability: Capability, name: str, arguments: Arguments, call: Call) -> Record:
        """Do the deed.

        Raises:
            NoCapability: the caller does not hold the capability.
            ToolRefused: nothing happened.
            OutcomeUnknown: a write timed out or answered nonsense; it may have happened.
            ToolUnavailable: a read timed out or answered nonsense.
        """
        tool = self._held(capability, name)
        if type(arguments) is not tool.arguments:
            raise ToolRefused(f"{name} takes {tool.arguments.__name__}, not {type(arguments).__name__}")
        async with self._line(tool), self._watching(tool):
            answer = await _within(tool, tool.perform(arguments, call))
            if not isinstance(answer, tool.result):
                said = type(answer).__name__
                raise _failure(tool)(f"{name} answered with {said}, not {tool.result.__name__}")
        return answer

    async def read(self, capability: Capability, name: str, arguments: Arguments) -> Record:
        """Ask a tool that only reads, more than once if its system does not answer.

        Raises:
            NoCapability: the caller does not hold the capability, or the tool does more than read.
            ToolRefused: there is no such record.
            ToolUnavailable: the system does not answer, answers nonsense, or rests.
        """
        if self.describe(name).effect is not Effect.READ:
            raise NoCapability(f"{name} does more than read")
        asked = partial(self.call, capability, name, arguments, Call(key="read"))
        return await self._persisted(name, asked, ToolUnavailable)

    async def find(self, capability: Capability, name: str, key: str) -> Record | None:
        """The result of the deed done under this key, None if it never happened.

        Raises:
            ToolError: the tool has no way to tell, or does not answer.
        """
        tool = self._held(capability, name)
        if tool.find is None:
            raise ToolError(f"{name} cannot be asked what became of a call")
        return await self._persisted(name, partial(self._find, tool, tool.find, key), ToolError)

    async def _find(self, tool: Tool, find: Find, key: str) -> Record | None:
        async with self._line(tool, asking=True), self._watching(tool):
            answer = await _within(tool, find(key))
            if answer is not None and not isinstance(answer, tool.result):
                said = type(answer).__name__
                raise ToolError(f"{tool.name} was asked what became of a call and answered {said}")
        return answer

    async def ready(self, capability: Capability, name: str) -> None:
        """Ask, before a deed is begun, whether its tool could be called now.

        Raises:
            NoCapability: the caller does not hold the capability.
            ToolRefused: it is not there, or not what was admitted.
            ToolUnavailable: its system does not answer.
        """
        tool = self._held(capability, name)
        if tool.ready is None or self.rests(name):
            return
        async with self._watching(tool):
            try:
                async with asyncio.timeout(tool.timeout.total_seconds()):
                    await tool.ready()
            except (TimeoutError, OSError) as error:
                raise ToolUnavailable(f"{name} did not say whether it is there") from error

    def rests(self, name: str) -> bool:
        """Whether the tool's connector is left alone for now."""
        return self._breakers is not None and self._breakers.rests(connector_of(name))

    def begin(self, name: str) -> None:
        """Ask to call a tool of this connector; raises ConnectorRests. Who may, then calls without asking."""
        if self._breakers is not None:
            self._breakers.begin(connector_of(name))

    async def _persisted(self, name: str, ask: Callable[[], Awaitable[T]], passing: type[ToolError]) -> T:
        """What a question that changes nothing comes to, asked again while its system does not answer."""
        began, tried = self._persistence.monotonic(), 1
        while True:
            if self._breakers is not None:
                await self._breakers.trial_over(connector_of(name), self._real[name].timeout)
            try:
                self.begin(name)
                return await ask()
            except ToolRefused:
                raise
            except passing:
                if self.rests(name) or not await self._persistence.again(tried, began):
                    raise
            tried += 1

    def watched_by(self, capability: Capability, watch: Watch) -> None:
        """Put this around each call from now on; raises NoCapability."""
        self._require(capability)
        self._watch = watch

    @asynccontextmanager
    async def _line(self, tool: Tool, *, asking: bool = False) -> AsyncIterator[None]:
        """One of the connector's lines, waited for no longer than for an answer."""
        lines, busy = self._lines[tool.connector], f"every line to {tool.connector} is taken"
        try:
            async with asyncio.timeout(tool.timeout.total_seconds()):
                await lines.acquire()
        except TimeoutError as error:
            raise (ConnectorBusy if asking or tool.effect is Effect.READ else NoLineFree)(busy) from error
        try:
            yield
        finally:
            lines.release()

    @asynccontextmanager
    async def _watching(self, tool: Tool) -> AsyncIterator[None]:
        guarded = nullcontext() if self._breakers is None else self._breakers.watching(tool.connector)
        with self._watch(tool.name):
            async with guarded:
                yield

    def can_find(self, name: str) -> bool:
        """Whether the tool can be asked what became of a call."""
        return name in self._real and self._real[name].find is not None

    def _held(self, capability: Capability, name: str) -> Tool:
        self._require(capability)
        self.describe(name)
        return self._real[name]

    def _require(self, capability: Capability) -> None:
        if self._capability is None or capability is not self._capability:
            raise NoCapability


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in named:
            raise ValueError(f"two tools are called {tool.name}")
        named[tool.name] = tool
    return named


async def _within(tool: Tool, call: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(tool.timeout.total_seconds()):
            return await call
    except TimeoutError as error:
        raise _failure(tool)(f"{tool.name} did not answer within {tool.timeout}") from error
    except OSError as error:  # the line broke: of a write nobody knows how far it came
        raise _failure(tool)(f"the line to {tool.name} broke: {type(error).__name__}") from error


def _failure(tool: Tool) -> type[ToolError]:
    return ToolUnavailable if tool.effect is Effect.READ else OutcomeUnknown


def _unwatched(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


def _refuse(*_: object) -> NoReturn:
    raise NoCapability

"""The registry: one door to all tools, one key to it, and honest answers about what happened."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from tools.contract import (
    Arguments,
    Call,
    Effect,
    OutcomeUnknown,
    Record,
    Tool,
    ToolError,
    ToolRefused,
    ToolUnavailable,
)
from tools.registry import Capability, NoCapability, Registry, UnknownTool


class Say(Arguments):
    """What to say."""

    word: str


class Shout(Arguments):
    """What to shout: not what this tool takes."""

    word: str


class Said(Record):
    """What was said."""

    word: str


class Nonsense(Record):
    """Not what was asked for."""

    noise: str = "?"


@dataclass(slots=True)
class Parrot:
    """A connector that remembers what it was called with."""

    heard: list[tuple[str, str]] = field(default_factory=list)

    async def say(self, arguments: Say, call: Call) -> Record:
        self.heard.append((arguments.word, call.key))
        return Said(word=arguments.word)

    async def find(self, key: str) -> Record | None:
        return next((Said(word=word) for word, under in self.heard if under == key), None)

    def tool(self, **changes: Any) -> Tool:
        tool = Tool(
            name="parrot.say",
            version="1",
            purpose="Say a word.",
            effect=Effect.WRITE,
            arguments=Say,
            result=Said,
            perform=self.say,
            find=self.find,
            timeout=timedelta(milliseconds=50),
        )
        return replace(tool, **changes)


HELLO = Say(word="hello")
KEY = Call(key="k-1")


def opened(**changes: Any) -> tuple[Registry, Capability]:
    registry = Registry([Parrot().tool(**changes)])
    return registry, registry.hand_over()


async def _never(*_: object) -> Record:
    await asyncio.Event().wait()
    return Said(word="too late")


def answering(answer: object) -> Callable[..., Awaitable[Any]]:
    async def answered(*_: object) -> Any:
        return answer

    return answered


def raising(error: Exception) -> Callable[..., Awaitable[Any]]:
    async def raised(*_: object) -> Any:
        raise error

    return raised


# --- the key to the door ----------------------------------------------------------------------------------


async def test_with_the_capability_a_tool_is_called() -> None:
    parrot = Parrot()
    registry = Registry([parrot.tool()])

    assert await registry.call(registry.hand_over(), "parrot.say", HELLO, KEY) == Said(word="hello")
    assert parrot.heard == [("hello", "k-1")]


def test_the_capability_is_handed_over_once() -> None:
    registry, _ = opened()

    with pytest.raises(NoCapability):
        registry.hand_over()


@pytest.mark.parametrize("made", [Capability, lambda: None, lambda: True, object])
async def test_a_capability_cannot_be_made(made: Callable[[], Any]) -> None:
    parrot = Parrot()
    registry = Registry([parrot.tool()])
    registry.hand_over()

    with pytest.raises(NoCapability):
        await registry.call(made(), "parrot.say", HELLO, KEY)
    with pytest.raises(NoCapability):
        await registry.find(made(), "parrot.say", "k-1")
    assert parrot.heard == []


async def test_a_copy_of_the_capability_is_none() -> None:
    registry, capability = opened()

    with pytest.raises(NoCapability):
        await registry.call(copy.copy(capability), "parrot.say", HELLO, KEY)


async def test_the_capability_of_another_registry_is_none() -> None:
    registry, _ = opened()
    _, foreign = opened()

    with pytest.raises(NoCapability):
        await registry.call(foreign, "parrot.say", HELLO, KEY)


@pytest.mark.parametrize("key", [None, Capability()])
async def test_before_it_is_handed_over_nothing_can_be_called(key: Any) -> None:
    with pytest.raises(NoCapability):
        await Registry([Parrot().tool()]).call(key, "parrot.say", HELLO, KEY)


# --- descriptions -----------------------------------------------------------------------------------------


async def test_a_description_says_everything_and_can_do_nothing() -> None:
    parrot = Parrot()
    registry = Registry([parrot.tool()])
    described = registry.describe("parrot.say")

    assert replace(described, perform=parrot.say, find=parrot.find) == parrot.tool()
    assert described.find is None
    with pytest.raises(NoCapability):
        await described.perform(HELLO, KEY)
    assert parrot.heard == []


async def test_going_through_the_tools_finds_descriptions_only() -> None:
    parrot = Parrot()
    described = list(Registry([parrot.tool(), parrot.tool(name="parrot.sing")]))

    assert [tool.name for tool in described] == ["parrot.say", "parrot.sing"]
    for tool in described:
        with pytest.raises(NoCapability):
            await tool.perform(HELLO, KEY)


@pytest.mark.parametrize("name", ["", "parrot", "parrot.", "PARROT.say", "parrot.say ", "parrot.sing"])
async def test_an_unknown_tool_is_refused(name: str) -> None:
    registry, capability = opened()

    with pytest.raises(UnknownTool):
        registry.describe(name)
    with pytest.raises(UnknownTool):
        await registry.call(capability, name, HELLO, KEY)
    with pytest.raises(UnknownTool):
        await registry.find(capability, name, "k-1")
    assert not registry.can_find(name)


async def test_an_empty_registry_does_nothing() -> None:
    registry = Registry([])

    with pytest.raises(UnknownTool):
        await registry.call(registry.hand_over(), "parrot.say", HELLO, KEY)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"parrot\.say"):
        Registry([Parrot().tool(), Parrot().tool(version="2")])


# --- what comes back --------------------------------------------------------------------------------------

WRITES = [Effect.WRITE, Effect.EGRESS]


@pytest.mark.parametrize("effect", WRITES)
async def test_a_write_that_does_not_answer_has_an_unknown_outcome(effect: Effect) -> None:
    registry, capability = opened(effect=effect, perform=_never)

    with pytest.raises(OutcomeUnknown, match=r"parrot\.say did not answer"):
        await registry.call(capability, "parrot.say", HELLO, KEY)


async def test_a_read_that_does_not_answer_has_failed() -> None:
    registry, capability = opened(effect=Effect.READ, perform=_never)

    with pytest.raises(ToolUnavailable):
        await registry.call(capability, "parrot.say", HELLO, KEY)


@pytest.mark.parametrize("answer", [Nonsense(), None, {"word": "hello"}, "hello", Said], ids=repr)
@pytest.mark.parametrize("effect", WRITES)
async def test_a_write_that_answers_nonsense_has_an_unknown_outcome(effect: Effect, answer: object) -> None:
    registry, capability = opened(effect=effect, perform=answering(answer))

    with pytest.raises(OutcomeUnknown, match="not Said"):
        await registry.call(capability, "parrot.say", HELLO, KEY)


async def test_a_read_that_answers_nonsense_has_failed() -> None:
    registry, capability = opened(effect=Effect.READ, perform=answering(Nonsense()))

    with pytest.raises(ToolUnavailable, match="not Said"):
        await registry.call(capability, "parrot.say", HELLO, KEY)


@pytest.mark.parametrize(
    "error",
    [ToolRefused("no"), OutcomeUnknown("perhaps"), ToolUnavailable("away"), ToolError("broken")],
    ids=repr,
)
async def test_what_a_tool_says_went_wrong_is_said_on(error: ToolError) -> None:
    registry, capability = opened(perform=raising(error))

    with pytest.raises(type(error)) as failure:
        await registry.call(capability, "parrot.say", HELLO, KEY)
    assert failure.value is error


async def test_a_time_out_inside_a_write_is_an_unknown_outcome_too() -> None:
    registry, capability = opened(perform=raising(TimeoutError()))

    with pytest.raises(OutcomeUnknown):
        await registry.call(capability, "parrot.say", HELLO, KEY)


async def test_a_write_whose_line_breaks_has_an_unknown_outcome() -> None:
    registry, capability = opened(perform=raising(ConnectionResetError()))

    with pytest.raises(OutcomeUnknown):
        await registry.call(capability, "parrot.say", HELLO, KEY)


async def test_arguments_of_another_tool_are_refused() -> None:
    parrot = Parrot()
    registry = Registry([parrot.tool()])

    with pytest.raises(ToolRefused):
        await registry.call(registry.hand_over(), "parrot.say", Shout(word="hello"), KEY)
    assert parrot.heard == []


async def test_whoever_stops_waiting_stops_the_call() -> None:
    registry, capability = opened(perform=_never, timeout=timedelta(hours=1))
    call = asyncio.create_task(registry.call(capability, "parrot.say", HELLO, KEY))
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


# --- what became of it ------------------------------------------------------------------------------------


async def test_a_deed_is_found_under_its_key_and_under_no_other() -> None:
    registry, capability = opened()
    await registry.call(capability, "parrot.say", HELLO, KEY)

    assert await registry.find(capability, "parrot.say", "k-1") == Said(word="hello")
    assert await registry.find(capability, "parrot.say", "k-2") is None


async def test_a_tool_that_cannot_tell_says_so() -> None:
    registry, capability = opened(find=None)

    assert not registry.can_find("parrot.say")
    with pytest.raises(ToolError, match="cannot be asked"):
        await registry.find(capability, "parrot.say", "k-1")


async def test_a_search_that_does_not_answer_found_nothing_out() -> None:
    registry, capability = opened(find=_never)

    with pytest.raises(ToolError):
        await registry.find(capability, "parrot.say", "k-1")


async def test_a_search_that_answers_nonsense_found_nothing_out() -> None:
    registry, capability = opened(find=answering(Nonsense()))

    with pytest.raises(ToolError):
        await registry.find(capability, "parrot.say", "k-1")


async def test_a_watch_is_told_of_each_call_by_name_and_is_set_by_whoever_holds_the_key() -> None:
    watched: list[str] = []

    @contextmanager
    def watch(name: str) -> Iterator[None]:
        watched.append(name)
        yield

    registry = Registry([Parrot().tool()])
    key = registry.hand_over()
    with pytest.raises(NoCapability):
        registry.watched_by(Capability(), watch)
    registry.watched_by(key, watch)
    await registry.call(key, "parrot.say", HELLO, KEY)

    assert watched == ["parrot.say"]

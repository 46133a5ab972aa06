"""Tools that come and go: only those of connectors outside, and only by whoever holds the capability."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.tools.test_registry import Parrot, Said, Say
from tools.contract import Call, Effect, Tool, ToolChanged, ToolNotAdmitted, ToolUnavailable
from tools.registry import Capability, NoCapability, Registry, UnknownTool


def tool(name: str = "parrot.say", *, parrot: Parrot | None = None) -> Tool:
    return Tool(
        name=name,
        version="1",
        purpose="Say a word.",
        effect=Effect.WRITE,
        arguments=Say,
        result=Said,
        perform=(parrot or Parrot()).say,
        timeout=timedelta(milliseconds=200),
    )


def registry() -> tuple[Registry, Capability]:
    made = Registry([tool("own.say")], outside={"parrot"})
    return made, made.hand_over()


def test_what_nobody_has_let_in_is_not_there_and_says_why() -> None:
    made, _ = registry()

    with pytest.raises(ToolNotAdmitted):
        made.describe("parrot.say")
    with pytest.raises(UnknownTool):
        made.describe("nobody.say")


async def test_what_is_let_in_is_called_and_what_is_taken_out_is_gone() -> None:
    made, capability = registry()
    parrot = Parrot()
    made.renew(capability, [tool(parrot=parrot)])
    await made.call(capability, "parrot.say", Say(word="a"), Call(key="k"))
    made.renew(capability, [])

    with pytest.raises(ToolNotAdmitted):
        await made.call(capability, "parrot.say", Say(word="b"), Call(key="k"))
    assert parrot.heard == [("a", "k")]
    assert [one.name for one in made] == ["own.say"]


def test_only_tools_of_connectors_outside_come_and_only_from_whoever_holds_the_capability() -> None:
    made, capability = registry()

    with pytest.raises(NoCapability):
        made.renew(Capability(), [tool()])
    with pytest.raises(NoCapability):
        made.renew(capability, [tool("own.shout")])
    with pytest.raises(ValueError, match="two tools"):
        made.renew(capability, [tool(), tool()])
    with pytest.raises(ValueError, match="two connectors are called own"):
        Registry([tool("own.say")], outside={"own"})
    assert [one.name for one in made] == ["own.say"]


async def test_before_a_deed_a_tool_can_say_that_it_could_not_be_called() -> None:
    async def changed() -> None:
        raise ToolChanged

    async def silent() -> None:
        await asyncio.Event().wait()

    made, capability = registry()
    made.renew(capability, [replace(tool(), ready=changed), replace(tool("parrot.sing"), ready=silent)])

    with pytest.raises(ToolChanged):
        await made.ready(capability, "parrot.say")
    with pytest.raises(ToolUnavailable):
        await made.ready(capability, "parrot.sing")
    with pytest.raises(NoCapability):
        await made.ready(Capability(), "parrot.say")
    await made.ready(capability, "own.say")
    assert made.describe("parrot.say").ready is None

"""Steps are stored together, but nothing is paid for, and nothing done, before what led to it is stored."""

from dataclasses import replace
from typing import Any

from checkpoints.cases import Status
from nodes.agent import AgentRole, LookUp, Playbooks, Thought
from nodes.shapes import Json
from tests.house import House
from tests.stories.standing_still import behaving, retried
from tools.contract import Call, OutcomeUnknown, Record, Tool
from tools.registry import Registry


class Looking:
    """Playbooks that look, each time one is asked, at what somebody else finds on the record."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.found: dict[str, list[str]] = {}

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        self.found[role.name] = await kinds(self.house)
        return await Playbooks().think(role, view, look_ups)


async def kinds(house: House) -> list[str]:
    rows = await house.rows("SELECT kind FROM audit_events WHERE case_id IS NOT NULL ORDER BY seq")
    return [str(row["kind"]) for row in rows]


async def test_an_agent_is_asked_once_what_came_before_it_is_stored(house: House) -> None:
    brain = Looking(house)
    case = await House(replace(house.parts, brain=brain)).after("clean_29_90_1")

    assert case.status is Status.CLOSED
    first, second, *_ = brain.found.values()
    assert "context.retrieved" in first
    assert second.count("agent.found") == 1


async def test_a_deed_is_done_once_everything_that_led_to_it_is_stored(house: House) -> None:
    found: list[list[str]] = []

    def looked(tool: Tool) -> Tool:
        async def perform(arguments: Any, call: Call) -> Any:
            found.append(await kinds(house))
            return await tool.perform(arguments, call)

        return replace(tool, perform=perform)

    tools = house.parts.registry._real.values()
    registry = Registry([looked(tool) if tool.name == "payments.refund" else tool for tool in tools])
    parts = replace(house.parts, registry=registry, capability=registry.hand_over())
    await House(parts).after("clean_29_90_1")

    (before,) = found
    assert before[-2:] == ["verdict.given", "effect.intended"]


async def test_a_deed_is_tried_again_once_everything_that_led_back_to_it_is_stored(house: House) -> None:
    found: list[list[str]] = []

    async def never_answer(tool: Tool, arguments: Any, call: Call) -> Record:
        raise OutcomeUnknown("the line is dead")

    async def look(tool: Tool, arguments: Any, call: Call) -> Record:
        found.append(await kinds(house))
        return await tool.perform(arguments, call)

    case = await behaving(house, payments_refund=never_answer).after("clean_29_90_1")
    assert case.status is Status.UNCERTAIN
    await retried(behaving(house, payments_refund=look), case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    (before,) = found
    assert before[-2:] == ["exception.retried", "case.resumed"]

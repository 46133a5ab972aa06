"""Cases at a standstill, and people who find ways out of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from checkpoints.exceptions import Listed, Standstill, list_standstills
from graphs.ways_out import Outcome, Resolution, WaysOut
from nodes.permissions import Kind, Principal
from tests.bites.planted import Perform
from tests.house import SHOP, House
from tools.contract import Call, Record, Tool, ToolRefused, ToolUnavailable
from tools.registry import Registry

TESS = Principal(id="tess", kind=Kind.PERSON, name="Tess", roles=frozenset({"team_lead"}))
FRED = Principal(id="fred", kind=Kind.PERSON, name="Fred", roles=frozenset({"fraud_team"}))
OPS = Principal(id="olga", kind=Kind.PERSON, name="Olga", roles=frozenset({"operations"}))
NOT_THEIRS = (
    Principal(id="finn", kind=Kind.PERSON, name="Finn", roles=frozenset({"finance"})),
    Principal(id="nora", kind=Kind.PERSON, name="Nora"),
    replace(SHOP, id="bot", roles=frozenset({"team_lead", "support_lead", "fraud_team", "operations"})),
)
"""Who finds no way out of a fraud team's exception: other roles, none, and no service whatever it holds."""


def behaving(house: House, **performs: Perform) -> House:
    """The same house in which tools such as `payments_refund` behave like this."""
    named = {name.replace("_", ".", 1): perform for name, perform in performs.items()}
    registry = Registry([_behaving(tool, named) for tool in house.parts.registry._real.values()])
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


def altered(house: House, name: str, **changes: Any) -> House:
    """The same house in which a tool is declared otherwise."""
    tools = house.parts.registry._real.values()
    registry = Registry([replace(tool, **changes) if tool.name == name else tool for tool in tools])
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


def _behaving(tool: Tool, performs: dict[str, Perform]) -> Tool:
    perform = performs.get(tool.name)
    if perform is None:
        return tool

    async def performed(arguments: Any, call: Call) -> Record:
        return await perform(tool, arguments, call)

    return replace(tool, perform=performed)


async def refuse(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolRefused("not now")


async def be_away(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolUnavailable("closed for today")


async def listed(house: House, **filters: str) -> list[Listed]:
    async with house.parts.database.transaction() as tx:
        return (await list_standstills(tx, limit=100, **filters)).items


async def standstill(house: House, case_id: str) -> Standstill:
    """The one open exception of a case."""
    (one,) = await listed(house, case_id=case_id)
    return one.standstill


async def retried(house: House, case_id: str, who: Principal = TESS) -> Standstill:
    """The exception that was open, after a retry and the work that follows from it."""
    found = await WaysOut(house.parts).retry((await standstill(house, case_id)).id, who)
    await house.work()
    return found


def resolution(
    outcome: Outcome = Outcome.DONE_ELSEWHERE, deeds: Mapping[str, bool] | None = None
) -> Resolution:
    return Resolution(outcome=outcome, why="Mended by phone.", deeds=deeds or {})

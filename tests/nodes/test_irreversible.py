"""What nobody can take back is never done by rule alone: no table may say so, and the gateway does not."""

from dataclasses import replace

import pytest

from checkpoints.cases import Status
from graphs.refund import KIT
from graphs.wiring import Parts
from nodes.reversing import held_to_tools
from nodes.strict_yaml import TableUnfit
from tests.house import FINN, House
from tools.contract import Tool
from tools.registry import Registry
from tools.sandbox.cast import CAST

SMALL, FINANCES = "clean_29_90_1", "clean_640_00_1"


def irreversible(parts: Parts) -> Parts:
    """The same parts, in which a refund cannot be taken back."""

    def declared(tool: Tool) -> Tool:
        return replace(tool, undo=None) if tool.name == "payments.refund" else tool

    registry = Registry([declared(tool) for tool in parts.registry._real.values()])
    return replace(parts, registry=registry, capability=registry.hand_over())


def test_a_table_that_lets_go_by_itself_what_is_irreversible_is_not_loaded(parts: Parts) -> None:
    with pytest.raises(TableUnfit, match=r"allows payments\.refund, which is irreversible"):
        held_to_tools(KIT.workflow(), irreversible(parts).registry)


async def test_whatever_the_rules_say_it_is_not_done_without_people(parts: Parts) -> None:
    house = House(irreversible(parts))
    case = await house.after(SMALL)

    assert (case.status, case.reason) == (Status.BLOCKED, "irreversible_needs_people")
    assert await house.refunds(CAST[SMALL].order_id) == []


async def test_with_people_it_is(parts: Parts) -> None:
    house = House(irreversible(parts))
    review = await house.review((await house.after(FINANCES)).id)

    assert review.reversible is False
    await house.decided(review, FINN)
    assert len(await house.refunds(CAST[FINANCES].order_id)) == 1

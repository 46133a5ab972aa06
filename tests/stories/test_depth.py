"""Cases that open cases: each knows its parent, and there is an end to it."""

from dataclasses import replace

import pytest

from checkpoints.cases import Case
from graphs.intake import Intake
from nodes.event import EventRefused
from nodes.permissions import Principal
from tests.house import SHOP, House, refund_event
from tests.stories.reviewing import BOT

SMALL, OTHER = "clean_29_90_1", "clean_29_90_2"


async def child(house: House, parent: str, number: int, who: Principal = SHOP) -> Case:
    event = replace(refund_event(OTHER, event_id=f"child-{number}"), parent=parent)
    return (await Intake(house.parts).receive(event, who))[0]


async def test_a_case_knows_the_one_that_opened_it_and_how_deep_it_is(house: House) -> None:
    first = await house.send(SMALL)
    second = await child(house, first.id, 1)
    third = await child(house, second.id, 2)

    assert [(case.parent_id, case.depth) for case in (first, second, third)] == [
        (None, 0),
        (first.id, 1),
        (second.id, 2),
    ]


async def test_beyond_the_depth_no_case_is_opened_and_that_is_on_the_record(house: House) -> None:
    case = await house.send(SMALL)
    for number in range(3):
        case = await child(house, case.id, number)

    with pytest.raises(EventRefused) as refused:
        await child(house, case.id, 3)

    assert refused.value.reason == "limit_depth"
    (told,) = await house.rows("SELECT data FROM audit_events WHERE kind = 'event.refused'")
    assert (told["data"]["reason"], told["data"]["parent"]) == ("limit_depth", case.id)
    (count,) = await house.rows("SELECT count(*) AS cases FROM cases")
    assert count["cases"] == 4


@pytest.mark.parametrize("who", ["a stranger's", "nobody's"])
async def test_only_a_case_that_one_knows_can_be_named(house: House, who: str) -> None:
    parent = (await house.send(SMALL)).id if who == "a stranger's" else "none"

    with pytest.raises(EventRefused) as refused:
        await child(house, parent, 1, BOT)

    assert refused.value.reason == "unknown_parent"

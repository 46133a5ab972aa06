"""The gateway has the last word: on what was turned down, on what it may do, on tools that changed."""

from dataclasses import replace

import pytest

from checkpoints.cases import Status
from checkpoints.effects import EffectRow, EffectState
from checkpoints.errors import GrantUnusable
from checkpoints.grants import Grant
from checkpoints.votes import VoteKind
from graphs.settings import Settings
from nodes.calling import GATEWAY
from nodes.execution import End
from nodes.permissions import Permissions
from nodes.reader import JUDGE
from tests.graphs.test_agent_window import SMALL, with_a_limit_of_70
from tests.house import LEE, House
from tests.nodes.desk import at_desk, at_the_company, paid, wish, with_arguments
from tests.nodes.test_gateway_outcomes import Script, do_it, lose_the_question
from tests.nodes.test_gateway_outcomes import _executed as executed
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"


async def test_what_people_turned_down_is_not_done_once_the_rules_would_allow_it(house: House) -> None:
    await with_a_limit_of_70(house)
    cases = [await house.after(scene) for scene in SMALL[:3]]
    review = await house.review(cases[2].id)
    assert (await house.decided(review, LEE, VoteKind.REJECT)).status is Status.REJECTED
    await house.rows("UPDATE effects SET intended_at = intended_at - interval '24 hours'")

    async with at_desk(house, cases[2]) as desk:
        execution = await desk.execute(wish(cases[2], revision=2))

    assert (execution.end, execution.reason) == (End.BLOCKED, "turned_down_in_this_case")
    assert await paid(house, SMALL[2]) == []


async def test_the_gateway_does_only_what_it_may_itself(house: House) -> None:
    refund = house.parts.workflows["refund"]
    others = [role for role in refund.permissions.roles.values() if role.name != GATEWAY]
    without = replace(refund, permissions=Permissions(others))
    powerless = House(replace(house.parts, workflows={"refund": without}))
    case = await house.send(SCENE)

    async with at_desk(powerless, case) as desk:
        execution = await desk.execute(wish(case))

    assert (execution.end, execution.reason) == (End.FAILED, "not_permitted")
    assert await paid(house, SCENE) == []


async def test_a_deed_that_was_begun_is_not_gone_on_with_by_a_changed_tool(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_question])
    assert await executed(house, case, script, 1) == [End.UNKNOWN]
    changed = Script([do_it])

    assert await executed(house, case, changed, 1, version="2") == [End.FAILED]
    assert (changed.calls, await paid(house, SCENE)) == (0, [])
    (effect,) = await house.effects(case.id)
    assert (effect.state, effect.error) == (EffectState.FAILED, "tool_version_changed")


async def test_what_is_settled_stays_settled(house: House) -> None:
    case = await house.after(SCENE)
    (refund, *_) = await house.effects(case.id)
    async with at_desk(house, case) as desk:
        ledger = desk.context.gateway.ledger
        again = desk._tell("effect.failed", key=refund.key, tool=refund.tool, error="late")
        await ledger.settle(refund.key, EffectState.FAILED, again, error="late")

    assert (await house.effects(case.id))[0] == refund
    assert "effect.failed" not in await house.kinds(case.id)


async def test_a_grant_is_used_up_by_the_deed_that_used_it(house: House) -> None:
    case = await house.after(SCENE)
    (refund, *_) = await house.effects(case.id)
    (row,) = await house.rows("SELECT * FROM grants WHERE id = %s", refund.grant_id)
    used = Grant(**{name: row[name] for name in Grant.__dataclass_fields__} | {"review_id": "r"})
    other: EffectRow = replace(refund, key=f"{refund.key}0", state=EffectState.INTENDED)
    async with at_desk(house, case) as desk:
        ledger = desk.context.gateway.ledger
        intent = desk._tell("effect.intended", key=other.key)
        with pytest.raises(GrantUnusable):
            await ledger.intend(used, other, intent, workflow="refund", spending=None)

    assert other.key not in {effect.key for effect in await house.effects(case.id)}


async def test_an_argument_that_names_somebody_else_is_out_of_scope(house: House) -> None:
    case = await house.send(SCENE)
    async with at_desk(house, case) as desk:
        execution = await desk.execute(with_arguments(case, customer_id="C-90002"))

    assert (execution.end, execution.reason) == (End.BLOCKED, "out_of_scope")


async def test_a_record_that_became_somebody_elses_stops_the_deed(house: House, settings: Settings) -> None:
    case = await house.send(SCENE)
    scene = CAST[SCENE]
    moved = "UPDATE tickets SET customer_id = 'C-90002', order_id = NULL WHERE ticket_id = %s"
    await at_the_company(settings, moved, scene.ticket_id)
    async with at_desk(house, case) as desk:
        execution = await desk.execute(wish(case))

    assert (execution.end, execution.reason) == (End.BLOCKED, "out_of_scope")


async def test_the_judge_reads_only_what_it_may(house: House) -> None:
    refund = house.parts.workflows["refund"]
    others = [role for role in refund.permissions.roles.values() if role.name != JUDGE]
    blind = House(
        replace(house.parts, workflows={"refund": replace(refund, permissions=Permissions(others))})
    )
    case = await house.send(SCENE)
    async with at_desk(blind, case) as desk:
        execution = await desk.execute(wish(case))

    assert (execution.end, execution.reason) == (End.BLOCKED, "not_permitted")

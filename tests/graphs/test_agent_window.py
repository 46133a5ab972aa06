"""What one agent has done in a day is summed over all customers, from our own ledger."""

import asyncio

from checkpoints.cases import Status
from graphs.roles import read_text
from graphs.rule_changes import RuleChanges
from tests.graphs.test_rule_changes import KAI, KIT
from tests.house import LEE, House
from tools.sandbox.cast import CAST

SMALL = [f"clean_29_90_{n}" for n in range(1, 6)]


async def with_a_limit_of_70(house: House) -> None:
    """From now on an agent may give back 70 a day by itself: two small ones."""
    text = read_text("graphs.refund", "rules.yaml").replace('"2026-11-27"', '"seventy"')
    changes = RuleChanges(house.parts)
    draft = await changes.draft("refund", text.replace("20000.0", "70.0"), "For the test.", KIT)
    await changes.decide(draft.digest, KAI, approve=True, comment=None)


async def paid(house: House) -> int:
    return sum([len(await house.refunds(CAST[scene].order_id)) for scene in SMALL])


async def test_past_the_agents_limit_a_person_signs_even_a_small_refund(house: House) -> None:
    await with_a_limit_of_70(house)
    cases = [await house.after(scene) for scene in SMALL[:3]]

    assert [case.status for case in cases] == [Status.CLOSED, Status.CLOSED, Status.WAITING_REVIEW]
    review = await house.review(cases[2].id)
    assert review.shown["verdict"]["row"] == "RF-84"
    assert review.shown["facts"]["agent_total"]["source"] == "ledger"
    assert review.shown["facts"]["agent_total"]["value"]["amount_minor"] == 3 * 2990
    assert (await house.decided(review, LEE)).status is Status.CLOSED
    assert await paid(house) == 3


async def test_refunds_at_the_same_moment_stay_within_the_agents_limit(house: House) -> None:
    await with_a_limit_of_70(house)
    for scene in SMALL:
        await house.send(scene)
    commands = await house.rows("SELECT id FROM commands WHERE done_at IS NULL")

    await asyncio.gather(*(house.runner.carry_out(command["id"]) for command in commands))

    assert await paid(house) == 2
    assert len(await house.open_reviews()) == 3


async def test_what_failed_does_not_count_and_what_is_a_day_old_neither(house: House) -> None:
    await with_a_limit_of_70(house)
    for scene in SMALL[:2]:
        await house.after(scene)
    await house.rows(
        "UPDATE effects SET state = 'failed' WHERE case_id = (SELECT id FROM cases WHERE event_id = %s)",
        SMALL[0],
    )
    await house.rows(
        "UPDATE effects SET intended_at = intended_at - interval '24 hours'"
        " WHERE case_id = (SELECT id FROM cases WHERE event_id = %s)",
        SMALL[1],
    )
    assert (await house.after(SMALL[2])).status is Status.CLOSED
    assert (await house.after(SMALL[3])).status is Status.CLOSED
    assert (await house.after(SMALL[4])).status is Status.WAITING_REVIEW

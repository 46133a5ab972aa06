"""The truths checker sees each lie that is planted, and none where all is well."""

from collections.abc import AsyncIterator

import pytest

from checkpoints.cases import Status
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.engine.truths import broken_truths
from tests.house import LEE, House, ManualClock, at_once
from tests.nodes.desk import at_the_company

SMALL, LARGE, OTHER = "clean_29_90_1", "clean_120_00_1", "clean_120_00_2"
LIES = {
    "hidden: refunds": "DELETE FROM effects WHERE tool = 'payments.refund'",
    "says it failed": "UPDATE effects SET state = 'failed' WHERE tool = 'payments.refund'",
    "another amount_minor": """UPDATE effects SET arguments = arguments || '{"amount_minor": 1}'""",
    "used one for another action": "UPDATE grants SET digest = 'other'",
    "was not used": "UPDATE grants SET used_at = NULL",
    "the review of payments.refund": "UPDATE reviews SET status = 'rejected'",
    "needed people": "UPDATE grants SET review_id = NULL",
    "used for nothing": "DELETE FROM effects WHERE tool = 'tickets.reply'",
    "unknown without an owner": "UPDATE effects SET state = 'unknown'",
    "hides that it is unknown": "UPDATE effects SET state = 'unknown'",
    "is blocked without an owner": "UPDATE cases SET status = 'blocked', owner = NULL",
    "is rejected without a reason": "UPDATE cases SET status = 'rejected', reason = NULL",
    "stuck: case_without_work": "UPDATE cases SET status = 'running'",
    "stuck: waiting_without_review": "UPDATE cases SET status = 'waiting_review', owner = 'finance'",
    "does not verify": "UPDATE audit_events SET actor = 'nobody' WHERE kind = 'vote.cast'",
    "0 times: it is done": "UPDATE audit_events SET kind = 'effect.lost' WHERE kind = 'effect.done'",
    "does not know it": "UPDATE audit_events SET data = '{\"key\": \"a\"}' WHERE kind = 'effect.done'",
    "was executed": "UPDATE effects SET state = 'intended'",
    "0 times that the review": "UPDATE audit_events SET data = '{}' WHERE kind = 'review.opened'",
    "a review that there is not": "DELETE FROM reviews",
    "asked twice": "UPDATE reviews SET digest = 'same', case_id = (SELECT min(id) FROM cases)",
    "counts twice": """UPDATE votes SET attempt = abs(hashtext(id)) % 100,
                       review_id = (SELECT min(id) FROM reviews)""",
}


@pytest.fixture
async def lied_to(settings: Settings, clock: ManualClock) -> AsyncIterator[House]:
    """A house of whose record nobody expects in the end that it is honest."""
    async with open_parts(settings, clock=clock, sleep=at_once) as parts:
        yield House(parts)


async def broken(house: House, settings: Settings) -> list[str]:
    assert settings.database_url is not None
    assert settings.sandbox_url is not None
    parts = house.parts
    return await broken_truths(
        settings.database_url, settings.sandbox_url, signer=parts.signer, at=parts.clock()
    )


async def two_signed(house: House) -> None:
    for scene in (LARGE, OTHER):
        case = await house.after(scene)
        assert (await house.decided(await house.review(case.id), LEE)).status is Status.CLOSED


async def test_nothing_is_broken_where_cases_are_new_asked_about_or_over(
    house: House, settings: Settings
) -> None:
    await two_signed(house)
    await house.after(SMALL)
    await house.after("clean_120_00_3")
    await house.send("clean_29_90_2")

    assert await broken(house, settings) == []


@pytest.mark.parametrize(("said", "lie"), LIES.items(), ids=LIES)
async def test_a_lie_is_found(lied_to: House, settings: Settings, said: str, lie: str) -> None:
    await two_signed(lied_to)
    assert await broken(lied_to, settings) == []

    await lied_to.tamper(lie)

    found = await broken(lied_to, settings)
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("said", "lie"),
    [
        ("lost: payments.refund", "DELETE FROM refunds WHERE idempotency_key LIKE '%%:refund:1'"),
        (
            "hidden: refunds",
            """INSERT INTO refunds SELECT (jsonb_populate_record(r, '{"refund_id": "R-7000001",
               "amount_minor": 1, "idempotency_key": "rogue"}')).* FROM refunds r
               WHERE idempotency_key LIKE '%%:refund:1' LIMIT 1""",
        ),
        (
            "doubled: ticket_replies",
            """INSERT INTO ticket_replies SELECT (jsonb_populate_record(r, jsonb_build_object('reply_id',
               'Y-7000001', 'idempotency_key', idempotency_key || '0'))).* FROM ticket_replies r
               WHERE idempotency_key LIKE '%%:tell:1' LIMIT 1""",
        ),
    ],
)
async def test_a_deed_at_the_company_that_is_lost_hidden_or_doubled_is_found(
    lied_to: House, settings: Settings, said: str, lie: str
) -> None:
    await two_signed(lied_to)

    await at_the_company(settings, lie)

    found = await broken(lied_to, settings)
    assert any(said in one for one in found), found

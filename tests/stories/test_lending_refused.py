"""Lending that is refused: to whoever may not, to whom too much is lent already; and it is on the record."""

import pytest

from graphs.closing import NotEligible
from graphs.lending import MOST_STANDING, DelegationUnfit, Lending
from graphs.settings import Settings
from tests.house import LEE, MAX, SHOP, House
from tests.stories.reviewing import EVERYBODY, NORA, now_working
from tests.stories.test_delegations import lend

DENIED = "SELECT actor, data FROM audit_events WHERE kind = 'delegation.denied' ORDER BY seq"


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def test_whoever_may_not_lend_or_take_back_is_on_the_record(house: House) -> None:
    for who in (SHOP, NORA):
        with pytest.raises(NotEligible):
            await lend(house, who, MAX)
    delegation = await lend(house, LEE, NORA)
    with pytest.raises(NotEligible):
        await Lending(house.parts).revoke(delegation.id, MAX)

    told = await house.rows(DENIED)
    assert [one["actor"] for one in told] == [SHOP.actor, NORA.actor, MAX.actor]
    assert told[2]["data"]["delegation"] == delegation.id
    assert [one["revoked_at"] for one in await house.rows("SELECT revoked_at FROM delegations")] == [None]


async def test_nobody_lends_without_end(house: House) -> None:
    """What is lent to somebody is looked through with each of their votes."""
    first = await lend(house, LEE, MAX)
    for _ in range(MOST_STANDING - 1):
        await lend(house, LEE, MAX)
    with pytest.raises(DelegationUnfit, match="take one back"):
        await lend(house, LEE, MAX)
    await Lending(house.parts).revoke(first.id, LEE)
    await lend(house, LEE, NORA)

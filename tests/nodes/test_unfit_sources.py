"""What a record says and another tool cannot be asked by: the case is refused with a reason, not broken."""

import psycopg
import pytest

from graphs.intake import Intake
from graphs.settings import Settings
from nodes.event import EventRefused
from tests.house import SHOP, House
from tests.stories.enriching import enrichment_event
from tools.sandbox.crm.cast import ACCOUNTS


async def test_a_name_that_is_too_long_to_search_the_news_by_is_a_refusal(
    house: House, settings: Settings
) -> None:
    await _renamed(settings, "x" * 201)

    with pytest.raises(EventRefused) as refused:
        await Intake(house.parts).receive(enrichment_event("clean"), SHOP)

    assert refused.value.reason == "tool_refused"


async def test_a_case_whose_record_becomes_unfit_is_rejected_and_not_broken(
    house: House, settings: Settings
) -> None:
    case, _ = await Intake(house.parts).receive(enrichment_event("clean"), SHOP)
    await _renamed(settings, "x" * 201)
    await house.work()

    case = await house.case(case.id)
    assert (case.status, case.reason) == ("rejected", "tool_refused")


async def _renamed(settings: Settings, name: str) -> None:
    assert settings.sandbox_url is not None
    async with await psycopg.AsyncConnection.connect(settings.sandbox_url, autocommit=True) as connection:
        cursor = await connection.execute(
            "UPDATE crm_accounts SET name = %s WHERE account_id = %s", (name, ACCOUNTS["clean"].account_id)
        )
        assert cursor.rowcount == 1

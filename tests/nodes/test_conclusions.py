"""Records that rest on what agents have said: declared, somebody's word, and bound by signatures, or not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from pydantic import BaseModel

from graphs.settings import Settings
from nodes.records import Records
from nodes.workflow import WorkflowUnfit
from tests.house import House
from tests.stories.vendor_world import applied, at_work, decided, endorsed, reviews
from tools.contract import Record

BESIDE = "vendors.record_clearance"


class Claim(Record):
    """What claims to be a record of the company."""

    iban: str = "DE89370400440532013000"


def claims(_records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    return {"claim": Claim()}


def test_what_rests_on_an_agents_word_is_no_record_of_the_company(house: House) -> None:
    vendor = replace(house.parts.workflows["vendor"], conclude=claims, derived={"claim": Claim})

    with pytest.raises(WorkflowUnfit, match="no `Said`: claim"):
        vendor.concluded({}, house.parts.clock())


def test_what_is_concluded_is_declared(house: House) -> None:
    vendor = replace(house.parts.workflows["vendor"], conclude=claims, derived={})

    with pytest.raises(WorkflowUnfit, match="does not name: claim"):
        vendor.concluded({}, house.parts.clock())


async def test_what_is_signed_binds_every_record_but_those_beside_it(
    house: House, settings: Settings
) -> None:
    at_work(settings)
    case = await endorsed(house, await applied(house, "clean_6"))
    before = (await reviews(house, case))["finance"]
    assert "clearances" not in before.action["evidence"]
    assert {"documents", "screening", "accounts", "checks"} <= before.action["evidence"].keys()

    case = await decided(house, case, "legal")

    assert (await reviews(house, case))["finance"].digest == before.digest
    assert house.parts.workflows["vendor"].rulings[BESIDE].beside == ("clearances",)

"""The CRM's tools: what they show, what they set, and whom they do not overwrite."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.house import ManualClock
from tests.stories.enriching import Colleague
from tests.tools.shop import AS_OF, Shop, setting
from tools.contract import RecordNotFound, ToolRefused
from tools.sandbox.accounts.fields import RESTORABLE
from tools.sandbox.crm.cast import ACCOUNTS
from tools.sandbox.crm.founding import crm_rows
from tools.sandbox.crm.vocabulary import CLOSED, FIELDS, band_of, fits, segment_of

CLEAN = ACCOUNTS["clean"]


@pytest.fixture
def colleague(sandbox_url: str) -> Colleague:
    return Colleague(sandbox_url)


async def field(shop: Shop, name: str, scene: str = "clean") -> Any:
    account = await shop.do("crm.get_account", account_id=ACCOUNTS[scene].account_id)
    return next(one for one in account.fields if one.field == name)


async def set_field(shop: Shop, name: str = "industry", value: str = "retail", key: str = "key") -> Any:
    return await shop.do("crm.set_field", key=key, **setting(CLEAN, name, value))


# --- what is there ----------------------------------------------------------------------------------------


async def test_an_account_has_every_field_with_who_set_it_and_when(shop: Shop) -> None:
    account = await shop.do("crm.get_account", account_id=ACCOUNTS["set_by_person"].account_id)

    assert [one.field for one in account.fields] == sorted(FIELDS)
    assert {(one.set_by, one.set_at) for one in account.fields} == {
        ("person:rhea", AS_OF - timedelta(days=1))
    }
    assert account.version == max(one.version for one in account.fields)


async def test_what_belongs_to_a_customer_is_one_of_its_group(shop: Shop) -> None:
    groups = {
        scene: (await shop.do("crm.relations", account_id=ACCOUNTS[scene].account_id)).group_is_customer
        for scene in ("customer_group", "existing_customer", "clean")
    }
    assert groups == {"customer_group": True, "existing_customer": True, "clean": False}


async def test_the_register_says_what_it_knows_and_of_others_nothing(shop: Shop) -> None:
    known = await shop.do("firmographics.get", register_no=CLEAN.register_no)
    unknown = await shop.do("firmographics.get", register_no=ACCOUNTS["unlisted"].register_no)

    assert (known.industry, known.employees, known.country) == ("software", 120, "DE")
    assert unknown.model_dump(exclude={"register_no", "about"}) == dict.fromkeys(
        ("legal_name", "industry", "employees", "country", "website")
    )


async def test_news_is_found_by_the_name_and_nothing_else(shop: Shop) -> None:
    found = await shop.do("news.search", company_name="Adler Logistics")
    none = await shop.do("news.search", company_name="Kessler Care")

    assert len(found.items) == len(found.texts) == 1
    assert "the-other-adler" in found.texts[0]
    assert (none.items, none.texts) == ((), ())


async def test_whoever_is_not_there_is_not_found(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("crm.get_account", account_id="A-00000")


def test_the_first_day_is_the_same_from_the_same_seed_and_holds_the_ugly_cases() -> None:
    tables = {table.name: table.rows for table in crm_rows(7, AS_OF, 600)}
    assert tables == {table.name: table.rows for table in crm_rows(7, AS_OF, 600)}

    assert 800 < sum(map(len, tables.values())) < 1500
    assert set(Counter(row[3] for row in tables["crm_accounts"])) == {"active", "closed", "merged"}
    assert any(row[2] is None for row in tables["crm_fields"])
    assert all(row[2] is None or fits(row[1], row[2]) for row in tables["crm_fields"])
    assert len({row[5] for row in tables["crm_fields"]}) == len(tables["crm_fields"])
    names = [row[1] for row in tables["crm_accounts"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("employees", "band", "segment"),
    [
        (1, "1_9", "smb"),
        (9, "1_9", "smb"),
        (10, "10_49", "smb"),
        (49, "10_49", "smb"),
        (50, "50_249", "mid_market"),
        (249, "50_249", "mid_market"),
        (250, "250_999", "mid_market"),
        (999, "250_999", "mid_market"),
        (1000, "1000_4999", "enterprise"),
        (4999, "1000_4999", "enterprise"),
        (5000, "5000_plus", "enterprise"),
    ],
)
def test_a_size_is_in_one_band_and_a_band_in_one_segment(employees: int, band: str, segment: str) -> None:
    assert (band_of(employees), segment_of(band)) == (band, segment)


# --- setting ----------------------------------------------------------------------------------------------


async def test_a_field_is_set_and_says_who_set_it_last(shop: Shop) -> None:
    change = await set_field(shop)

    after = await field(shop, "industry")
    assert (after.value, after.set_by, after.set_at, after.version) == (
        "retail",
        "countersign",
        AS_OF,
        change.version,
    )
    assert (change.earlier_value, change.earlier_set_by, change.expected_version) == (
        None,
        "import",
        CLEAN.version("industry"),
    )
    assert (await field(shop, "segment")).value is None


@pytest.mark.parametrize("name", CLOSED)
async def test_each_closed_field_takes_each_of_its_words(shop: Shop, name: str) -> None:
    for at, word in enumerate(CLOSED[name]):
        version = (await field(shop, name)).version
        await shop.do(
            "crm.set_field", key=f"k{at}", **setting(CLEAN, name, word) | {"expected_version": version}
        )
        assert (await field(shop, name)).value == word


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "value", ["whatever", "SOFTWARE", "https://www.example.com/x", "a b.example.com", "."]
)
def test_a_word_that_the_field_does_not_know_does_not_fit(name: str, value: str) -> None:
    assert not fits(name, value)


async def test_what_somebody_has_set_since_is_not_overwritten(shop: Shop, colleague: Colleague) -> None:
    await colleague.sets("clean", "industry", "finance", AS_OF)

    with pytest.raises(ToolRefused, match="set by person:rhea since"):
        await set_field(shop)
    assert (await field(shop, "industry")).value == "finance"


async def test_what_is_said_already_is_not_written_again(shop: Shop) -> None:
    change = await set_field(shop)
    same = setting(CLEAN) | {"expected_version": change.version}

    with pytest.raises(ToolRefused, match="says so already"):
        await shop.do("crm.set_field", key="again", **same)


@pytest.mark.parametrize("scene", ["closed", "merged"])
async def test_an_account_that_is_not_active_is_not_touched(shop: Shop, scene: str) -> None:
    with pytest.raises(ToolRefused, match="no active account"):
        await shop.do("crm.set_field", key="key", **setting(ACCOUNTS[scene]))


async def test_the_same_key_twice_is_one_change_and_other_arguments_are_refused(shop: Shop) -> None:
    first = await set_field(shop)

    assert await set_field(shop) == first
    assert await shop.find("crm.set_field", "key") == first
    with pytest.raises(ToolRefused, match="other arguments"):
        await set_field(shop, value="finance")


async def test_of_two_at_once_one_sets_the_field(shop: Shop) -> None:
    done = await asyncio.gather(
        *(set_field(shop, value=value, key=value) for value in ("retail", "finance")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["FieldChange", "ToolRefused"]


# --- restoring --------------------------------------------------------------------------------------------


async def test_restoring_brings_back_the_value_who_had_set_it_and_when(
    shop: Shop, colleague: Colleague, clock: ManualClock
) -> None:
    await colleague.sets("clean", "industry", "finance", AS_OF - timedelta(days=900))
    before = await field(shop, "industry")
    change = await shop.do("crm.set_field", key="do", **setting(CLEAN) | {"expected_version": before.version})
    clock.advance(RESTORABLE)

    await shop.undo("crm.set_field", change)

    assert await field(shop, "industry") == before


async def test_what_somebody_has_set_since_is_not_restored(shop: Shop, colleague: Colleague) -> None:
    change = await set_field(shop)
    await colleague.sets("clean", "industry", "finance", AS_OF)

    with pytest.raises(ToolRefused, match="set by person:rhea since"):
        await shop.undo("crm.set_field", change)
    assert (await field(shop, "industry")).value == "finance"


async def test_a_version_is_never_used_twice(shop: Shop, colleague: Colleague) -> None:
    change = await set_field(shop)
    await shop.undo("crm.set_field", change)
    await colleague.sets("clean", "industry", "retail", AS_OF)

    assert (await field(shop, "industry")).version != change.version
    with pytest.raises(ToolRefused, match="restored already"):
        await shop.undo("crm.set_field", change, key="another")

"""The vendor register: whom the list names, which accounts can be right, and what the register refuses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import ManualClock
from tests.tools.shop import Shop
from tests.tools.vendor_office import activation_of, clearance_of, endorsement_of, request_to
from tools.contract import RecordNotFound, ToolRefused
from tools.documents.reading import Trouble
from tools.sandbox.database import Sandbox
from tools.sandbox.vendors.cast import CAST
from tools.sandbox.vendors.iban import holds, iban_of, ibans_in, plain_iban
from tools.sandbox.vendors.messages import WORDS, letter
from tools.sandbox.vendors.names import likeness, normalised
from tools.sandbox.vendors.papers import COUNTRIES, KINDS
from tools.sandbox.vendors.uploads import upload

CLEAN = CAST["clean_1"]


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Müller & Söhne GmbH", "muller sohne"),
        ("  SÖHNE   müller ", "muller sohne"),
        ("O'Hara, Byrne & Co.", "byrne ohara"),
        ("Crédit-Bail S.A.", "bail credit"),
        ("Ltd", "ltd"),
        ("Straße 7", "7 strasse"),
        ("...", ""),
    ],
)
def test_a_name_is_compared_without_case_accents_signs_and_legal_form(name: str, plain: str) -> None:
    assert normalised(name) == plain


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [
        ("Severny Kamen Trading GmbH", "Kamen Trading, SEVERNY", 100),
        ("Severin Kamen Trade GmbH", "Severny Kamen Trading", 85),
        ("Lindenhof Works", "Severny Kamen Trading", 11),
        ("", "Severny", 0),
    ],
)
def test_how_alike_two_names_are(one: str, other: str, score: int) -> None:
    assert likeness(one, other) == score


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_same_name_is_wholly_alike(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 100
    if likeness(one, other) == 100:
        assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("scene", "score"), [("sanctioned", 100), ("nearly_sanctioned", 85), ("clean_1", 0)])
async def test_a_vendor_is_held_against_every_name_of_the_list(shop: Shop, scene: str, score: int) -> None:
    found = await shop.do("vendors.screening", vendor_id=CAST[scene].vendor_id)

    assert found.score == score
    assert [hit.entry_id for hit in found.hits] == (["W-9001"] if score else [])


async def test_the_same_name_of_another_country_counts_less(shop: Shop, sandbox: Sandbox) -> None:
    async with sandbox.writing("test", "list") as connection:
        await connection.execute("UPDATE watch_list SET countries = '{RU}' WHERE entry_id = 'W-9001'")
    (hit,) = (await shop.do("vendors.screening", vendor_id=CAST["sanctioned"].vendor_id)).hits

    assert (hit.score, hit.same_country) == (90, False)


# --- accounts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("iban", "right"),
    [
        ("DE89370400440532013000", True),
        ("GB82WEST12345698765432", True),
        ("DE89370400440532013001", False),
        ("DE8937040044053201300", False),
        ("XX", False),
        ("", False),
        ("DEAB370400440532013000", False),
    ],
)
def test_the_check_digits_of_an_iban(iban: str, right: bool) -> None:  # noqa: FBT001 - a parameter
    assert holds(iban) is right


@given(st.from_regex(r"[0-9]{18}", fullmatch=True), st.integers(4, 21), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(account: str, place: int, by: int) -> None:
    iban = iban_of("DE", account)
    wrong = f"{iban[:place]}{(int(iban[place]) + by) % 10}{iban[place + 1 :]}"

    assert holds(iban)
    assert not holds(wrong)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("IBAN: DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX", {"DE89370400440532013000"}),
        (
            "de89370400440532013000,GB82 WEST\n12345698765432.",
            {"DE89370400440532013000", "GB82WEST12345698765432"},
        ),
        ("XDE89370400440532013000 DE89 3704", set()),
        ("", set()),
    ],
)
def test_every_iban_in_a_text_is_found_whatever_stands_around_it(text: str, found: set[str]) -> None:
    assert ibans_in(text) == found


def test_an_iban_is_compared_without_spaces() -> None:
    assert plain_iban(" de89 3704\n0044 ") == "DE8937040044"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iban": "DE89370400440532013001"}, "check digits"),
        ({"document_id": CAST["clean_2"].document_id("bank_letter")}, "no document of"),
        ({"iban": str(endorsement_of(CAST["known_account"])["iban"])}, "another vendor"),
    ],
)
async def test_an_account_that_cannot_be_the_vendors_is_refused(
    shop: Shop, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ToolRefused, match=message):
        await shop.do("vendors.endorse_account", **endorsement_of(CLEAN) | changes)
    assert (await shop.do("vendors.accounts", vendor_id=CLEAN.vendor_id)).account_ids == []


async def test_an_account_that_is_in_use_is_not_revoked(shop: Shop) -> None:
    endorsed = await shop.do("vendors.endorse_account", key="e", **endorsement_of(CLEAN))
    wanted = {"vendor_id": CLEAN.vendor_id, "account_id": endorsed.account_id}
    await shop.do("vendors.activate", key="a", **wanted)

    with pytest.raises(ToolRefused, match="is active with"):
        await shop.undo("vendors.endorse_account", endorsed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account_id": "A-90001"}, "is not endorsed"),
        ({"vendor_id": CLEAN.vendor_id}, "is not endorsed"),
        ({"vendor_id": "V-10001"}, "no application"),
        ({"vendor_id": "V-99999"}, "no application"),
    ],
)
async def test_nobody_is_active_without_an_application_and_an_endorsed_account(
    shop: Shop, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ToolRefused, match=message):
        await shop.do("vendors.activate", **activation_of(CAST["known_account"]) | changes)


DEEDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vendors.endorse_account": (endorsement_of(CLEAN), {"page": 2}),
    "vendors.record_clearance": (clearance_of(CLEAN), {"department": "finance"}),
    "vendors.activate": (activation_of(CAST["known_account"]), {"account_id": "A-90001"}),
    "vendors.request_information": (request_to(CLEAN), {"turn": 2}),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_the_same_key_is_the_same_deed_and_never_another(shop: Shop, name: str) -> None:
    wanted, changes = DEEDS[name]
    assert await shop.find(name, "k") is None
    done = await shop.do(name, key="k", **wanted)

    assert await shop.do(name, key="k", **wanted) == done == await shop.find(name, "k")
    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.do(name, key="k", **wanted | changes)


@pytest.mark.parametrize("name", ["vendors.record_clearance", "vendors.request_information"])
async def test_of_whom_nobody_has_heard_nothing_is_written(shop: Shop, name: str) -> None:
    with pytest.raises(ToolRefused, match="there is no vendor"):
        await shop.do(name, **DEEDS[name][0] | {"vendor_id": "V-99999"})


# --- documents, requirements, messages ----------------------------------------------------------------------


async def test_a_vendors_documents_are_read_page_by_page(shop: Shop) -> None:
    found = await shop.do("vendors.documents", vendor_id=CAST["clean_pdf"].vendor_id)

    assert [(one.kind, one.content_type, one.pages) for one in found.documents] == [
        ("registration", "application/pdf", 2),
        ("bank_letter", "application/pdf", 1),
        ("insurance_certificate", "application/pdf", 1),
    ]
    assert [(page.document_id[-1], page.number) for page in found.pages] == [
        ("1", 1),
        ("1", 2),
        ("2", 1),
        ("3", 1),
    ]


async def test_a_broken_document_says_what_is_the_matter_and_the_others_are_read(shop: Shop) -> None:
    found = await shop.do("vendors.documents", vendor_id=CAST["garbage"].vendor_id)

    assert [one.trouble for one in found.documents] == [None, Trouble.BROKEN, None]
    assert {page.document_id[-1] for page in found.pages} == {"1", "3"}


async def test_the_newest_of_each_kind_counts_and_another_one_is_another_dossier(
    shop: Shop, sandbox: Sandbox, clock: ManualClock
) -> None:
    before = await shop.do("vendors.documents", vendor_id=CLEAN.vendor_id)
    new = await upload(
        sandbox,
        vendor_id=CLEAN.vendor_id,
        kind="registration",
        file_name="newer.txt",
        content_type="text/plain",
        content=b"Legal name: Somebody",
    )
    after = await shop.do("vendors.documents", vendor_id=CLEAN.vendor_id)

    assert new in {one.document_id for one in after.documents}
    assert len(after.documents) == len(before.documents)
    assert after.digest != before.digest


async def test_who_is_not_in_the_register_has_no_record(shop: Shop) -> None:
    for tool in ("vendors.get", "vendors.screening"):
        with pytest.raises(RecordNotFound):
            await shop.do(tool, vendor_id="V-99999")


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("kind", KINDS)
async def test_for_every_kind_and_country_it_is_written_what_is_required(
    shop: Shop, kind: str, country: str
) -> None:
    found = await shop.do("vendors.requirements", kind=kind, country=country)

    assert {"document:registration", "document:bank_letter", "field:iban"} <= set(found.items)
    assert set(found.items) <= WORDS.keys(), "for everything that can be missing there are words"


async def test_where_nothing_is_written_nothing_can_be_complete(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("vendors.requirements", kind="goods", country="XX")


def test_a_letter_names_what_is_missing_in_words() -> None:
    written = letter("V-90001", sorted(WORDS))
    assert all(words in written for words in WORDS.values())
    assert len(written) < 4_000


async def test_nothing_is_asked_for_that_there_are_no_words_for(shop: Shop) -> None:
    with pytest.raises(ToolRefused, match="no words for field:password"):
        await shop.do("vendors.request_information", **request_to(CLEAN) | {"items": ["field:password"]})

"""The checks on what the reader found: spans, values, what is missing, and what is in doubt."""

from datetime import UTC, datetime
from typing import Any

import pytest

from graphs.vendor.agents import Extraction, Found, extractor_playbook, screener_playbook
from graphs.vendor.checks import Checks, checked, conclude
from tools.documents.reading import Trouble
from tools.sandbox.vendors.documents import Document, DocumentKind, Page, VendorDocuments
from tools.sandbox.vendors.register import Requirements, Vendor, VendorStatus

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IBAN = "DE89 3704 0044 0532 0130 00"
KINDS: tuple[DocumentKind, ...] = ("registration", "bank_letter", "insurance_certificate")
PAGES = {
    "D-10001": ["Legal name: Müller GmbH\nRegistration number: HRB 7\nCountry: DE", "VAT ID: DE1"],
    "D-10002": [f"Legal name: MÜLLER  GmbH\nIBAN: {IBAN}\nContact email: a@example.com"],
    "D-10003": ["Certificate valid until: 2026-11-20"],
}
REQUIRED = [
    *(f"document:{kind}" for kind in KINDS),
    "field:legal_name",
    "field:iban",
    "field:certificate_expiry",
]


def records(pages: dict[str, list[str]] | None = None, trouble: str = "") -> dict[str, Any]:
    """The records of a vendor with these pages, one document of which cannot be read."""
    written = {name: [] if name == trouble else texts for name, texts in (pages or PAGES).items()}
    documents = [
        Document(
            document_id=name,
            kind=kind,
            file_name="x.txt",
            content_type="text/plain",
            sha256="0" * 64,
            size_bytes=1,
            received_at=NOW,
            pages=len(written[name]),
            trouble=Trouble.BROKEN if name == trouble else None,
        )
        for name, kind in zip(written, KINDS, strict=False)
    ]
    texts = [
        Page(document_id=name, number=at, text=text)
        for name, several in written.items()
        for at, text in enumerate(several, 1)
    ]
    return {
        "vendor": Vendor(
            vendor_id="V-10001",
            legal_name="Müller",
            kind="goods",
            country="DE",
            contact_email="a@example.com",
            status=VendorStatus.APPLIED,
            applied_at=NOW,
        ),
        "documents": VendorDocuments(vendor_id="V-10001", documents=documents, pages=texts, digest="0" * 64),
        "requirements": Requirements(kind="goods", country="DE", items=REQUIRED),
    }


def extraction(found: dict[str, Any]) -> Extraction:
    return extractor_playbook({"documents": found["documents"].model_dump(mode="json")})


def checks(pages: dict[str, list[str]] | None = None, trouble: str = "", now: datetime = NOW) -> Checks:
    found = records(pages, trouble)
    return checked(found, extraction(found), now)


def with_page(name: str, text: str) -> dict[str, list[str]]:
    return PAGES | {name: [text]}


def test_papers_in_order_are_proven_field_by_field_with_their_places() -> None:
    found = checks()

    assert (found.missing, found.doubts, found.other_accounts) == ([], [], 0)
    places = {one.field: (one.document_id, one.page) for one in found.fields}
    assert places == {
        "legal_name": ("D-10001", 1),
        "registration_number": ("D-10001", 1),
        "country": ("D-10001", 1),
        "vat_id": ("D-10001", 2),
        "iban": ("D-10002", 1),
        "contact_email": ("D-10002", 1),
        "certificate_expiry": ("D-10003", 1),
    }
    account = (found.iban, found.iban_document_id, found.iban_page, found.iban_quote)
    assert account == (IBAN.replace(" ", ""), "D-10002", 1, f"IBAN: {IBAN}")


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"value": "DE00"}, "span_unproven:iban"),
        ({"quote": "IBAN: DE00", "value": "DE00"}, "span_unproven:iban"),
        ({"page": 2}, "span_unproven:iban"),
        ({"document_id": "D-10001"}, "span_unproven:iban"),
        ({"document_id": "D-99999"}, "span_unproven:iban"),
        ({"confidence_percent": 69}, "extraction_unsure:iban"),
    ],
)
def test_a_value_that_does_not_stand_where_it_is_said_to_stand_does_not_count(
    changes: dict[str, Any], doubt: str
) -> None:
    given = records()
    said = extraction(given)
    found = [one.model_copy(update=changes) if one.field == "iban" else one for one in said.found]
    result = checked(given, said.model_copy(update={"found": found}), NOW)

    assert result.doubts == [doubt]
    assert result.iban is None
    assert result.missing == ["field:iban"]


def test_line_breaks_in_a_quote_are_no_difference() -> None:
    given = records(with_page("D-10002", f"IBAN:\n  {IBAN[:9]}\n{IBAN[9:]}"))
    said = Found(
        field="iban",
        value=IBAN.replace(" ", ""),
        document_id="D-10002",
        page=1,
        quote=f"IBAN: {IBAN}",
        confidence_percent=70,
    )
    result = checked(given, Extraction(found=[said], confidence_percent=90, evidence=[]), NOW)

    assert (result.doubts, result.iban) == ([], IBAN.replace(" ", ""))


def test_an_account_with_wrong_check_digits_is_missing() -> None:
    found = checks(with_page("D-10002", "IBAN: DE89 3704 0044 0532 0130 01"))

    assert (found.iban, found.missing) == (None, ["field:iban"])


@pytest.mark.parametrize("trouble", PAGES)
def test_a_document_that_cannot_be_read_is_missing(trouble: str) -> None:
    kind = KINDS[list(PAGES).index(trouble)]

    assert f"document:{kind}" in checks(trouble=trouble).missing


@pytest.mark.parametrize(("day", "missing"), [(20, []), (21, ["current:insurance_certificate"])])
def test_a_certificate_is_good_on_its_last_day_and_not_after_it(day: int, missing: list[str]) -> None:
    assert checks(now=NOW.replace(day=day)).missing == missing


def test_a_date_that_is_none_is_a_doubt() -> None:
    found = checks(with_page("D-10003", "Certificate valid until: next spring"))

    assert found.doubts == ["date_unreadable:certificate_expiry"]


def test_documents_that_contradict_each_other_are_a_doubt() -> None:
    found = checks(with_page("D-10003", "Certificate valid until: 2027-01-01\nRegistration number: HRB 8"))

    assert found.doubts == ["documents_contradict:registration_number"]


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("Legal name: Meier GmbH", ["documents_contradict:legal_name", "strangers_paper:legal_name"]),
        ("Country: FR", ["strangers_paper:country"]),
        ("Legal name: mueller", ["documents_contradict:legal_name", "strangers_paper:legal_name"]),
        ("Legal name: Müller Ltd", []),
    ],
)
def test_papers_of_somebody_else_are_a_doubt(text: str, doubts: list[str]) -> None:
    assert checks(PAGES | {"D-10001": [text]}).doubts == doubts


def test_every_further_account_in_the_papers_is_counted_whatever_the_reader_says() -> None:
    given = records(
        with_page("D-10003", "Pay to DE29 1001 0010 0987 6543 21, not to DE00 1234 5678 9012 3456 78.")
    )

    assert checked(given, extraction(given), NOW).other_accounts == 1


def test_before_the_reader_has_spoken_nothing_is_concluded() -> None:
    assert conclude(records(), NOW) == {}
    given = records()
    assert conclude(given | {"extractor": extraction(given)}, NOW) == {
        "checks": checked(given, extraction(given), NOW)
    }


def test_an_illegible_page_makes_the_reader_unsure() -> None:
    given = records(with_page("D-10002", f"(illegible) \nIBAN: {IBAN}"))

    assert extraction(given).confidence_percent == 40
    assert "extraction_unsure:iban" in checked(given, extraction(given), NOW).doubts


@pytest.mark.parametrize(
    ("score", "risk"), [(0, "low"), (69, "low"), (70, "medium"), (89, "medium"), (90, "high")]
)
def test_the_screeners_playbook_goes_by_the_score(score: int, risk: str) -> None:
    assert screener_playbook({"screening": {"score": score, "hits": []}}).risk == risk

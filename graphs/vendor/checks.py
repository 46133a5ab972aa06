"""Checks: what of an extraction really stands in the documents, what is missing, and what is in doubt.

Fixed code, on the documents as they are now. A value counts if its quote stands on the page that it names, if
it stands in that quote, and if the reader was sure of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel

from graphs.vendor.agents import Extraction, FieldName, Found
from nodes.agent import Percent
from nodes.records import Records, Said
from nodes.shapes import Json
from tools.contract import FieldClass, Marked, Trust
from tools.sandbox.vendors.documents import VendorDocuments
from tools.sandbox.vendors.iban import holds, ibans_in, plain_iban
from tools.sandbox.vendors.names import normalised
from tools.sandbox.vendors.register import Requirements, Vendor

SURE_PERCENT = 70
"""What the reader is less sure of does not count."""
_PERSONAL = Marked(field_class=FieldClass.PERSONAL, trust=Trust.MODEL)


class Proven(BaseModel):
    """A value that stands where it is said to stand."""

    field: FieldName
    value: str
    document_id: str
    page: int
    quote: str


class Checks(Said):
    """What the fixed checks make of what the reader found.

    Attributes:
        fields: what is proven, one value a field.
        missing: what the vendor has to be asked for, by its codes.
        doubts: why people have to look, each `reason:field`.
        other_accounts: how many further IBANs stand in the documents.
        iban: the account as it is proven, or None; with the document, the page and the words it stands in.
    """

    fields: Annotated[list[Proven], _PERSONAL]
    missing: list[str]
    doubts: list[str]
    other_accounts: int
    confidence_percent: Percent
    iban: Annotated[str, _PERSONAL] | None = None
    iban_document_id: str | None = None
    iban_page: int | None = None
    iban_quote: Annotated[str, _PERSONAL] | None = None


def conclude(records: Records, now: datetime) -> Mapping[str, BaseModel]:
    """The checks, once the reader has been heard."""
    extraction = records.get("extractor")
    if not isinstance(extraction, Extraction):
        return {}
    return {"checks": checked(records, extraction, now)}


def checked(records: Records, extraction: Extraction, now: datetime) -> Checks:
    """What an extraction is worth, held against the documents and the vendor's own application."""
    vendor, documents, required = (records[name] for name in ("vendor", "documents", "requirements"))
    assert isinstance(vendor, Vendor)
    assert isinstance(documents, VendorDocuments)
    assert isinstance(required, Requirements)
    proven, doubts = _proven(extraction.found, documents)
    doubts += _contradictions(proven) + _strange(proven, vendor)
    one_each = list({one.field: one for one in reversed(proven)}.values())[::-1]
    account = next((one for one in one_each if one.field == "iban" and holds(plain_iban(one.value))), None)
    place: Json = (
        {}
        if account is None
        else {
            "iban": plain_iban(account.value),
            "iban_document_id": account.document_id,
            "iban_page": account.page,
            "iban_quote": account.quote,
        }
    )
    return Checks(
        fields=one_each,
        missing=_missing(required.items, documents, one_each, now.date()),
        doubts=sorted(set(doubts)),
        other_accounts=len(_ibans(documents) - {plain_iban(account.value) if account else ""}),
        confidence_percent=extraction.confidence_percent,
        **place,
    )


def _proven(found: Iterable[Found], documents: VendorDocuments) -> tuple[list[Proven], list[str]]:
    pages = {(page.document_id, page.number): _plain(page.text) for page in documents.pages}
    proven, doubts = [], []
    for one in found:
        on_page = _plain(one.quote) in pages.get((one.document_id, one.page), "")
        if not on_page or not _stands_in(one):
            doubts.append(f"span_unproven:{one.field}")
        elif one.confidence_percent < SURE_PERCENT:
            doubts.append(f"extraction_unsure:{one.field}")
        elif one.field == "certificate_expiry" and _day(one.value) is None:
            doubts.append(f"date_unreadable:{one.field}")
        else:
            proven.append(Proven(**one.model_dump(exclude={"confidence_percent"})))
    return proven, doubts


def _stands_in(one: Found) -> bool:
    if one.field == "iban":
        return plain_iban(one.value) in plain_iban(one.quote)
    return _plain(one.value) in _plain(one.quote)


def _contradictions(proven: Sequence[Proven]) -> list[str]:
    """Fields for which documents say different things; a date of each certificate is its own."""
    values: dict[str, set[str]] = {}
    for one in proven:
        values.setdefault(one.field, set()).add(_compared(one.field, one.value))
    return [f"documents_contradict:{name}" for name, said in values.items() if len(said) > 1]


def _strange(proven: Iterable[Proven], vendor: Vendor) -> list[str]:
    """Fields that speak of somebody else than who has applied."""
    applied = {"legal_name": vendor.legal_name, "country": vendor.country}
    return [
        f"strangers_paper:{one.field}"
        for one in proven
        if one.field in applied
        and _compared(one.field, one.value) != _compared(one.field, applied[one.field])
    ]


def _missing(
    required: Iterable[str], documents: VendorDocuments, proven: Iterable[Proven], today: date
) -> list[str]:
    readable = {f"document:{one.kind}" for one in documents.documents if one.trouble is None}
    values = {one.field: one.value for one in proven}
    if "iban" in values and not holds(plain_iban(values["iban"])):
        del values["iban"]
    there = readable | {f"field:{name}" for name in values}
    lacking = [item for item in required if item not in there]
    until = _day(values.get("certificate_expiry", ""))
    return sorted(lacking + (["current:insurance_certificate"] if until and until < today else []))


def _compared(name: str, value: str) -> str:
    return normalised(value) if name == "legal_name" else "".join(value.split()).casefold()


def _ibans(documents: VendorDocuments) -> set[str]:
    """Every valid IBAN that stands anywhere in the documents, whatever the reader has found."""
    return {iban for page in documents.pages for iban in ibans_in(page.text)}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None

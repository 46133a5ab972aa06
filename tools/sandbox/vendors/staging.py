"""The rows that put the vendors of the cast on stage."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tools.sandbox.rows import Table
from tools.sandbox.vendors.cast import CAST, Applicant
from tools.sandbox.vendors.papers import Company, as_text, papers_of
from tools.sandbox.vendors.past import past
from tools.sandbox.vendors.pdf import pdf_of
from tools.sandbox.vendors.rows import AccountRow, DocumentRow, EntryRow, Rows, VendorRow, document

_LISTED = EntryRow(
    "W-9001", "sanctions", ["Severny Kamen Trading", "Northern Stone Trade House"], ["DE", "RU"]
)


def vendor_rows(seed: int, as_of: datetime, _customers: int) -> Iterator[Table]:
    """The register on the day it is founded: its past, and the cast."""
    yield from past(seed, as_of).tables()
    yield from staged(as_of).tables()


def staged(as_of: datetime) -> Rows:
    """The cast's rows on the day `as_of`."""
    rows = Rows(watch_list=[_LISTED])
    for scene in CAST.values():
        company = company_of(scene, as_of)
        at = as_of - timedelta(days=1, minutes=scene.number)
        rows.vendors.append(
            VendorRow(scene.vendor_id, company.name, scene.kind, scene.country, company.email, "applied", at)
        )
        rows.vendor_documents += _papers(scene, company, at)
        if scene.on_file:
            rows.vendor_accounts.append(_account(scene, company, at - timedelta(days=30)))
    return rows


def company_of(scene: Applicant, as_of: datetime) -> Company:
    """What a vendor of the cast is."""
    return Company(
        number=90_000 + scene.number,
        name=scene.legal_name,
        kind=scene.kind,
        country=scene.country,
        insured_until=(as_of + timedelta(days=scene.insured_days)).date(),
    )


def _papers(scene: Applicant, company: Company, at: datetime) -> list[DocumentRow]:
    found = []
    for kind, pages in papers_of(company).items():
        if kind in scene.without:
            continue
        lines = papers_of(_stranger(scene, company))[kind] if kind == "registration" else pages
        written = _written(scene, kind, lines)
        name = f"{kind}.pdf" if scene.as_pdf else f"{kind}.txt"
        content = pdf_of(written) if scene.as_pdf else as_text(written)
        if kind in scene.broken:
            content = b"%PDF-1.4\n" + bytes(range(256)) * 4
        found.append(
            document(
                scene.document_id(kind),
                scene.vendor_id,
                kind,
                file_name=name,
                content=content,
                received_at=at,
            )
        )
    return found


def _stranger(scene: Applicant, company: Company) -> Company:
    if not scene.stranger:
        return company
    return Company(
        number=scene.stranger,
        name="Quite Another Company GmbH",
        kind=company.kind,
        country=company.country,
        insured_until=company.insured_until,
    )


def _written(scene: Applicant, kind: str, pages: list[list[str]]) -> list[list[str]]:
    """The pages with what is special about this vendor's."""
    replaced = scene.replaced.get(kind, {})
    own_of_known = Company(
        number=90_000 + CAST["known_account"].number,
        name="",
        kind="goods",
        country="DE",
        insured_until=datetime.min.date(),  # noqa: DTZ901 - no account hangs on it
    ).iban
    written = [
        [replaced.get(line.partition(":")[0], line).format(own_of_known=own_of_known) for line in page]
        for page in pages
    ]
    written[-1] += scene.added.get(kind, ())
    return written


def _account(scene: Applicant, company: Company, at: datetime) -> AccountRow:
    other = Company(
        number=company.number + 500_000,
        name=company.name,
        kind=company.kind,
        country=company.country,
        insured_until=company.insured_until,
    )
    owner = company if scene.on_file == "own" else other
    return AccountRow(
        account_id=f"A-{company.number}",
        vendor_id=scene.vendor_id,
        iban=owner.iban,
        document_id=scene.document_id("bank_letter"),
        page=1,
        quote=f"IBAN: {owner.iban}",
        status="endorsed",
        created_at=at,
        idempotency_key=f"cast-account-{scene.number}",
        undo_key=None,
    )

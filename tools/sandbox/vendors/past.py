"""The register's past, invented from a seed: some hundred vendors, their papers, and the watch list."""

import hashlib
from datetime import datetime, timedelta
from random import Random

from tools.sandbox.vendors.papers import COUNTRIES, KINDS, Company, as_text, papers_of, required
from tools.sandbox.vendors.rows import (
    AccountRow,
    ActivationRow,
    ClearanceRow,
    EntryRow,
    RequirementRow,
    Rows,
    VendorRow,
    document,
)

_VENDORS = 150
_ENTRIES = 120
_SUSPENDED_EVERY = 17
_FIRST = ("Amber", "Brook", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Haven", "Iris", "Juniper", "Kite")
_SECOND = ("Freight", "Paper", "Steel", "Tools", "Catering", "Logistics", "Design", "Textiles", "Glass")
_FORMS = {"DE": "GmbH", "AT": "GmbH", "FR": "SARL", "IT": "Srl", "NL": "B.V.", "PL": "S.A.", "GB": "Ltd"}
_UGLY = (
    "Müller & Söhne",
    "O'Hara, Byrne & Co.",
    "Crédit-Bail Façade",
    "A",
    "Ελληνική Εταιρεία",
    "Ромашка",
)
_LISTED_FIRST = ("Volkov", "Qasimi", "Orlovich", "Zandar", "Merak", "Tavros", "Khaldun", "Brankov", "Sorvino")
_LISTED_SECOND = ("Maritime", "Trading", "Holdings", "Petrol", "Mining", "Aviation", "Shipping")
_LISTED_COUNTRIES = ("RU", "IR", "SY", "KP", "BY", "")


def past(seed: int, as_of: datetime) -> Rows:
    """Vendors of the last three years, what was said to them, and whom the list names."""
    random = Random(seed)  # noqa: S311 - sample data, no secret
    rows = Rows()
    for number in range(1, _VENDORS + 1):
        _add_vendor(random, as_of, number, rows)
    for kind in KINDS:
        for country in COUNTRIES:
            rows.vendor_requirements += [
                RequirementRow(kind, country, item) for item in required(kind, country)
            ]
    rows.watch_list = [_entry(random, number) for number in range(1, _ENTRIES + 1)]
    return rows


def _add_vendor(random: Random, as_of: datetime, number: int, rows: Rows) -> None:
    country = random.choice(COUNTRIES)
    applied_at = as_of - timedelta(days=random.uniform(60, 1000))
    company = Company(
        number=10_000 + number,
        name=_name(random, country, number),
        kind=random.choice(KINDS),
        country=country,
        insured_until=(as_of + timedelta(days=random.randint(-200, 500))).date(),
    )
    vendor_id = f"V-{company.number}"
    status = "suspended" if number % _SUSPENDED_EVERY == 0 else "active"
    rows.vendors.append(
        VendorRow(vendor_id, company.name, company.kind, country, company.email, status, applied_at)
    )
    for place, (kind, pages) in enumerate(papers_of(company).items(), 1):
        content = as_text(pages)
        rows.vendor_documents.append(
            document(
                f"D-{company.number}{place}",
                vendor_id,
                kind,
                file_name=f"{kind}.txt",
                content=content,
                received_at=applied_at,
            )
        )
    if status == "active":
        _add_activation(applied_at, company, rows)


def _name(random: Random, country: str, number: int) -> str:
    ugly, rest = divmod(number, 25)
    plain = f"{random.choice(_FIRST)} {random.choice(_SECOND)} {number} {_FORMS.get(country, 'Inc.')}"
    return plain if rest else _UGLY[ugly % len(_UGLY)]


def _add_activation(at: datetime, company: Company, rows: Rows) -> None:
    vendor_id, number = f"V-{company.number}", company.number
    papers = rows.vendor_documents[-len(papers_of(company)) :]
    lines = "\n".join(f"{paper.document_id} {paper.sha256}" for paper in papers)
    dossier = hashlib.sha256(lines.encode()).hexdigest()
    quote = papers_of(company)["bank_letter"][0][2]
    when = at + timedelta(days=5)
    where = (papers[1].document_id, 1, quote)
    rows.vendor_accounts.append(
        AccountRow(
            f"A-{number}", vendor_id, company.iban, *where, "endorsed", when, f"past-account-{number}", None
        )
    )
    for place, department in enumerate(("legal", "finance", "procurement"), 1):
        key = f"past-clearance-{number}-{department}"
        rows.vendor_clearances.append(
            ClearanceRow(f"L-{number}{place}", vendor_id, department, dossier, "cleared", when, key, None)
        )
    rows.vendor_activations.append(
        ActivationRow(
            f"N-{number}", vendor_id, f"A-{number}", "active", when, f"past-activation-{number}", None
        )
    )


def _entry(random: Random, number: int) -> EntryRow:
    name = f"{random.choice(_LISTED_FIRST)} {random.choice(_LISTED_SECOND)} {number}"
    country = random.choice(_LISTED_COUNTRIES)
    aliases = (
        [f"{name.partition(' ')[0]} {random.choice(_LISTED_SECOND)} Group {number}"] if number % 3 else []
    )
    kind = "sanctions" if number % 4 else "watch"
    return EntryRow(f"W-{number:04}", kind, [name, *aliases], [country] if country else [])

"""Papers: what the documents of a vendor say, as lines on pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tools.sandbox.vendors.iban import iban_of

EUROPEAN = frozenset({"AT", "DE", "FR", "IT", "NL", "PL"})
"""Countries in which a vendor has a VAT number of the European Union."""
COUNTRIES = (*sorted(EUROPEAN), "GB", "US")
KINDS = ("goods", "services", "logistics")
INSURED = frozenset({"goods", "logistics"})
"""Kinds of vendors that need a liability insurance."""
_BANKS = {"DE": (37040044, 10), "AT": (19043, 11), "PL": (10901014, 16)}
_VAT_DIGITS = {"AT": 8, "DE": 9, "FR": 11, "IT": 11, "NL": 9, "PL": 10}


@dataclass(frozen=True, kw_only=True, slots=True)
class Company:
    """What a vendor's papers say about it."""

    number: int
    name: str
    kind: str
    country: str
    insured_until: date

    @property
    def registration(self) -> str:
        """The number in the commercial register."""
        return f"HRB {100_000 + self.number}"

    @property
    def vat_id(self) -> str:
        """The VAT number; empty outside the European Union."""
        digits = _VAT_DIGITS.get(self.country)
        return f"{self.country}{self.number:0{digits}}" if digits else ""

    @property
    def iban(self) -> str:
        """The account; vendors from where there are no IBANs have one in Germany."""
        return _iban(self.country, self.number)

    @property
    def email(self) -> str:
        """Where its accounts department reads."""
        return f"accounts.{self.number}@example.com"


def papers_of(company: Company) -> Mapping[str, list[list[str]]]:
    """By kind of document the lines of each page."""
    papers = {"registration": _registration(company), "bank_letter": _bank_letter(company)}
    if company.kind in INSURED:
        papers["insurance_certificate"] = _insurance(company)
    return papers


def _registration(company: Company) -> list[list[str]]:
    first = [
        "Extract from the commercial register",
        f"Legal name: {company.name}",
        f"Registration number: {company.registration}",
        f"Country: {company.country}",
    ]
    second = ["Further details", f"Contact email: {company.email}"]
    if company.vat_id:
        second.append(f"VAT ID: {company.vat_id}")
    return [first, second]


def _bank_letter(company: Company) -> list[list[str]]:
    spaced = " ".join(company.iban[at : at + 4] for at in range(0, len(company.iban), 4))
    return [["Confirmation of account", f"Legal name: {company.name}", f"IBAN: {spaced}"]]


def _insurance(company: Company) -> list[list[str]]:
    until = f"Certificate valid until: {company.insured_until.isoformat()}"
    return [["Certificate of liability insurance", f"Legal name: {company.name}", until]]


def _iban(country: str, number: int) -> str:
    if country in _BANKS:
        bank, digits = _BANKS[country]
        return iban_of(country, f"{bank}{number:0{digits}}")
    match country:
        case "FR":
            return iban_of("FR", f"30006{1:05}{number:011}76")
        case "GB":
            return iban_of("GB", f"NWBK601613{number % 10**8:08}")
        case "IT":
            return iban_of("IT", f"X05428{11101:05}{number:012}")
        case "NL":
            return iban_of("NL", f"ABNA{number:010}")
    return _iban("DE", number)


def as_text(pages: list[list[str]]) -> bytes:
    """A text document: a form feed begins a page."""
    return "\f".join("\n".join(lines) for lines in pages).encode()


def required(kind: str, country: str) -> list[str]:
    """What a vendor of a kind and country has to show."""
    items = ["document:registration", "document:bank_letter", "field:legal_name", "field:registration_number"]
    items += ["field:country", "field:iban", "field:contact_email"]
    if kind in INSURED:
        items += ["document:insurance_certificate", "field:certificate_expiry"]
    return [*items, "field:vat_id"] if country in EUROPEAN else items

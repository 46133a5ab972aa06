"""IBANs (ISO 13616): their form, their length by country, their check digits (ISO 7064, MOD 97-10)."""

import re
from typing import Annotated

from pydantic import Field

Iban = Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$", max_length=34)]
_LENGTHS = {
    "AT": 20,
    "BE": 16,
    "CH": 21,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "ES": 24,
    "FI": 18,
    "FR": 27,
    "GB": 22,
    "IE": 22,
    "IT": 27,
    "LU": 20,
    "NL": 18,
    "NO": 15,
    "PL": 28,
    "PT": 25,
    "SE": 24,
}
"""As in the IBAN registry; of other countries only the check digits are known."""
_REMAINDER = 1
_WIDEST = 80  # the longest, with spaces between
_BEGINNING = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}(?=\s?[0-9]\s?[0-9])")


def plain_iban(text: str) -> str:
    """An IBAN as it is written in documents, without spaces and in capitals."""
    return "".join(text.split()).upper()


def holds(iban: str) -> bool:
    """Whether length and check digits are right; nothing is known of whether there is such an account."""
    if not iban.isascii() or not iban.isalnum() or not iban[2:4].isdigit():
        return False
    return _LENGTHS.get(iban[:2], len(iban)) == len(iban) and _remainder(iban) == _REMAINDER


def ibans_in(text: str) -> set[str]:
    """Every IBAN in a text that can be right, of countries whose length is known, whatever follows it."""
    begins = ((one[0].upper(), one.start()) for one in _BEGINNING.finditer(text))
    found = {plain_iban(text[at : at + _WIDEST])[: _LENGTHS.get(country, 0)] for country, at in begins}
    return {iban for iban in found if holds(iban)}


def iban_of(country: str, account: str) -> str:
    """The IBAN of a national account number (BBAN), with the check digits that belong to it."""
    return f"{country}{98 - _remainder(f'{country}00{account}'):02}{account}"


def _remainder(iban: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97
